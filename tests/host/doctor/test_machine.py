# SPDX-License-Identifier: MIT
import sys

import pytest

from glintfpga.host.doctor.machine import Machine


@pytest.mark.quick
@pytest.mark.parametrize(
    "kernel, version",
    [
        ("Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)", 0),
        ("Linux version 5.15.153.1-microsoft-standard-WSL2 (root@941d701f84f1)", 2),
        ("Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com)", 1),
    ],
)
def test_wsl(machine, write, kernel, version):
    write({"proc/version": kernel})
    assert machine().wsl == version
    assert machine("win32").wsl == 0


def test_without_a_kernel_version(machine):
    assert machine().wsl == 0


def test_here():
    assert Machine.here().system == sys.platform
    assert Machine.here().root.is_absolute()
