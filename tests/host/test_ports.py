# SPDX-License-Identifier: MIT
import errno
import logging
import os
import pty
import termios
from unittest.mock import MagicMock

import pytest
import serial
from serial.tools.list_ports_common import ListPortInfo

from glintfpga.host import ports, transport, usb
from glintfpga.host.ports import choose_port, how_timed, port_opener
from glintfpga.host.transport import LinkLost, SerialTransport
from glintfpga.quant.errors import DeviceError, InputError


def info(device, location=None, serial_number="S1", hwid="USB", vid=0x0403, pid=0x6010):
    port = ListPortInfo(device)
    port.vid, port.pid, port.location = vid, pid, location
    port.serial_number, port.hwid = serial_number, hwid
    return port


LINUX = [info("/dev/ttyUSB0", "1-2:1.0"), info("/dev/ttyUSB1", "1-2:1.1")]
WINDOWS = [info("COM4", "1-2:x.0"), info("COM12", "1-2:x.1")]
FTDI = [
    info("COM4", None, "S1A", "USB VID:PID=0403:6010 SER=S1A"),
    info("COM5", None, "S1B", "USB VID:PID=0403:6010 SER=S1B"),
]
MAC = [
    info("/dev/cu.usbserial-20230306210", "20-2"),
    info("/dev/cu.usbserial-20230306211", "20-2"),
]
OTHER = [info("/dev/ttyACM0", "1-3:1.0", vid=0x2341, pid=0x0043), ListPortInfo("/dev/ttyS0")]


@pytest.fixture
def plugged(monkeypatch):
    return lambda found: monkeypatch.setattr(usb.list_ports, "comports", lambda: found)


@pytest.fixture
def notes(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("glintfpga"), "propagate", True)
    caplog.set_level(logging.INFO, "glintfpga")
    return caplog


@pytest.mark.parametrize(
    "found, named, used",
    [
        (LINUX, "/dev/ttyUSB0", "/dev/ttyUSB1"),
        (WINDOWS, "COM4", "COM12"),
        (WINDOWS, "com4", "COM12"),
        (WINDOWS, r"\\.\COM4", "COM12"),
        (FTDI, "COM4", "COM5"),
        (MAC, "/dev/cu.usbserial-20230306210", "/dev/cu.usbserial-20230306211"),
        (MAC, "/dev/tty.usbserial-20230306210", "/dev/cu.usbserial-20230306211"),
    ],
)
def test_jtag_half_becomes_its_sibling(plugged, notes, found, named, used):
    plugged([*OTHER, *found])
    assert choose_port(named) == used
    assert f"{named} is the JTAG half of the board; using its UART, {used}" in notes.text


@pytest.mark.parametrize("name", ["/dev/ttyUSB1", "/dev/ttyACM0", "COM7", "sim:", "ref:"])
def test_other_ports_are_used_as_named(plugged, notes, name):
    plugged([*OTHER, *LINUX])
    assert choose_port(name) == name
    assert notes.text == ""


def test_jtag_half_without_a_sibling_is_used(plugged):
    plugged(LINUX[:1])
    assert choose_port("/dev/ttyUSB0") == "/dev/ttyUSB0"


def test_links_are_followed(plugged, tmp_path):
    target = tmp_path / "ttyUSB0"
    target.touch()
    link = tmp_path / "by-id"
    link.symlink_to(target)
    plugged([info(str(target), "1-2:1.0"), info("/dev/ttyUSB1", "1-2:1.1")])
    assert choose_port(str(link)) == "/dev/ttyUSB1"


@pytest.mark.parametrize(
    "found, used", [(LINUX, "/dev/ttyUSB1"), (WINDOWS, "COM12"), (FTDI, "COM5")]
)
def test_board_is_found(plugged, notes, found, used):
    plugged([*OTHER, *found])
    assert choose_port(None) == used
    assert f"found a board at {used}" in notes.text


def test_without_a_board_the_simulation_is_used(plugged, notes):
    plugged(OTHER)
    assert choose_port(None) == "sim:"
    assert "no board found; using sim:" in notes.text


def test_two_boards(plugged):
    plugged([*LINUX, info("/dev/ttyUSB2", "1-3:1.0"), info("/dev/ttyUSB3", "1-3:1.1")])
    with pytest.raises(InputError, match=r"2 boards are plugged in \(/dev/ttyUSB1, /dev/ttyUSB3\)"):
        choose_port(None)


def test_known_troubles_are_named(plugged, notes):
    bad = [info("/dev/ttyUSB1", "1-2:1.1", "2024122312")]
    plugged([*bad, info("/dev/ttyACM1", vid=0x349B, pid=0x6160)])
    choose_port(None)
    assert "debugger firmware is 2024122312" in notes.text
    assert "349b:6160: its debugger firmware is not running" in notes.text


@pytest.mark.parametrize(
    "name, build_id, how",
    [
        ("sim:", bytes(8), "simulated"),
        ("/dev/pts/3", b"sim\0\0\0\0\0", "simulated"),
        ("ref:", b"ref\0\0\0\0\0", "software"),
        ("/dev/ttyUSB1", b"sim45678", "measured"),
        ("COM5", bytes(8), "measured"),
    ],
)
def test_where_times_come_from(name, build_id, how):
    assert how_timed(name, build_id) == how


