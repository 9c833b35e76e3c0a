# SPDX-License-Identifier: MIT
"""Every parser of host and files as a function of bytes, for whoever wants to throw some at it.

A target returns whether it took its bytes. A ``GlintError`` of one printable line is a refusal;
anything else that is raised is a defect. tests/fuzz/ has the fuzzer and the bytes to begin with.
"""

import contextlib
import hashlib
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from glintfpga.boards.catalog import BOARDS
from glintfpga.boards.gowin.bitstream_file import check_bitstream
from glintfpga.boards.manifest import read_manifest
from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.image_format import HEADER_BYTES
from glintfpga.firmware.blink.numerics import reference_model
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.wire.byte_line import ByteLine
from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.frames import (
    Hello,
    HelloReply,
    decode_frame,
    encode_frame,
    parse_frame,
)
from glintfpga.firmware.wire.hello import FIXED_BYTES, HelloInfo
from glintfpga.firmware.wire.messages import Counters, Done, Generate, take_message
from glintfpga.firmware.wire.protocol import TO_DEVICE_RING, TO_HOST_RING, HelloFlag
from glintfpga.host.device.client import Client
from glintfpga.host.device.link import Link
from glintfpga.host.files import output_folder
from glintfpga.host.models import image_of
from glintfpga.host.report.inputs import read_floorplan
from glintfpga.host.tuning.records import read_records
from glintfpga.quant.blink.checkpoint import read_checkpoint
from glintfpga.quant.errors import GlintError
from glintfpga.quant.evaluation.sets import read_set
from glintfpga.quant.files.strict_json import parse_object
from glintfpga.quant.numbers.sampler import Sampler

__all__ = ["MAX_LINE", "SESSION", "TARGETS", "accepts", "with_valid_sums"]

MAX_LINE = 700
SESSION = 7
"""Nonce of the sessions in which frames arrive."""
CONFIG = DeviceConfig()

Target = Callable[[bytes], object]


def accepts(target: str, data: bytes) -> bool:
    """Whether a target takes ``data``. Raises ``AssertionError`` for a refusal of another form."""
    try:
        TARGETS[target](data)
    except GlintError as error:
        line = str(error)
        assert line.isprintable() and 0 < len(line) <= MAX_LINE, f"not one line of text: {line!r}"
        return False
    return True


def with_valid_sums(data: bytes) -> bytes:
    """An image with a sha256 and a CRC that are right for its other bytes, if it has room."""
    if len(data) < HEADER_BYTES + 4:
        return data
    data = data[:64] + bytes(32) + data[96:-4]
    data = data[:64] + hashlib.sha256(data).digest() + data[96:]
    return data + zlib.crc32(data).to_bytes(4, "little")


# Files

_BOARD = "tangnano20k"


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="glintfpga-")


def _file(name: str, read: Callable[[Path], object]) -> Target:
    """A target that gives ``read`` a file of this name."""

    def go(data: bytes) -> object:
        path = Path(_scratch().name) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return read(path)

    return go


def _bitstream(path: Path) -> None:
    # A whole one has 7 MB, which nobody can try all of.
    small = replace(BOARDS[_BOARD], tile_frames=1, contents_frames=1, frame_bytes=16)
    check_bitstream(path, board=small)


# The line


def _frames_of_a_host(data: bytes) -> None:
    """Bytes on a device's line, within a session."""
    end = Endpoint(Role.DEVICE, info=CONFIG.hello)
    end.feed(Hello(SESSION).encode(), 0.0)
    _exchange(end, data)


def _frames_of_a_device(data: bytes) -> None:
    """Bytes on a host's line, within a session."""
    end = Endpoint(Role.HOST)
    end.start_session(SESSION, 0.0)
    end.feed(HelloReply(SESSION, CONFIG.hello()).encode(), 0.0)
    _exchange(end, data)


def _exchange(end: Endpoint, data: bytes) -> None:
    end.write(b"to be" * 100)
    for at in range(5):
        end.poll(0.04 * at)
        end.feed(data, 0.04 * at)
    assert end.crc_errors <= end.dropped, (end.crc_errors, end.dropped)
    assert end.readable <= (TO_HOST_RING if end.role is Role.HOST else TO_DEVICE_RING)
    whole = [raw for raw in data.split(b"\0")[:-1] if raw]
    assert end.dropped <= 5 * len(whole) + 5, (end.dropped, len(whole))


def _frame(data: bytes) -> None:
    parse_frame(data)


