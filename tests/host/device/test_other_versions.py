# SPDX-License-Identifier: MIT
"""Devices of other protocol versions, each as its bytes, and what the host says to its user."""

import zlib

import pytest
from cobs import cobs

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.byte_line import ByteLine, LinkLost
from glintfpga.firmware.wire.frames import FrameSplitter
from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.host.device.link import GREETINGS_S, Link
from glintfpga.host.ports.port_probe import PortProbe
from glintfpga.quant.errors import DeviceError

OLD_INFO = bytes.fromhex("03040c0400000000001000010002") + bytes(114)
"""Of a device of version 1: always 128 bytes."""
NEW_INFO = RowFacts().hello().encode()


def frame(body):
    return cobs.encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"


class OtherDevice(ByteLine):
    """A device of one version: it answers greetings of ``hears`` with its ``info``."""

    name = "COM5"
    rate_factors = (1, 4)

    def __init__(self, version, info, *, hears, deaf_s=0.0):
        self.now = 0.0
        self.heard = []
        self._version, self._info = version, info
        self._hears, self._deaf_s = hears, deaf_s
        self._splitter = FrameSplitter()
        self._coming = b""
        self._baud = BAUDS[0]

    def clock(self):
        return self.now

    def write(self, data):
        for raw in self._splitter.feed(data):
            body = cobs.decode(raw)
            if len(body) != 9 or self.now < self._deaf_s or self._baud != BAUDS[0]:
                continue
            self.heard.append(body[0] >> 4)
            if body[0] >> 4 in self._hears and body[0] & 15 == 1:
                first = bytes([self._version << 4 | 1])
                self._coming += frame(first + body[1:5] + self._info)

    def read(self, size, timeout):
        data, self._coming = self._coming[:size], self._coming[size:]
        self.now += 1e-4 * len(data) if data else timeout
        return data

    def set_baud(self, baud):
        self._baud = baud
        return True


def refusal(device):
    with pytest.raises(DeviceError) as caught:
        Link(opener=lambda: device).connect()
    assert not isinstance(caught.value, LinkLost)
    return str(caught.value)


def told(version):
    update = "update this program, or " if version > 2 else ""
    return (
        f"the device at 'COM5' speaks protocol version {version}, this host version 2; "
        f"{update}flash the bitstream of this release: glintfpga flash"
    )


@pytest.mark.quick
def test_an_old_device_answers_only_its_own_version():
    device = OtherDevice(1, OLD_INFO, hears={1})
    assert len(frame(bytes(5) + OLD_INFO)) == 137 + 2
    assert refusal(device) == told(1)
    assert device.heard == [2, 2, 1]
    assert device.now < GREETINGS_S[0]


def test_an_old_device_that_is_late(notes):
    """It first reads its bitstream; its line is tried as one behind a dividing bridge as well."""
    device = OtherDevice(1, OLD_INFO, hears={1}, deaf_s=1.0)
    assert refusal(device) == told(1)
    assert device.now < 2 * sum(GREETINGS_S)
    assert notes == []


@pytest.mark.parametrize("version", [0, 3, 15])
@pytest.mark.parametrize("info", [b"", b"\1", NEW_INFO, bytes(1900)], ids=len)
def test_a_later_device_whatever_it_reports(version, info):
    """It answers every greeting; its hello has at least a byte more than a host's."""
    device = OtherDevice(version, info + b"\0", hears=range(16))
    assert refusal(device) == told(version)
    assert device.heard == [2]


def test_a_device_of_this_version():
    device = OtherDevice(2, NEW_INFO, hears=range(16))
    assert Link(opener=lambda: device).connect().encode() == NEW_INFO


def test_a_field_of_a_later_release_is_read_over():
    device = OtherDevice(2, NEW_INFO + b"\xc8\3new", hears=range(16))
    assert Link(opener=lambda: device).connect().encode() == NEW_INFO


@pytest.mark.parametrize(
    "info", [NEW_INFO[:-1], NEW_INFO + b"\1\0", NEW_INFO[:16]], ids=["cut", "twice", "no fields"]
)
def test_a_hello_that_cannot_be_read(info):
    device = OtherDevice(2, info, hears=range(16))
    with pytest.raises(LinkLost, match="port 'COM5' answers with other bytes"):
        Link(opener=lambda: device).connect()


@pytest.mark.parametrize("version", [1, 2, 7])
def test_a_port_that_echoes_a_greeting_of_any_version(version):
    probe = PortProbe("COM5")
    probe.feed(frame(bytes([version << 4 | 1, 1, 2, 3, 4])))
    assert probe.diagnosis().startswith("port 'COM5' echoes what it is sent")


def test_data_of_another_version_tells_nothing():
    probe = PortProbe("COM5")
    probe.feed(frame(bytes([0x12]) + bytes(20)))
    assert probe.diagnosis().startswith("port 'COM5' answers with other bytes")