def test_a_found_board_may_come_back_under_another_name(plugged, monkeypatch):
    opened = []
    monkeypatch.setattr(ports, "SerialTransport", lambda name, baud: opened.append(name))
    plugged(LINUX)
    opener = port_opener(choose_port(None), model=None, lanes=4)
    opener()
    plugged([info("/dev/ttyUSB2", "1-2:1.0"), info("/dev/ttyUSB3", "1-2:1.1")])
    opener()
    assert opened == ["/dev/ttyUSB1", "/dev/ttyUSB3"]


REPLUGGED = [info("/dev/ttyUSB2", "1-2:1.0"), info("/dev/ttyUSB3", "1-2:1.1")]


def test_a_named_board_may_come_back_under_another_name(plugged, monkeypatch, notes):
    opened = []
    monkeypatch.setattr(ports, "SerialTransport", lambda name, baud: opened.append(name))
    plugged(LINUX)
    opener = port_opener(choose_port("/dev/ttyUSB0"), model=None, lanes=4)
    opener()
    plugged(REPLUGGED)
    opener()
    plugged([])
    opener()
    assert opened == ["/dev/ttyUSB1", "/dev/ttyUSB3", "/dev/ttyUSB1"]
    assert "the board is now at /dev/ttyUSB3" in notes.messages


def test_another_board_does_not_stand_in_for_a_named_one(plugged, monkeypatch):
    opened = []
    monkeypatch.setattr(ports, "SerialTransport", lambda name, baud: opened.append(name))
    other = [info("/dev/ttyUSB2", "1-3:1.0"), info("/dev/ttyUSB3", "1-3:1.1")]
    plugged([*LINUX, *other])
    opener = port_opener("/dev/ttyUSB1", model=None, lanes=4)
    plugged(other)
    opener()
    assert opened == ["/dev/ttyUSB1"]


@pytest.mark.parametrize(
    "name, slowness",
    [
        ("/dev/pts/4", 40),
        ("/dev/ttys004", 40),
        ("/dev/ttyS4", 1),
        ("/dev/ttyUSB1", 1),
        ("/dev/cu.usbserial-20230306211", 1),
        ("COM5", 1),
    ],
)
def test_behind_a_pseudo_terminal_time_is_slow(monkeypatch, name, slowness):
    monkeypatch.setattr(transport.serial, "serial_for_url", MagicMock())
    assert SerialTransport(name=name, baud=115200).slowness == slowness


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "x"), termios.error(errno.EIO, "x"), TypeError("x")]
)
def test_port_that_is_gone(monkeypatch, error):
    lost = MagicMock()
    monkeypatch.setattr(transport.serial, "serial_for_url", lambda *a, **k: lost)
    port = SerialTransport(name="P", baud=115200)
    lost.flush.side_effect = lost.write.side_effect = lost.read.side_effect = error
    for act in (lambda: port.set_baud(1), lambda: port.write(b"x"), lambda: port.read(1, 0.1)):
        with pytest.raises(LinkLost, match="^port 'P' was lost .*; plug the board in again$"):
            act()


@pytest.mark.parametrize("error", [ValueError("x"), serial.SerialException("x")])
def test_rate_that_a_port_does_not_have(monkeypatch, error):
    class Port(MagicMock):
        baudrate = property(lambda self: 0, lambda self, baud: self.check(baud))

        def check(self, baud):
            if baud > 115200:
                raise error

    monkeypatch.setattr(transport.serial, "serial_for_url", lambda *a, **k: Port())
    port = SerialTransport(name="P", baud=115200)
    assert not port.set_baud(3_000_000)
    assert port.set_baud(115200)


@pytest.mark.parametrize(
    "error, text",
    [
        (serial.SerialException(errno.ENOENT, "x"), "there is no port 'P'; plug the board in"),
        (serial.SerialException(errno.EACCES, "x"), "sudo usermod -aG dialout"),
        (serial.SerialException(errno.EBUSY, "x"), "port 'P' is busy; close the other program"),
        (serial.SerialException(errno.EAGAIN, "exclusively lock"), "busy"),
        (
            serial.SerialException("could not open port 'P': FileNotFoundError(2, 'x')"),
            "there is no port 'P'",
        ),
        (
            serial.SerialException("could not open port 'P': PermissionError(13, 'denied')"),
            "port 'P' is busy",
        ),
        (ValueError("invalid URL"), "cannot be opened: invalid URL"),
    ],
)
def test_why_a_port_does_not_open(monkeypatch, error, text):
    def refuse(*arguments, **options):
        raise error

    monkeypatch.setattr(transport.serial, "serial_for_url", refuse)
    with pytest.raises(DeviceError) as caught:
        SerialTransport(name="P", baud=115200)
    assert text in str(caught.value)


def test_a_file_is_no_port(tmp_path):
    path = tmp_path / "x"
    path.touch()
    with pytest.raises(DeviceError, match="is not a serial port"):
        SerialTransport(name=str(path), baud=115200)


@pytest.fixture
def terminal():
    near, far = pty.openpty()
    yield near, os.ttyname(far)
    os.close(far)


def test_serial_port_carries_bytes(terminal):
    near, name = terminal
    port = SerialTransport(name=name, baud=115200)
    with pytest.raises(DeviceError, match="is busy"):
        SerialTransport(name=name, baud=115200)
    port.write(b"to")
    assert os.read(near, 9) == b"to"
    os.write(near, b"and back")
    assert port.read(3, 1.0) + port.read(100, 1.0) == b"and back"
    assert port.read(100, 0.01) == b""
    port.set_baud(3_000_000)
    os.close(near)
    with pytest.raises(LinkLost, match="was lost"):
        port.read(100, 0.1)
    port.close()
    port.close()
