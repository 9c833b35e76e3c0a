# SPDX-License-Identifier: MIT
"""Whether a .fs file is a whole bitstream of a board's chip, before any of it is written.

A .fs file is text: comments (`//`), and for each command a line of binary digits (here in bytes):

    FF ... FF, FF FF, A5 C3     before the first command
    06 00 00 00 id, 4 bytes     what chip it is for
    D2 ...                      address in the flash memory; no part of any CRC
    3B flags n, 2 bytes         n frames follow; flags bit 7: with CRCs
    n times a frame             contents | CRC, 2 bytes | FF six times
    08 00 00 00                 done, among the lines that follow

Numbers have their highest byte first, CRCs (CRC-16/ARC) their lowest. A CRC is of all since the
one before, the first of all since A5 C3. (From the bitstreams of gowin_pack and its reader.)
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from glintfpga.boards.board import Board
from glintfpga.quant.errors import InputError

__all__ = ["check_bitstream", "crc16", "read_frames"]

MAX_BYTES = 16 << 20
"""Of text; one of a whole chip has 7.3 MB."""
_START = b"\xa5\xc3"
_CHIP, _FRAMES, _ADDRESS, _DONE = 0x06, 0x3B, 0xD2, 0x08
_CRC_FLAG = 0x80
_FILL = b"\xff" * 6
_FRAME_END = 2 + len(_FILL)


def _table() -> tuple[int, ...]:
    entries = list(range(256))
    for _ in range(8):
        entries = [entry >> 1 ^ (entry & 1) * 0xA001 for entry in entries]
    return tuple(entries)


_CRC_TABLE = _table()


def crc16(data: bytes) -> int:
    """CRC-16/ARC: polynomial 0x8005, reflected, from 0."""
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 255]
    return crc


def check_bitstream(path: Path, *, board: Board) -> None:
    """Raise InputError unless `path` is a whole bitstream of the board's chip.

    The chip notices a damaged one too, but then the flash memory is written already and the
    board does not start any more.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {str(path)!r}: {reason}") from None
    lines = _lines(text) if len(text) <= MAX_BYTES else iter(())
    if next((True for line in lines if line == _START), False) is False:
        raise InputError(f"{str(path)!r} is not a bitstream: give a .fs file, or build one")
    if fault := _fault(lines, board):
        raise InputError(f"the bitstream {str(path)!r} {fault}")


def read_frames(path: Path, *, board: Board) -> list[bytes]:
    """The contents of the frames of a bitstream, after `check_bitstream`."""
    check_bitstream(path, board=board)
    lines = _lines(path.read_bytes())
    command = next(line for line in lines if line and line[0] == _FRAMES and len(line) == 4)
    count = int.from_bytes(command[2:], "big")
    return [frame[:-_FRAME_END] for frame in islice(lines, count) if frame is not None]


def _lines(text: bytes) -> Iterator[bytes | None]:
    """The commands; None for a line that is none, after which nothing comes."""
    for line in text.splitlines():
        if line.startswith(b"//") or not line:
            continue
        if len(line) % 8 or line.translate(None, b"01"):
            yield None
            return
        yield int(line, 2).to_bytes(len(line) // 8, "big")


def _fault(lines: Iterator[bytes | None], board: Board) -> str | None:
    """What is wrong with the commands behind A5 C3, and what to do; None for nothing."""
    again = "build it again, or fetch it again"
    covered, chip = bytearray(), 0
    for line in lines:
        if line is None:
            break
        if line[0] == _CHIP and len(line) == 8:
            chip = int.from_bytes(line[4:], "big")
        if line[0] != _ADDRESS:
            covered += line
        if line[0] == _FRAMES and len(line) == 4:
            if chip != board.idcode:
                return f"is for chip {chip:#010x}, not for {board.idcode:#010x} of {board.name}"
            return _frames_fault(lines, bytes(covered), line, again)
    return f"is cut off before its first frame: {again}"


def _frames_fault(
    lines: Iterator[bytes | None], covered: bytes, command: bytes, again: str
) -> str | None:
    count = int.from_bytes(command[2:], "big")
    if count == 0:
        return f"has no frames: {again}"
    for number in range(count):
        frame = next(lines, None)
        if frame is None or len(frame) < _FRAME_END:
            return f"is cut off or damaged in frame {number} of {count}: {again}"
        if command[1] & _CRC_FLAG:
            contents, end = frame[:-_FRAME_END], frame[-_FRAME_END:]
            right = crc16(covered + contents).to_bytes(2, "little") + _FILL
            if end != right:
                return f"is damaged in frame {number} of {count} (CRC): {again}"
            covered = _FILL
    for line in lines:
        if line is None:
            return f"is damaged behind its frames: {again}"
        if line[0] == _DONE and len(line) == 4:
            return None
    return f"is cut off behind its frames: {again}"
