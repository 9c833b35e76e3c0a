# SPDX-License-Identifier: MIT
import errno
import logging
import os
import pty
import termios
from dataclasses import replace
from unittest.mock import MagicMock

import pytest
import serial
from serial.tools.list_ports_common import ListPortInfo

from glintfpga.firmware.wire.byte_line import LinkLost
from glintfpga.host.ports import open_port, serial_line, usb
from glintfpga.host.ports.open_port import choose_port, how_timed, port_opener
from glintfpga.host.ports.serial_line import SerialLine
from glintfpga.host.tuning.records import records_file, write_record
from glintfpga.quant.errors import DeviceError, InputError
from support.tuned_record import RECORD


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


@pytest.mark.parametrize("error", [TypeError("int() of None"), OSError("gone"), ValueError("x")])
def test_a_device_that_goes_while_ports_are_listed(plugged, monkeypatch, error):
    monkeypatch.setattr(usb, "_PAUSE_S", 0)
    answers = iter([error, LINUX, error, LINUX])

    def comports():
        answer = next(answers, error)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(usb.list_ports, "comports", comports)
    assert choose_port(None) == "/dev/ttyUSB1"
    assert choose_port(None) == "sim:"


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
    monkeypatch.setattr(open_port, "SerialLine", lambda name, **rest: opened.append(name))
    plugged(LINUX)
    opener = port_opener(choose_port(None), model=None, lanes=4)
    opener()
    plugged([info("/dev/ttyUSB2", "1-2:1.0"), info("/dev/ttyUSB3", "1-2:1.1")])
    opener()
    assert opened == ["/dev/ttyUSB1", "/dev/ttyUSB3"]


def test_the_rates_of_a_tuned_board(plugged, monkeypatch, notes):
    opened = []
    monkeypatch.setattr(open_port, "SerialLine", lambda **options: opened.append(options))
    plugged(LINUX)
    record = replace(RECORD, clock_mhz=81.0, next_clock_mhz=94.5, tokens=2, warmth="")
    opener = port_opener("/dev/ttyUSB1", model=None, lanes=4)
    opener()
    write_record("S2", record)
    opener()
    write_record("S1", record)
    opener()
    write_record("S1", replace(record, clock_mhz=54.0))
    opener()
    open_port.open_at_factor("/dev/ttyUSB1", 1.25)
    factors = [options["rate_factors"] for options in opened]
    assert factors == [(1, 4), (1, 4), (1, 1.5, 4), (1, 4), (1.25,)]
    records_file().write_text("{")
    opener()
    assert opened[-1]["rate_factors"] == (1, 4)
    assert any("remove it and run glintfpga tune" in line for line in notes.messages)


REPLUGGED = [info("/dev/ttyUSB2", "1-2:1.0"), info("/dev/ttyUSB3", "1-2:1.1")]


def test_a_named_board_may_come_back_under_another_name(plugged, monkeypatch, notes):
    opened = []
    monkeypatch.setattr(open_port, "SerialLine", lambda name, **rest: opened.append(name))
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
    monkeypatch.setattr(open_port, "SerialLine", lambda name, **rest: opened.append(name))
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
    monkeypatch.setattr(serial_line.serial, "serial_for_url", MagicMock())
    assert SerialLine(name=name, baud=115200).slowness == slowness


LEAKS = [
    OSError(errno.EIO, "x"),
    serial.SerialException("device reports readiness to read but returned no data"),
    termios.error(errno.EIO, "x"),
    TypeError("an integer is required"),
    ValueError("filedescriptor out of range in select()"),
    NotImplementedError("non-standard baudrates are not supported on this platform"),
]
"""What pyserial lets through."""


@pytest.mark.parametrize("error", LEAKS, ids=lambda error: type(error).__name__)
def test_port_that_is_gone(monkeypatch, error):
    lost = MagicMock()
    monkeypatch.setattr(serial_line.serial, "serial_for_url", lambda *a, **k: lost)
    port = SerialLine(name="P", baud=115200)
    lost.flush.side_effect = lost.write.side_effect = lost.read.side_effect = error
    for act in (lambda: port.set_baud(1), lambda: port.write(b"x"), lambda: port.read(1, 0.1)):
        with pytest.raises(LinkLost) as caught:
            act()
        assert str(caught.value) == (
            "port 'P' was lost: it hung up, or another program reads it too; plug the board in "
            "again"
        )
    lost.close.side_effect = error
    port.close()


