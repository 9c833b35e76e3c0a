# SPDX-License-Identifier: MIT
"""Makes every LUT of a synthesized netlist a LUT4, the only kind that the router can time.

The router has delays for cells of type LUT4 only (nextpnr 0.11.1, ``create_timing_info``): it sees
no path through a LUT1, LUT2 or LUT3, so its report and its placer leave them out, although they
are half of the LUTs and the same hardware. And where the input of a register comes from
neither a LUT nor a carry cell, it puts a LUT in between when all is placed, too late to be given
delays. So both are done here, before it begins:

- a narrow LUT becomes LUT4. Its table is repeated, which makes the further inputs don't-cares,
  and these stay open;
- such a register gets its LUT, named as the router would name it.
"""

from collections.abc import Iterator
from typing import Any

from glintfpga.boards.gowin.bram_patch import Netlist, cells_of
from glintfpga.quant.errors import InputError

__all__ = ["THROUGH", "make_lut4"]

THROUGH = "_passthrough_lut$"
"""End of the names of LUTs that the router uses as wires."""

_INPUTS = 4
_NARROW = {f"LUT{inputs}": inputs for inputs in range(1, _INPUTS)}
_LOGIC = frozenset(("LUT4", "ALU"))
_PASS_I3 = "1" * 8 + "0" * 8


def make_lut4(netlist: Netlist) -> dict[str, int]:
    """Change ``netlist`` in place; returns the counts of LUTs widened and LUTs added to registers.

    Raises ``InputError`` for a LUT whose table does not fit its inputs.
    """
    cells = cells_of(netlist)
    narrow = {name: cell for name, cell in cells.items() if cell["type"] in _NARROW}
    for name, cell in narrow.items():
        _widen(name, cell)
    lone = dict(_lone_registers(cells))
    bits = (bit for net in netlist["modules"]["top"]["netnames"].values() for bit in net["bits"])
    first = 1 + max((bit for bit in bits if isinstance(bit, int)), default=1)
    for number, (name, cell) in enumerate(lone.items(), first):
        cells[name + THROUGH] = _through(cell["connections"]["D"], number)
        cell["connections"]["D"] = [number]
    return {"widened": len(narrow), "through": len(lone)}


def _widen(name: str, cell: dict[str, Any]) -> None:
    entries = 1 << _NARROW[cell["type"]]
    table = str(cell["parameters"].get("INIT", ""))
    if not table or set(table) - {"0", "1"} or int(table, 2) >> entries:
        raise InputError(
            f"the table {table!r} of {name!r} does not fit a {cell['type']}: synthesize again"
        )
    cell["parameters"]["INIT"] = f"{int(table, 2):0{entries}b}" * ((1 << _INPUTS) // entries)
    cell["type"] = f"LUT{_INPUTS}"


def _lone_registers(cells: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Registers whose input no LUT and no carry cell drives."""
    driven = {
        bits[0]
        for cell in cells.values()
        if cell["type"] in _LOGIC
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "output" and bits
    }
    for name, cell in cells.items():
        if cell["type"].startswith("DFF") and cell["connections"]["D"][0] not in driven:
            yield name, cell


def _through(data: list[Any], number: int) -> dict[str, Any]:
    """A LUT that passes I3, its fastest input, on."""
    return {
        "hide_name": 0,
        "type": "LUT4",
        "parameters": {"INIT": _PASS_I3},
        "attributes": {},
        "port_directions": {"I3": "input", "F": "output"},
        "connections": {"I3": data, "F": [number]},
    }