def _sealed_frame(data: bytes) -> None:
    """Any body with a right CRC; a frame comes out as it went in, but for unknown fields."""
    whole = encode_frame(data)[:-1]
    frame = parse_frame(whole)
    assert parse_frame(frame.encode()[:-1]) == frame
    assert isinstance(frame, HelloReply) or frame.encode()[:-1] == whole, frame
    assert decode_frame(whole) == data


def _messages(data: bytes) -> None:
    """A stream of messages, each body read as any that has its size."""
    held = bytearray(data)
    while (found := take_message(held)) is not None:
        body = found[1]
        for kind in (Done, Counters, Generate):
            if kind is Generate and len(body) != 15:
                continue  # a device looks at the length before
            with contextlib.suppress(GlintError):
                assert kind.decode(body).encode() == body


def _device(data: bytes) -> None:
    """A stream of commands to ``ref:``, which answers, and then another HELLO."""
    device = SoftwareDevice(model=_model(), load=_load, sampler=Sampler(), info=CONFIG.hello())
    now = 0.0
    host = Endpoint(Role.HOST)
    host.start_session(SESSION, now)
    for _ in range(40):
        now += 0.01
        device.feed(host.poll(now), now)
        host.feed(device.poll(now, steps=2), now)
        host.read()
        data = data[host.write(data) :]
    host.start_session(SESSION + 1, now)
    device.feed(host.poll(now), now)
    host.feed(device.poll(now), now)
    assert host.open, "the device does not answer a HELLO"


@cache
def _model():
    return _load(image_of(None).data)


def _load(data: bytes):
    return reference_model(data, CONFIG)


class _ScriptedDevice(ByteLine):
    """A line to a device that sends ``script`` after the host's first message."""

    name = "scripted"

    def __init__(self, script: bytes, info: HelloInfo):
        self._script = script
        self._now = 0.0
        self._asked = False
        self._end = Endpoint(Role.DEVICE, info=lambda: info)

    def clock(self) -> float:
        return self._now

    def write(self, data: bytes) -> None:
        self._end.feed(data, self._now)
        self._asked |= bool(self._end.read())

    def read(self, size: int, timeout: float) -> bytes:
        if self._asked:
            self._script = self._script[self._end.write(self._script) :]
        data = self._end.poll(self._now)
        self._now += 0.0 if data else 0.3  # it is never long until the host loses patience
        return data

    def set_baud(self, baud: int) -> bool:
        return True


def _scripted(ask: Callable[[Client], object]) -> Target:
    """A target whose bytes are what a device answers."""

    def go(data: bytes) -> object:
        client = Client(Link(opener=lambda: _ScriptedDevice(data, _valid_info())))
        client.connect()
        return ask(client)

    return go


@cache
def _valid_info() -> HelloInfo:
    """The hello of the scripted device."""
    header = image_of(None).header
    return replace(CONFIG.hello(), flags=HelloFlag.MODEL, image_header=header)


def _greeting(data: bytes) -> object:
    """The bytes of a hello behind its nonce."""
    info = HelloInfo.decode(data)
    again = info.encode()
    fixed = 3, FIXED_BYTES  # the byte between is spare
    assert again[: fixed[0]] == data[: fixed[0]]
    assert again[fixed[0] + 1 : fixed[1]] == data[fixed[0] + 1 : fixed[1]]
    assert HelloInfo.decode(again) == info
    return Client(Link(opener=lambda: _ScriptedDevice(b"", info))).connect()


def _generated(client: Client) -> Iterator[int]:
    tokens = [token.id for token in client.generate(3, crcs=True)]
    assert len(tokens) <= 3
    yield from tokens


TARGETS: dict[str, Target] = {
    "image": Image.from_bytes,
    "sealed-image": lambda data: Image.from_bytes(with_valid_sums(data)),
    "checkpoint": _file("a.safetensors", read_checkpoint),
    "bitstream": _file("a.fs", _bitstream),
    "json": parse_object,
    "manifest": _file("manifest.json", read_manifest),
    "tuned-boards": _file("tuned.json", read_records),
    "floorplan": _file("floorplan.json", read_floorplan),
    "record": _file(
        f"export/{output_folder.RECORD}", lambda path: output_folder.check(path.parent)
    ),
    "text": _file("a.txt.xz", read_set),
    "rows": _file("a.jsonl", read_set),
    "frame": _frame,
    "sealed-frame": _sealed_frame,
    "line-of-a-host": _frames_of_a_host,
    "line-of-a-device": _frames_of_a_device,
    "hello": _greeting,
    "messages": _messages,
    "commands": _device,
    "answer": _scripted(lambda client: list(_generated(client))),
    "scores": _scripted(lambda client: client.score(b"to", logits=True)),
}
"""By name; tests/fuzz/corpus/ has a folder for each."""
