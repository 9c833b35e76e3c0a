# SPDX-License-Identifier: MIT
"""Loads of an image that go wrong or take a turn, each in a way of its own."""

from collections.abc import Callable

from glintfpga.firmware.wire.messages import generate, message
from glintfpga.firmware.wire.protocol import Op

__all__ = ["END", "LOAD_CASES", "begin", "load_case", "part"]


def begin(size: int) -> bytes:
    """The message that announces an image of ``size`` bytes."""
    return message(Op.LOAD, size.to_bytes(4, "little"))


def part(data: bytes) -> bytes:
    """The message that carries the next bytes of it."""
    return message(Op.LOAD_PART, data)


END = message(Op.LOAD_END)


def _whole(data: bytes) -> list[bytes]:
    """All of it in two parts, without the end."""
    return [begin(len(data)), part(data[:100]), part(data[100:])]


def _bytewise(data: bytes) -> list[bytes]:
    pieces = [data[at : at + 1] for at in range(20)]
    return [begin(len(data)), *map(part, [*pieces, data[20:]]), END]


def _changed(data: bytes, first: bytes, last: bytes) -> list[bytes]:
    return [begin(len(data)), part(first), part(last), END]


_CASES: dict[str, Callable[[bytes], list[bytes]]] = {
    "of no byte": lambda data: [begin(0), part(b""), part(b"x"), END],
    "of no byte, and an end": lambda data: [begin(0), END],
    "of a header": lambda data: [begin(96), part(data), END],
    "a byte short": lambda data: [begin(len(data) - 1), part(data), END],
    "a byte long": lambda data: [begin(len(data) + 1), part(data), END, END],
    "a byte long and more": lambda data: [
        begin(len(data) + 1),
        *_whole(data)[1:],
        part(b"0"),
        END,
    ],
    "more in the last part": lambda data: [*_whole(data)[:-1], part(data[100:] + b"x"), END, END],
    "more in a part behind": lambda data: [*_whole(data), part(b"x"), part(b""), END],
    "missing bytes": lambda data: [*_whole(data)[:-1], END, END, part(data[100:])],
    "no bytes": lambda data: [begin(len(data)), END],
    "an empty part": lambda data: [begin(len(data)), part(b""), *_whole(data)[1:], END],
    "byte by byte at first": _bytewise,
    "two ends": lambda data: [*_whole(data), END, END],
    "an end alone": lambda data: [END],
    "a part alone": lambda data: [part(data), END],
    "begun again": lambda data: [*_whole(data)[:-1], *_whole(data), END],
    "begun again when whole": lambda data: [*_whole(data), *_whole(data), END],
    "begun again and left": lambda data: [*_whole(data), begin(5), END],
    "size of three bytes": lambda data: [message(Op.LOAD, bytes(3)), *_whole(data)[1:], END],
    "a wrong size within": lambda data: [
        *_whole(data)[:-1],
        message(Op.LOAD, bytes(5)),
        part(data[100:]),
        END,
    ],
    "commands within": lambda data: [
        *_whole(data)[:-1],
        generate(3),
        message(Op.RESET),
        part(data[100:]),
        END,
    ],
    "a damaged end": lambda data: _changed(data, data[:100], data[100:-9] + bytes(9)),
    "a damaged header": lambda data: _changed(data, b"glnt" + data[4:100], data[100:]),
}

LOAD_CASES = tuple(_CASES)
"""Their names."""


def load_case(data: bytes, name: str) -> list[bytes]:
    """The messages of one, made of the bytes of an image that the device can hold."""
    return _CASES[name](data)
