# SPDX-License-Identifier: MIT
import builtins
from pathlib import Path

import pytest

from glintfpga.host.doctor.check import Level, ok
from glintfpga.host.doctor.checkup import CHECKS, examine
from glintfpga.host.doctor.machine import Machine


@pytest.mark.quick
def test_a_check_that_fails_is_a_warning_and_the_others_go_on(machine):
    def half(machine):
        yield ok("half", "first")
        raise PermissionError(13, "denied", "/x")

    def whole(machine):
        return [ok("whole", "all")]

    found = list(examine(machine(), {"odd": half, "whole": whole}))
    assert [(finding.check, finding.level) for finding in found] == [
        ("half", Level.OK),
        ("odd", Level.WARNING),
        ("whole", Level.OK),
    ]
    assert "PermissionError: [Errno 13] denied: '/x'" in found[1].text
    assert found[1].next_step


def test_odd_machines(machine, monkeypatch, plug):
    """No file can be read, no program run and no folder found, and there is a line for each."""

    def refuse(*arguments, **options):
        raise OSError(5, "Input/output error")

    for name in ("pathlib.Path.open", "os.stat", "os.scandir", "os.listdir", "os.access"):
        monkeypatch.setattr(name, refuse)
    monkeypatch.setattr(builtins, "open", refuse)
    for system in ("linux", "darwin", "win32"):
        nowhere = Machine(system=system, architecture="x", root=Path("/no"), superuser=False)
        found = list(examine(nowhere))
        assert len(found) >= len(CHECKS) - 3
        assert all(finding.next_step for finding in found if finding.level is not Level.OK)


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_each_check_gets_through(machine, plug, system):
    found = list(examine(machine(system)))
    assert {"python", "core", "board", "disk"} <= {finding.check for finding in found}
    assert not [finding for finding in found if "could not be checked" in finding.text]
