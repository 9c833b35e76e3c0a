# SPDX-License-Identifier: MIT
"""Whether a .fs file is a whole bitstream of a board's chip, before any of it is written.

A .fs file is text: comments (``//``), then a line of binary digits per command (here in bytes):

    FF 20 times, FF FF, A5 C3             before the first command
    06 00 00 00 id, 4 bytes               what chip it is for
    10 00 00 00 00 AE 00 00               configuration: not compressed; how fast it loads
    51 00 FF FF FF FF FF FF               keys of a compressed one: none
    0B 00 00 00                           the security bit
    D2 00 FF FF 00 00 00 00               address in the flash memory: none; no part of any CRC
    12 00 00 00                           begin at the first frame
    3B 80 n, 2 bytes                      n frames follow, each with a CRC
    n times a frame                       contents | CRC, 2 bytes | FF six times
    FF 18 times | CRC, 2 bytes
    0A 00 00 00 00 00 sum, 2 bytes        of all 16-bit numbers in the frames of tiles, mod 65,536
    FF 8 times, 08 00 00 00               done
    FF 8 times, FF FF

Numbers have their highest byte first, CRCs (CRC-16/ARC) their lowest. A CRC covers all bytes since
the previous one, the first all since A5 C3. What the fields mean is from apicula's
doc/commandstructure.md, the values are those that its packer writes for this chip. They do not
depend on the design, but for n, CRCs and sum, so every other value is refused.
"""

from collections.abc import Iterator, Sequence
from itertools import dropwhile, islice
from pathlib import Path

from glintfpga.boards.board import Board
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.bounded import read_head

__all__ = ["check_bitstream", "crc16", "footer", "header", "read_frames", "text_of"]

MAX_BYTES = 16 << 20
"""Of text; one of a whole chip has 7.3 MB."""
_START = b"\xa5\xc3"
_CHIP, _FRAMES, _ADDRESS = 0x06, 0x3B, 0xD2
_FILL = b"\xff" * 6
_FRAME_END = 2 + len(_FILL)
_AGAIN = "build it again, or fetch it again"


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


def header(board: Board, frames: int) -> list[bytes]:
    """The lines before the frames."""
    return [
        b"\xff" * 20,
        b"\xff\xff",
        _START,
        bytes([_CHIP, 0, 0, 0]) + board.idcode.to_bytes(4, "big"),
        bytes.fromhex("10 00 00 00 00 AE 00 00"),
        bytes.fromhex("51 00 FF FF FF FF FF FF"),
        bytes.fromhex("0B 00 00 00"),
        bytes([_ADDRESS]) + bytes.fromhex("00 FF FF 00 00 00 00"),
        bytes.fromhex("12 00 00 00"),
        bytes([_FRAMES, 0x80]) + frames.to_bytes(2, "big"),
    ]


def footer(tiles: Sequence[bytes]) -> list[bytes]:
    """The lines behind the frames; ``tiles`` are the contents of those of the tiles.

    The packer's sum leaves out the contents of block RAMs.
    """
    last = b"\xff" * 18
    data = b"".join(tiles)
    total = 256 * sum(data[::2]) + sum(data[1::2])
    return [
        last + crc16(_FILL + last).to_bytes(2, "little"),
        bytes.fromhex("0A 00 00 00 00 00") + (total & 0xFFFF).to_bytes(2, "big"),
        b"\xff" * 8,
        bytes.fromhex("08 00 00 00"),
        b"\xff" * 8,
        b"\xff\xff",
    ]


def check_bitstream(path: Path, *, board: Board) -> None:
    """Raise ``InputError`` unless ``path`` is a whole bitstream of the board's chip.

    Every field of header and footer, the number and size of the frames, all CRCs and the sum must
    be right. The chip rejects a damaged one too, but then the flash memory is already written and
    the board does not start any more.
    """
    read_frames(path, board=board)


