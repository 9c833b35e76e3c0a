# SPDX-License-Identifier: MIT
"""The signals at the pins of a netlist before and after routing.

Router and synthesis number and name nets differently, so a signal is identified by its driver.
Cells that the router inserts are skipped:

    _passthrough_lut$   in front of a register whose slice has no LUT of its own
    _BUFG               entry into the clock tree
    _HEAD_ALULC         carry-in of a chain, from a signal or a constant
    _TAIL_ALULC         carry-out of a chain to a signal

Not compared: the byte enables of block RAMs with one port of 32 or 36 columns, which the router
shares out between the two ports of the chip.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from glintfpga.boards.gowin.bram_patch import Netlist, cells_of
from glintfpga.boards.gowin.lut4 import THROUGH
from glintfpga.quant.errors import InputError

__all__ = ["CONSTANTS", "compare_pins"]

Cell = Mapping[str, Any]
Signal = tuple[str, str, int] | str | None
"""Cell, port and number in the port of what drives it; "0" or "1"; None for nothing."""

CONSTANTS = {"GND": "0", "VCC": "1", "GOWIN_GND": "0", "GOWIN_VCC": "1"}
"""Types of the cells that drive constants."""

_BETWEEN = {
    THROUGH: ("F", "I3"),
    "_BUFG": ("O", "I"),
    "_HEAD_ALULC": ("COUT", "I0"),
    "_TAIL_ALULC": ("SUM", "CIN"),
}
"""End of the name of a cell in between -> its output, and the input that it passes on."""
_HEADS = {"C2L": "0", "ONE2C": "1"}
_TOP = ""
"""As a cell: the ports of the chip, whose inputs drive."""
_PORTS = "ports of the chip"
_BLOCK_RAMS = frozenset(
    ("SP", "SPX9", "SDPB", "SDPX9B", "DPB", "DPX9B", "pROM", "pROMX9", "SDP", "SDPX9", "DP", "DPX9")
)
_OPPOSITE = {"input": "output", "output": "input"}


def compare_pins(synthesized: Netlist, routed: Netlist, cells: Iterable[str]) -> int:
    """Compare every input pin of the synthesized cells of these names; returns how many.

    Each cell is in the routed netlist too. Raises ``InputError`` that names a pin with another
    signal, or a LUT with another table.
    """
    before = {**cells_of(synthesized), _TOP: _ports(synthesized)}
    source = _Sources({**cells_of(routed), _TOP: _ports(routed)}, set(before))
    wanted = dict(_expected(before))
    compared = 0
    for name in (*cells, _TOP):
        cell = before[name]
        constant: dict[str, str] = {}
        for port, at, bit in _pins(cell, "input"):
            compared += 1
            if _is_rearranged(cell, port, at):
                continue
            if _follows_enable(cell, port):
                bit = cell["connections"][port.removeprefix("O")][0]
            want = wanted.get(bit) if isinstance(bit, int) else bit
            found = source.of(name, _routed_name(cell, port, at))
            if want in ("x", "z", found) or (found is None and _may_lack(source.cells[name], port)):
                continue
            if found is None and want in ("0", "1") and _has_table(source.cells[name]):
                constant[port] = str(want)
                continue
            raise InputError(
                f"the router changed pin {port}[{at}] of cell {name!r}, a {cell['type']}, from "
                f"{_describe(want)} to {_describe(found)}: install the pinned release"
            )
        if cell["type"].startswith("LUT"):
            _compare_tables(name, cell, source.cells[name], constant)
    return compared


def _ports(netlist: Netlist) -> Cell:
    ports = netlist["modules"]["top"]["ports"]
    return {
        "type": _PORTS,
        "parameters": {},
        "connections": {name: port["bits"] for name, port in ports.items()},
        "port_directions": {
            name: _OPPOSITE.get(port["direction"], "inout") for name, port in ports.items()
        },
    }


def _pins(cell: Cell, direction: str) -> Iterator[tuple[str, int, int | str]]:
    for port, bits in cell["connections"].items():
        if cell["port_directions"][port] == direction:
            yield from ((port, at, bit) for at, bit in enumerate(bits))


def _expected(before: Mapping[str, Cell]) -> Iterator[tuple[int, Signal]]:
    """Nets of the synthesized netlist and what must drive them in the routed one."""
    for name, cell in before.items():
        for port, at, bit in _pins(cell, "output"):
            if isinstance(bit, int):
                constant = CONSTANTS.get(cell["type"])
                yield bit, constant or (name, *_routed_name(cell, port, at))


class _Sources:
    """What drives the pins of a routed netlist."""

    def __init__(self, cells: Mapping[str, Cell], known: set[str]):
        self.cells = cells
        self._known = known
        self._driver = {
            bit: (name, port, at)
            for name, cell in cells.items()
            for port, at, bit in _pins(cell, "output")
        }

    def of(self, name: str, pin: tuple[str, int]) -> Signal:
        """The signal at a pin."""
        bits = self.cells[name]["connections"].get(pin[0], ())
        return self._beyond(bits[pin[1]]) if pin[1] < len(bits) else None

    def _beyond(self, bit: int) -> Signal:
        driver = self._driver.get(bit)
        if driver is None:
            return None
        name, port, _ = driver
        cell = self.cells[name]
        if cell["type"] in CONSTANTS:
            return CONSTANTS[cell["type"]]
        way = next((way for end, way in _BETWEEN.items() if name.endswith(end)), None)
        if way is None or name in self._known or port != way[0]:
            return driver
        if inside := cell["connections"].get(way[1]):
            return self._beyond(inside[0])
        if cell["type"] == "ALU":
            return _HEADS.get(cell["parameters"].get("ALU_MODE", "").strip())
        return {0: "0", 0xFFFF: "1"}.get(_table(cell))


def _routed_name(cell: Cell, port: str, at: int) -> tuple[str, int]:
    """Port and number by which the router writes a pin of a synthesized cell."""
    kind, parameters = cell["type"], cell["parameters"]
    several = len(cell["connections"][port]) > 1
    if kind == _PORTS or kind.startswith("RAM16"):
        return port, at
    if kind in _BLOCK_RAMS:
        full = 36 if "X9" in kind else 32
        width = int(parameters.get("BIT_WIDTH_1") or parameters.get("BIT_WIDTH", f"{full:b}"), 2)
        if port[:2] in ("DI", "DO"):
            if width in (16, 32):
                at += at // 8  # the ninth bits are left out
            if port == "DO" and width < 32 and not kind.startswith("SP"):
                at = (at + 18) % 36  # read by the second port of the chip
        elif kind.startswith("pROM"):
            port += "B"
    return (f"{port}{at}", 0) if several else (port, at)


def _is_rearranged(cell: Cell, port: str, at: int) -> bool:
    """The byte enables that are not compared."""
    wide = int(cell["parameters"].get("BIT_WIDTH", "0"), 2) >= 32
    return cell["type"] in ("SP", "SPX9") and wide and port == "AD" and at < 5


def _follows_enable(cell: Cell, port: str) -> bool:
    """Whether the router connects the enable of an output register, which is not used, like that
    of the port: of block RAMs with two ports of at most 9 columns."""
    width = {"OCEA": "BIT_WIDTH_0", "OCEB": "BIT_WIDTH_1"}.get(port)
    return cell["type"] in ("DPB", "DPX9B") and 1 <= int(cell["parameters"].get(width, "0"), 2) <= 9


def _may_lack(cell: Cell, port: str) -> bool:
    """Whether a routed cell may have nothing at a pin: chains between multipliers that are not
    chained, and the clock of a PLL that comes straight from its pad."""
    if cell["type"].startswith("MULT"):
        return port in ("SIA", "SIB")
    return port == "CLKIN" and cell["parameters"].get("INSEL", "").strip() == "CLKIN0"


def _has_table(cell: Cell) -> bool:
    """Whether the router puts constant inputs into the cell's table."""
    return cell["type"].startswith("LUT") or "RAW_ALU_LUT" in cell["parameters"]


def _table(cell: Cell) -> int:
    return int(cell["parameters"]["INIT"].strip().replace("x", "0"), 2) & 0xFFFF


def _compare_tables(name: str, cell: Cell, placed: Cell, constant: Mapping[str, str]) -> None:
    """The tables of a LUT are equal wherever its constant inputs are what they are."""
    for row in range(1 << int(cell["type"][3:])):
        reached = all(str(row >> int(port[1:]) & 1) == value for port, value in constant.items())
        if reached and (_table(cell) ^ _table(placed)) >> row & 1:
            raise InputError(
                f"the router changed the table of cell {name!r} from {_table(cell):#x} to "
                f"{_table(placed):#x}: install the pinned release"
            )


def _describe(signal: Signal) -> str:
    if isinstance(signal, tuple):
        cell, port, at = signal
        return f"{port}[{at}] of {cell!r}" if cell else f"the port {port}[{at}]"
    return {None: "nothing", "0": "constant 0", "1": "constant 1"}[signal]
