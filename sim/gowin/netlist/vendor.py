# SPDX-License-Identifier: MIT
"""The vendor's models of its primitives, from the user's copy of its simulation library.

The library is ``IDE/simlib/gw2a/prim_sim.v`` of the vendor's IDE. It may not be copied, so the
user names the file. Only the needed modules are extracted, and a module with a system task or
a compiler directive is refused: no file can make the simulator read or write other files.
"""

import re
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.netlist.netlist import Netlist

__all__ = ["VARIABLE", "vendor_models", "vendor_modules"]

VARIABLE = "GLINTFPGA_PRIM_SIM"
"""Environment variable with the path of the library."""

_WRAPPED = ("GSR", "MULT9X9", "MULT18X18", "RAM16SDP4", "SPX9", "SDPX9B", "DPX9B")
_WIDTHS = (0, 9, 18, 36)
_MOST_BYTES = 8 << 20
"""A library of 149 modules has half a megabyte."""
_COMMENT = re.compile(r"//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_ACTS = re.compile(r"[$`]\s*\w+")
_HEADER = re.compile(r"^[ \t]*(module|primitive)[ \t]+(\w+)", re.MULTILINE)
_WORD = re.compile(r"\w+")
_WANTED = "name the vendor's simlib/gw2a/prim_sim.v"
_ROW_BITS = 288


def vendor_models(library: Path, netlist: Netlist) -> str:
    """Verilog of the modules that `glintfpga.sim.gowin.netlist.verilog` names, around the vendor's.

    Raises ``InputError`` for a file that is not the library, and for a block RAM whose width has
    no wrapper.
    """
    for cell in netlist.cells:
        widths = {cell.parameters[f"WIDTH_{side}"] for side in "AB" if cell.kind == "BSRAM"}
        if not widths <= set(_WIDTHS):
            raise InputError(
                f"block RAM {cell.name!r} is {max(widths)} columns wide; with the vendor's "
                "library only those of 9, 18 and 36 columns can be simulated"
            )
    rows = ", ".join(
        f".INIT_RAM_{row:02X}(INIT[{_ROW_BITS * row} +: {_ROW_BITS}])" for row in range(64)
    )
    wrappers = resources.files("glintfpga.sim.gowin.netlist").joinpath("vendor_models.v")
    return (
        vendor_modules(library, _WRAPPED)
        + f"`define INIT_ROWS {rows}\n"
        + wrappers.read_text("utf-8")
    )


def vendor_modules(library: Path, names: Iterable[str]) -> str:
    """Verilog of modules of the library, and of those that they instantiate, without comments.

    Raises ``InputError`` for a file that cannot be read or lacks one of them, and for a module
    with a system task or directive.
    """
    text = _text(library)
    headers = {found[2]: found for found in _HEADER.finditer(text)}
    parts: dict[str, str] = {}
    waiting = list(names)
    known = set(waiting)
    for name in waiting:
        header = headers.get(name)
        end = text.find(f"end{header[1]}", header.end()) if header else -1
        if header is None or end < 0:
            raise InputError(f"{str(library)!r} has no module {name!r}: {_WANTED}")
        part = f"{text[header.start() : end]}end{header[1]}"
        if call := _ACTS.search(part):
            raise InputError(
                f"module {name!r} of {str(library)!r} calls {call[0]!r}, as none does: {_WANTED}"
            )
        parts[name] = part
        more = sorted(headers.keys() & set(_WORD.findall(part)) - known)
        known.update(more)
        waiting += more
    return "\n".join(["`timescale 1ns / 10ps", *parts.values(), ""])


def _text(library: Path) -> str:
    """The library without its comments."""
    try:
        if library.exists() and not library.is_file():
            raise InputError(f"{str(library)!r} is no file: {_WANTED}")
        if library.stat().st_size > _MOST_BYTES:
            raise InputError(f"{str(library)!r} is too large for a library: {_WANTED}")
        return _COMMENT.sub(" ", library.read_text("latin-1"))
    except OSError as error:
        raise InputError(f"cannot read {str(library)!r}: {error.strerror}; {_WANTED}") from None