def read_frames(path: Path, *, board: Board) -> list[bytes]:
    """The contents of the frames of a bitstream; errors as of `check_bitstream`."""
    text = read_head(path, MAX_BYTES + 1)
    lines = _lines(text) if len(text) <= MAX_BYTES else iter(())
    first = list(islice(lines, len(header(board, 0))))
    if _START not in first:
        raise InputError(f"{str(path)!r} is not a bitstream: give a .fs file, or build one")
    try:
        count = _announced(first, board)
        frames = list(_frames(lines, count, _covered(first), board.frame_bytes))
        _check_footer(list(lines), footer(frames[: board.tile_frames]))
    except InputError as error:
        raise InputError(f"the bitstream {str(path)!r} {error}") from None
    return frames


def text_of(frames: Sequence[bytes], *, board: Board) -> bytes:
    """The bitstream with these frames, as text; the inverse of `read_frames`, without comments."""
    lines = header(board, len(frames))
    covered = _covered(lines)
    for contents in frames:
        lines.append(contents + crc16(covered + contents).to_bytes(2, "little") + _FILL)
        covered = _FILL
    lines += footer(frames[: board.tile_frames])
    return b"".join(f"{int.from_bytes(line):0{8 * len(line)}b}\n".encode() for line in lines)


def _lines(text: bytes) -> Iterator[bytes | None]:
    """The commands after the comments; None for a line that is no command, which ends them.

    A comment further on is not a command: how other readers treat it is unknown.
    """
    lines = text.splitlines()
    for line in dropwhile(lambda line: line.startswith(b"//") or not line, lines):
        if not line or len(line) % 8 or line.translate(None, b"01"):
            yield None
            return
        yield int(line, 2).to_bytes(len(line) // 8, "big")


def _announced(lines: Sequence[bytes | None], board: Board) -> int:
    """The number of frames that a header announces; ``InputError`` for any other header."""
    whole = (board.tile_frames, board.tile_frames + board.contents_frames)
    for line, right in zip(lines, header(board, 0)):
        if line is None:
            break
        if right[0] == _FRAMES and len(line) == len(right) and line[:2] == right[:2]:
            count = int.from_bytes(line[2:], "big")
            if count in whole:
                return count
            raise InputError(
                f"has {count} frames, one for {board.name} has {whole[0]} or {whole[1]}: {_AGAIN}"
            )
        if right[0] == _CHIP and len(line) == len(right) and line[4:] != right[4:]:
            chip = int.from_bytes(line[4:], "big")
            raise InputError(
                f"is for chip {chip:#010x}, not for {board.idcode:#010x} of {board.name}"
            )
        if line != right:
            raise InputError(
                f"has {_hex(line)} in its header, one for {board.name} has {_hex(right)}: {_AGAIN}"
            )
    raise InputError(f"is cut off or damaged before its first frame: {_AGAIN}")


def _covered(lines: Sequence[bytes | None]) -> bytes:
    """The bytes of a header that the first CRC covers."""
    commands = lines[lines.index(_START) + 1 :]
    return b"".join(line for line in commands if line and line[0] != _ADDRESS)


def _frames(
    lines: Iterator[bytes | None], count: int, covered: bytes, size: int
) -> Iterator[bytes]:
    """The contents of the frames, of ``size`` bytes each."""
    for number in range(count):
        frame = next(lines, None)
        if frame is None or len(frame) != size + _FRAME_END:
            raise InputError(f"is cut off or damaged in frame {number} of {count}: {_AGAIN}")
        contents, end = frame[:-_FRAME_END], frame[-_FRAME_END:]
        if end != crc16(covered + contents).to_bytes(2, "little") + _FILL:
            raise InputError(f"is damaged in frame {number} of {count} (CRC): {_AGAIN}")
        covered = _FILL
        yield contents


def _check_footer(lines: Sequence[bytes | None], right: Sequence[bytes]) -> None:
    for line, wanted in zip(lines, right):
        if line is not None and line != wanted:
            raise InputError(
                f"has {_hex(line)} behind its frames, where {_hex(wanted)} belongs: {_AGAIN}"
            )
    if None in lines or len(lines) > len(right):
        raise InputError(f"is damaged behind its frames: {_AGAIN}")
    if len(lines) < len(right):
        raise InputError(f"is cut off behind its frames: {_AGAIN}")


def _hex(line: bytes) -> str:
    """A line in messages; the middle of a long one, most often FF, is left out."""
    text = line.hex().upper()
    return text if len(text) <= 24 else f"{text[:8]}...{text[-8:]}"