def test_port_that_takes_nothing(monkeypatch):
    full = MagicMock()
    monkeypatch.setattr(serial_line.serial, "serial_for_url", lambda *a, **k: full)
    full.write.side_effect = serial.SerialTimeoutException("Write timeout")
    with pytest.raises(LinkLost, match="^port 'P' takes no more bytes; plug the board in again$"):
        SerialLine(name="P", baud=115200).write(b"x")


@pytest.mark.parametrize("error", LEAKS, ids=lambda error: type(error).__name__)
def test_rate_that_a_port_does_not_have(monkeypatch, error):
    class Port(MagicMock):
        baudrate = property(lambda self: 0, lambda self, baud: self.check(baud))

        def check(self, baud):
            if baud > 115200:
                raise error

    monkeypatch.setattr(serial_line.serial, "serial_for_url", lambda *a, **k: Port())
    port = SerialLine(name="P", baud=115200)
    assert not port.set_baud(3_000_000)
    assert port.set_baud(115200)


@pytest.mark.quick
@pytest.mark.parametrize(
    "error, text",
    [
        (serial.SerialException(errno.ENOENT, "x"), "there is no port 'P'; plug the board in"),
        (
            serial.SerialException(errno.EACCES, "x"),
            "no permission for port 'P'; let this user in: ",
        ),
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
        (ValueError("invalid URL"), "cannot be opened: invalid URL; name a port"),
        (
            termios.error(errno.EINVAL, "Invalid argument"),
            "port 'P' refuses 115200 baud, 8N1; name",
        ),
        (termios.error(errno.EIO, "x"), "cannot be opened: Input/output error; name a port"),
        (termios.error(errno.ENOTTY, "x"), "'P' is not a serial port; name a device"),
        (NotImplementedError("no custom rates"), "cannot be opened: no custom rates; name a port"),
        (serial.SerialException(errno.EISDIR, "x"), "'P' is not a serial port; name a device"),
    ],
)
def test_why_a_port_does_not_open(monkeypatch, error, text):
    def refuse(*arguments, **options):
        raise error

    monkeypatch.setattr(serial_line.serial, "serial_for_url", refuse)
    with pytest.raises(DeviceError) as caught:
        SerialLine(name="P", baud=115200)
    assert text in str(caught.value)


def test_files_and_folders_are_no_ports(tmp_path):
    path = tmp_path / "x"
    path.touch()
    for name in (path, tmp_path):
        with pytest.raises(DeviceError) as caught:
            SerialLine(name=str(name), baud=115200)
        assert str(caught.value) == (
            f"{str(name)!r} is not a serial port; name a device such as /dev/ttyUSB1 or COM5"
        )


@pytest.fixture
def terminal():
    near, far = pty.openpty()
    yield near, os.ttyname(far)
    os.close(far)


@pytest.mark.parametrize(
    "refused, factor, works",
    [(None, 4, True), (termios.error(errno.EINVAL, "Invalid argument"), 4, False)],
)
def test_rates_without_a_name_on_newer_c_libraries(terminal, monkeypatch, refused, factor, works):
    """glibc 2.42 refuses BOTHER, with which pyserial asks for rates that have no B constant."""
    real = termios.tcsetattr

    def like_glibc(handle, when, settings):
        if refused and 0o010000 in settings[4:6]:
            raise refused
        real(handle, when, settings)

    monkeypatch.setattr(termios, "tcsetattr", like_glibc)
    port = SerialLine(name=terminal[1], baud=115200)
    assert port.set_baud(4 * 1_000_000)
    assert port.set_baud(factor * 3_000_000) == works
    assert port.set_baud(115200)
    port.close()


def test_a_driver_that_refuses_all_settings(terminal, monkeypatch, command):
    def refuse(handle, when, settings):
        raise termios.error(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(termios, "tcsetattr", refuse)
    code, _, err = command("generate", terminal[1], "--bytes", "5")
    assert (code, err) == (
        1,
        f"error: port {terminal[1]!r} refuses 115200 baud, 8N1; name the serial port of a board\n",
    )


def test_serial_port_carries_bytes(terminal):
    near, name = terminal
    port = SerialLine(name=name, baud=115200)
    with pytest.raises(DeviceError, match="is busy"):
        SerialLine(name=name, baud=115200)
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
