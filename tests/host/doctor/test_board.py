# SPDX-License-Identifier: MIT
import pytest

from glintfpga.host.doctor.board import board
from glintfpga.host.doctor.check import Level

LINUX = [("/dev/ttyUSB0", "1-2:1.0"), ("/dev/ttyUSB1", "1-2:1.1")]
WINDOWS = [("COM4", "1-2:x.0"), ("COM5", "1-2:x.1")]
MAC = [("/dev/cu.usbserial-20230306210", "20-2"), ("/dev/cu.usbserial-20230306211", "20-2")]
OTHER = ("/dev/ttyACM0", "1-3:1.0", "X", 0x2341, 0x0043)
PLAIN = ("/dev/ttyS0", None, None, None, None)


def lines(machine):
    return [(finding.check, finding.level.value, finding.text) for finding in board(machine)]


def troubles(machine):
    return [finding for finding in board(machine) if finding.level is not Level.OK]


@pytest.mark.parametrize("system, ports", [("linux", LINUX), ("darwin", MAC)])
def test_halves_are_told_apart(machine, plug, system, ports):
    plug(*ports, OTHER, PLAIN)
    (jtag, _), (uart, _) = ports
    found = list(board(machine(system)))
    assert [finding.text for finding in found] == [
        f"{jtag} is the JTAG half of a board (USB serial number 2023030621), which flashing uses",
        f"{uart} is the UART half of a board (USB serial number 2023030621): glintfpga chat {uart}",
        "of other devices: /dev/ttyACM0 (2341:0043), /dev/ttyS0",
    ]
    assert [finding.next_step for finding in found] == [None, None, None]
    assert {finding.level for finding in found} == {Level.OK}


@pytest.mark.quick
def test_hidden_interface(machine, plug):
    plug(("/dev/x", None))
    assert lines(machine()) == [
        (
            "port",
            "ok",
            "/dev/x is a half of a board (USB serial number 2023030621); this system hides which",
        )
    ]


@pytest.mark.parametrize(
    "system, kernel, step",
    [
        ("linux", "Linux version 6.1.0", "plug it in with a cable that carries data, or use sim:"),
        ("darwin", "", "plug it in with a cable that carries data"),
        ("win32", "", "without a COM port it is charge-only"),
        ("linux", "Linux version 5.15-microsoft-standard-WSL2", "usbipd attach --wsl --busid"),
        ("linux", "Linux version 4.4.0-19041-Microsoft", "wsl --set-version"),
    ],
)
def test_no_board_is_a_warning(machine, plug, write, system, kernel, step):
    plug(OTHER)
    write({"proc/version": kernel})
    (found,) = troubles(machine(system))
    assert (found.check, found.level, found.text) == (
        "board",
        Level.WARNING,
        "no board is plugged in",
    )
    assert step in found.next_step


def test_bad_firmware(machine, plug):
    plug(*((device, location, "2024122312") for device, location in LINUX))
    (found,) = troubles(machine())
    assert (found.check, found.level) == ("firmware", Level.PROBLEM)
    assert "2024122312, which fails to write bitstreams and divides the rate" in found.text
    assert "by four" in found.text
    assert "update_debugger.html" in found.next_step


def test_firmware_that_does_not_run(machine, plug):
    plug(("/dev/ttyACM0", "1-2:1.0", None, 0x349B, 0x6160))
    (found,) = troubles(machine())
    assert (found.check, found.level) == ("firmware", Level.PROBLEM)
    assert "349b:6160: its debugger firmware is not running" in found.text
    assert "update_debugger.html" in found.next_step


def test_board_without_ports(machine, plug, plug_usb):
    plug_usb("usb1", vendor="1d6b", product="0002")
    assert [found.check for found in troubles(machine())] == ["board"]
    plug_usb()
    (found,) = troubles(machine())
    assert (found.check, found.level) == ("driver", Level.PROBLEM)
    assert found.next_step.startswith("sudo modprobe ftdi_sio")


@pytest.mark.parametrize("system, step", [("linux", "without a hub"), ("win32", "device manager")])
def test_board_without_a_uart(machine, plug, system, step):
    plug(WINDOWS[0] if system == "win32" else LINUX[0])
    (found,) = troubles(machine(system))
    assert (found.check, found.level) == ("driver", Level.PROBLEM)
    assert "shows no UART half" in found.text
    assert step in found.next_step


def test_board_after_flashing_has_only_a_uart(machine, plug):
    plug(LINUX[1])
    assert troubles(machine()) == []


def test_windows_driver(machine, plug):
    plug(*WINDOWS)
    (found,) = troubles(machine("win32"))
    assert (found.check, found.level) == ("driver", Level.PROBLEM)
    assert found.text.startswith("COM4, the JTAG half, has the driver of a serial port")
    assert "Zadig to give interface 0, and only that" in found.next_step
    plug(WINDOWS[1])
    assert troubles(machine("win32")) == []


def test_each_board_is_looked_at(machine, plug):
    plug(*WINDOWS, ("COM9", "1-3:x.0", "S2"))
    assert [found.text[:20] for found in troubles(machine("win32"))] == [
        "COM4, the JTAG half,",
        "the board at COM9 sh",
    ]
