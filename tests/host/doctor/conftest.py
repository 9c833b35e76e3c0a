# SPDX-License-Identifier: MIT
import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from glintfpga.host.doctor.machine import Machine

MACHINES = {"linux": "x86_64", "darwin": "arm64", "win32": "AMD64"}


@pytest.fixture
def machine(tmp_path):
    """A machine with an empty root folder and a user without rights."""

    def make(system="linux", **options):
        root = tmp_path / "root"
        root.mkdir(exist_ok=True)
        architecture = options.pop("architecture", MACHINES[system])
        superuser = options.pop("superuser", False)
        return Machine(system=system, architecture=architecture, root=root, superuser=superuser)

    return make


@pytest.fixture
def write(tmp_path):
    """Write files under the root folder: `write({"proc/version": "Linux"})`."""

    def go(files):
        for name, text in files.items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return go


@pytest.fixture
def plug_usb(write):
    """A USB device as the kernel lists it, with the folder of one of its interfaces."""

    def go(name="1-2", vendor="0403", product="6010", bus="1", number="7"):
        folder = f"sys/bus/usb/devices/{name}"
        write(
            {
                f"{folder}/idVendor": f"{vendor}\n",
                f"{folder}/idProduct": f"{product}\n",
                f"{folder}/busnum": f"{bus}\n",
                f"{folder}/devnum": f"{number}\n",
                f"{folder}:1.0/bInterfaceNumber": "00\n",
            }
        )

    return go


@pytest.fixture
def plug(monkeypatch):
    """The ports that pyserial lists: (device, location, USB serial number, vid, pid)."""

    def go(*ports):
        monkeypatch.setattr(list_ports, "comports", lambda: [port_info(*port) for port in ports])

    go()
    return go


def port_info(device, location=None, serial_number="2023030621", vid=0x0403, pid=0x6010):
    info = ListPortInfo(device)
    info.location, info.serial_number, info.vid, info.pid = location, serial_number, vid, pid
    if vid is not None:
        info.hwid = info.usb_info()
    return info


@pytest.fixture
def program(tmp_path):
    """Write a shell script: `program("bin/yosys", "echo hi")`."""

    def go(name, text="exit 1"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return go
