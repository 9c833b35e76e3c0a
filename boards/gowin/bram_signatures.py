# SPDX-License-Identifier: MIT
"""Signatures in place of memory contents, which stay apart from the logic that is synthesized.

A design is synthesized and routed once with *signatures* in place of its memory contents; the
words of a model go into the routed netlist afterward (`boards.gowin.bram_patch`), so new weights
need no new route.

A memory of ``width`` columns and ``depth`` words, rounded up to a multiple of 16, is cut into
pieces: 16 consecutive words of one column. Each piece gets a 16-bit code of its own, unique over
the whole design and never zero. Whatever the tools do (split by depth or width, reorder bits, pad,
duplicate for a second read port), a code found later identifies the piece.

Codes: piece ``k`` (from 1, in the order of the RTLIL) has ``k * 40503 mod 65536``, which is a
bijection. The chip has 868,000 memory bits, 54,300 pieces.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.errors import InputError

__all__ = [
    "CODES",
    "CODE_MULTIPLIER",
    "LOADABLE",
    "PIECE",
    "MemoryContents",
    "bits_of",
    "dump",
    "load",
    "pieces_of",
    "split",
]

LOADABLE = "glintfpga_loadable"
"""Attribute of a read-only `amaranth.lib.memory.Memory` whose words come from the image."""

PIECE = 16
CODE_MULTIPLIER = 40503
CODES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class MemoryContents:
    """The words of one memory: `bits` is uint8 of shape (depth, width), column 0 the lowest bit.

    `first` is the number of the memory's first piece.
    """

    name: str
    first: int
    bits: NDArray[np.uint8]

    @property
    def groups(self) -> int:
        """Pieces in one column."""
        return -(-self.bits.shape[0] // PIECE)

    @property
    def size(self) -> int:
        """Pieces in the whole memory."""
        return self.groups * self.bits.shape[1]

    def codes(self) -> NDArray[np.int64]:
        """Signature of each piece, shape (groups, width)."""
        number = self.first + np.arange(self.size, dtype=np.int64)
        return (number * CODE_MULTIPLIER % CODES).reshape(self.groups, -1)

    def values(self) -> NDArray[np.int64]:
        """Contents of each piece, shape (groups, width); words past the depth are 0."""
        depth, width = self.bits.shape
        padded = np.zeros((self.groups * PIECE, width), np.uint8)
        padded[:depth] = self.bits
        return pieces_of(padded)


def pieces_of(bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Bits (groups * 16, columns) -> 16-bit numbers (groups, columns), word 0 the lowest bit."""
    weights = 1 << np.arange(PIECE, dtype=np.int64)
    return np.einsum("gpw,p->gw", bits.reshape(-1, PIECE, bits.shape[1]).astype(np.int64), weights)


def bits_of(pieces: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Inverse of `pieces_of`."""
    shifts = np.arange(PIECE, dtype=np.int64)[:, None]
    return ((pieces[:, None, :] >> shifts) & 1).reshape(-1, pieces.shape[1]).astype(np.uint8)


def dump(contents: Mapping[str, MemoryContents]) -> str:
    """JSON text: name > first piece, width, words as hexadecimal numbers."""
    return json.dumps(
        {
            item.name: {
                "first": item.first,
                "width": item.bits.shape[1],
                "words": [f"{int(_digits(word), 2):x}" for word in item.bits],
            }
            for item in contents.values()
        },
        indent=0,
    )


def load(text: str) -> dict[str, MemoryContents]:
    """Inverse of `dump`."""
    contents = {}
    for name, item in json.loads(text).items():
        rows = [f"{int(word, 16):0{item['width']}b}"[::-1] for word in item["words"]]
        flat = np.frombuffer("".join(rows).encode(), np.uint8) - np.uint8(ord("0"))
        bits = flat.reshape(len(rows), item["width"])
        contents[name] = MemoryContents(name=name, first=item["first"], bits=bits)
    return contents


def split(rtlil: str) -> tuple[str, dict[str, MemoryContents]]:
    """Take the loadable memory contents out of ``rtlil`` and put signatures there.

    Loadable is every memory with a write port, and every one that carries `LOADABLE`. Returns
    the RTLIL of the logic alone, the same for all contents, and the contents by ``module.memory``.
    Raises ``InputError`` when there are more pieces than codes.
    """
    lines = rtlil.split("\n")
    declared, loadable, initial = _scan(lines)
    contents: dict[str, MemoryContents] = {}
    first = 1
    for name, (start, end) in initial.items():
        if name not in loadable:
            continue
        where = next(n for n in range(start, end) if lines[n].startswith("    connect \\DATA "))
        width = int(_parameter(lines, start, end, "WIDTH")[1])
        item = MemoryContents(name=name, first=first, bits=_bits(lines[where]).reshape(-1, width))
        contents[name] = item
        first += item.size
        depth = item.groups * PIECE
        signature = bits_of(item.codes()).reshape(-1)
        lines[where] = f"    connect \\DATA {signature.size}'{_digits(signature)}"
        lines[_parameter(lines, start, end, "WORDS")[0]] = f"    parameter \\WORDS {depth}"
        at = declared[name]
        lines[at] = re.sub(r" size \d+ ", f" size {depth} ", lines[at])
    if first > CODES:
        raise InputError(
            f"the memories hold {first - 1} pieces of 16 bits, only {CODES - 1} can be told "
            "apart: make the banks smaller"
        )
    return "\n".join(lines), contents


def _scan(lines: list[str]) -> tuple[dict[str, int], set[str], dict[str, tuple[int, int]]]:
    """Lines that declare a memory, names of loadable ones, line ranges of their initial words."""
    declared: dict[str, int] = {}
    loadable: set[str] = set()
    initial: dict[str, tuple[int, int]] = {}
    module = attributes = ""
    for at, line in enumerate(lines):
        if line.startswith("  attribute "):
            attributes += line
            continue
        if line.startswith("module "):
            module = line.split("\\", 1)[1]
        elif line.startswith("  memory "):
            name = f"{module}.{line.rsplit(chr(92), 1)[1]}"
            declared[name] = at
            if f"\\{LOADABLE} " in attributes:
                loadable.add(name)
        elif line.startswith(("  cell $memwr_v2 ", "  cell $meminit_v2 ")):
            end = lines.index("  end", at)
            memid: str = json.loads(_parameter(lines, at, end, "MEMID")[1])
            name = f"{module}.{memid.removeprefix(chr(92))}"
            if "meminit" in line:
                initial[name] = (at, end)
            else:
                loadable.add(name)
        attributes = ""
    return declared, loadable, initial


def _parameter(lines: list[str], start: int, end: int, name: str) -> tuple[int, str]:
    prefix = f"    parameter \\{name} "
    at = next(n for n in range(start, end) if lines[n].startswith(prefix))
    return at, lines[at].removeprefix(prefix)


def _bits(connect: str) -> NDArray[np.uint8]:
    digits = connect.rsplit("'", 1)[1]
    return np.frombuffer(digits.encode(), np.uint8)[::-1] - np.uint8(ord("0"))


def _digits(bits: NDArray[np.uint8]) -> str:
    return (bits[::-1] + np.uint8(ord("0"))).tobytes().decode()
