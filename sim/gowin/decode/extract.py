# SPDX-License-Identifier: MIT
"""From tiles and routing to a `Netlist`: the cells that the outputs depend on, and no others.

The walk begins at the output pads and goes back. That matters: every LUT, flip-flop and input of
the chip exists in every bitstream, and unused inputs have default connections that mean nothing.
An input of a LUT that its table does not depend on, with the constants at the other inputs, is
left at `LOW`.

Slices, from the packer and the vendor's drawings: a wide mux takes I0 from the LUT or mux with the
lower inputs; a carry cell's SUM is ``LUT[D,C,B,A] ^ CIN``; a flip-flop's D is its LUT's output.
"""

import re
from collections.abc import Mapping

from glintfpga.boards.gowin.wires import Wire
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.chip import Chip
from glintfpga.sim.gowin.decode.hard_cells import HardBlocks
from glintfpga.sim.gowin.decode.pads import BANK, INPUT, OUTPUT, UNUSED
from glintfpga.sim.gowin.decode.routing import Router
from glintfpga.sim.gowin.decode.tiles import Tile, place
from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH, LOW, Cell, Netlist

__all__ = ["Extractor"]

_PINS = "ABCD"
_FIRST = 3
_LOGIC = re.compile(r"(F|OF|Q|COUT)(\d)")
# Wide muxes: inputs 0 and 1, as (columns to the right, output).
_WIDE = {
    0: ((0, "F0"), (0, "F1")),
    2: ((0, "F2"), (0, "F3")),
    4: ((0, "F4"), (0, "F5")),
    6: ((0, "F6"), (0, "F7")),
    1: ((0, "OF2"), (0, "OF0")),
    5: ((0, "OF6"), (0, "OF4")),
    3: ((0, "OF5"), (0, "OF1")),
    7: ((1, "OF3"), (0, "OF3")),
}
_LAST_ALU = 5
_LAST_FLIP_FLOP = 5
_RAM_WRITE_PORT = (4, 5)
_HIGH_HALVES = tuple(sum(1 << at for at in range(16) if at >> pin & 1) for pin in range(4))


def cofactor(table: int, pin: int, value: int) -> int:
    """The table of 16 bits with one input fixed, as a table that does not depend on it."""
    mask = _HIGH_HALVES[pin]
    half = table & mask if value else table & ~mask & 0xFFFF
    return half | (half >> (1 << pin) if value else half << (1 << pin))


class Extractor:
    """One walk over a bitstream; `netlist()` does it."""

    def __init__(self, chip: Chip, tiles: Mapping[tuple[int, int], Tile], router: Router):
        self.chip = chip
        self.tiles = tiles
        self.router = router
        self.nets: dict[Wire, int] = {}
        self.cells: dict[str, Cell] = {}
        self.inputs: dict[str, tuple[int, ...]] = {}
        self.used_pads: set[tuple[int, int, str]] = set()
        """Row, column and letter."""
        self._pending: list[Wire] = []
        self._carries: dict[tuple[int, int, int], dict[str, int]] = {}
        self.blocks = HardBlocks(self)

    def netlist(self, contents: Mapping[tuple[int, int], int]) -> Netlist:
        """The circuit; `contents` are the words of block RAMs by the tile they begin in."""
        self._check_global_reset()
        outputs = {name: (self.input(*pin),) for name, pin in self._output_pads()}
        while self._pending:
            self._emit(self._pending.pop())
        self._emit_carries()
        self.blocks.finish(contents)
        wires = {
            f"{place(row, column)}/{wire}": (net,) for (row, column, wire), net in self.nets.items()
        }
        return Netlist(tuple(self.cells.values()), self.inputs, outputs, wires)

    def bels_by_tile(self) -> dict[tuple[int, int], set[str]]:
        """The cells of the circuit by row and column of their tile: LUT0, DFF3, RAM16."""
        bels: dict[tuple[int, int], set[str]] = {}
        for name in self.cells:
            where, _, bel = name.partition("_")
            column, row = (int(number) for number in where[1:].split("Y"))
            bels.setdefault((row, column), set()).add(bel)
        return bels

    def net(self, wire: Wire | int) -> int:
        """The net of an output, whose cell is wanted from now on."""
        if isinstance(wire, int):
            return wire
        if wire not in self.nets:
            self.nets[wire] = len(self.nets) + _FIRST
            self._pending.append(wire)
        return self.nets[wire]

    def input(self, row: int, column: int, name: str) -> int:
        """The net at the input of a cell."""
        return self.net(self.router.source(row, column, name))

    def constant(self, row: int, column: int, name: str) -> int | None:
        """`LOW` or `HIGH`, None for an input that is neither."""
        source = self.router.source(row, column, name)
        return source if isinstance(source, int) else None

    def _check_global_reset(self) -> None:
        row, column, bel = self.chip.global_reset
        if self.constant(row, column, self.chip.bels(row, column)[bel].portmap["GSRI"]) != HIGH:
            raise InputError(
                f"tile {place(row, column)} of the bitstream: the global reset is not off (tied to "
                "high): not supported"
            )

    def _output_pads(self) -> list[tuple[str, Wire]]:
        found = []
        for (row, column), tile in self.tiles.items():
            for name, use in tile.pads.items():
                if use in (UNUSED, BANK):
                    continue
                where = f"pad {name} of tile {place(row, column)} of the bitstream"
                port = self.chip.pad_names.get((row, column, name[-1]))
                if port is None:
                    board = self.chip.board.name
                    raise InputError(f"{where} is in use, but {board} has no such pin")
                portmap = self.chip.bels(row, column)[name].portmap
                if use == OUTPUT:
                    if self.constant(row, column, portmap["OE"]) != LOW:
                        raise InputError(f"{where} is not always driven: not supported")
                    self.used_pads.add((row, column, name[-1]))
                    found.append((port, (row, column, portmap["I"])))
                elif use != INPUT:
                    raise InputError(f"{where} is used as {use}: not supported")
        return sorted(found)

    def _emit(self, wire: Wire) -> None:
        row, column, name = wire
        if self.blocks.emit(wire):
            return
        match = _LOGIC.fullmatch(name)
        tile = self.tiles[row, column]
        number = int(match[2]) if match else 0
        if match is None or not tile.tables or (match[1] == "Q" and number > _LAST_FLIP_FLOP):
            raise InputError(
                f"tile {place(row, column)} of the bitstream: nothing drives wire {name}; only "
                "bitstreams of this project's builds can be decoded"
            )
        if match[1] == "OF":
            self._emit_wide(row, column, number)
        elif match[1] == "Q":
            self._emit_flip_flop(row, column, number, tile)
        elif match[1] == "COUT":
            self._want_carry(row, column, number, tile)
        elif tile.is_ram and number < 4:
            self._emit_ram(row, column, tile)
        elif tile.is_ram and number in _RAM_WRITE_PORT:
            raise InputError(f"LUT {number} of RAM tile {place(row, column)} is used as logic")
        elif number <= _LAST_ALU and tile.is_alu(number):
            self._want_sum(row, column, number, tile)
        else:
            self._emit_lut(row, column, number, tile)

    def live_pins(self, row: int, column: int, lut: int, table: int) -> list[int]:
        """The nets at the four inputs of a LUT; `LOW` at those that do not count."""
        sources: list[Wire | int] = []
        for pin in range(4):
            source = self.router.source(row, column, f"{_PINS[pin]}{lut}")
            sources.append(source)
            if isinstance(source, int):
                table = cofactor(table, pin, source)
        nets = []
        for pin, source in enumerate(sources):
            if isinstance(source, int):
                nets.append(source)
            elif cofactor(table, pin, 0) == cofactor(table, pin, 1):
                nets.append(LOW)
            else:
                nets.append(self.net(source))
        return nets

    def _emit_lut(self, row: int, column: int, lut: int, tile: Tile) -> None:
        table = tile.tables[lut]
        nets = self.live_pins(row, column, lut, table)
        ports = {f"I{pin}": (net,) for pin, net in enumerate(nets)}
        ports["F"] = (self.nets[row, column, f"F{lut}"],)
        self._add("LUT4", row, column, f"LUT{lut}", ports, {"INIT": table})

    def _emit_wide(self, row: int, column: int, number: int) -> None:
        (right0, first), (right1, second) = _WIDE[number]
        ports = {
            "I0": (self.net((row, column + right0, first)),),
            "I1": (self.net((row, column + right1, second)),),
            "S0": (self.input(row, column, f"SEL{number}"),),
            "O": (self.nets[row, column, f"OF{number}"],),
        }
        self._add("MUX2", row, column, f"MUX{number}", ports, {})

    def _emit_flip_flop(self, row: int, column: int, number: int, tile: Tile) -> None:
        settings = tile.slices[number // 2]
        group = number // 2
        if settings.inverted:
            raise InputError(f"a reset in tile {place(row, column)} is active low: not supported")
        clock = self.input(row, column, f"CLK{group}")
        if clock in (LOW, HIGH):
            raise InputError(f"flip-flop {number} of tile {place(row, column)} has no clock")
        ports = {
            "D": (self.net((row, column, f"F{number}")),),
            "CLK": (clock,),
            "CE": (self.input(row, column, f"CE{group}"),),
            "SR": (self.input(row, column, f"LSR{group}") if settings.set_reset else LOW,),
            "Q": (self.nets[row, column, f"Q{number}"],),
        }
        parameters = {
            "VALUE": settings.values[number % 2],
            "ASYNC": int(settings.asynchronous and settings.set_reset),
            "NEGEDGE": int(settings.negative_edge),
        }
        self._add("DFF", row, column, f"DFF{number}", ports, parameters)

    def _emit_ram(self, row: int, column: int, tile: Tile) -> None:
        if f"{place(row, column)}_RAM16" in self.cells:
            return
        if not (tile.slices[2].inverted and tile.slices[2].set_reset):
            raise InputError(f"the RAM of tile {place(row, column)} has no write enable")
        if any(tile.tables[lut] != 0xFFFF for lut in _RAM_WRITE_PORT):
            raise InputError(f"the RAM of tile {place(row, column)} has logic at its write port")
        # All four LUTs have the same address, each on its own pins.
        address = [self.router.source(row, column, f"{pin}0") for pin in _PINS]
        for lut in range(1, 4):
            if [self.router.source(row, column, f"{pin}{lut}") for pin in _PINS] != address:
                raise InputError(f"the RAM of tile {place(row, column)} has several addresses")
        ports = {
            "DI": tuple(self.input(row, column, f"{pin}5") for pin in _PINS),
            "WAD": tuple(self.input(row, column, f"{pin}4") for pin in _PINS),
            "RAD": tuple(self.net(each) for each in address),
            "WRE": (self.input(row, column, "LSR2"),),
            "CLK": (self.input(row, column, "CLK2"),),
            "DO": tuple(self.net((row, column, f"F{at}")) for at in range(4)),
        }
        parameters = {f"INIT_{at}": tile.tables[at] for at in range(4)}
        self._add("RAM16", row, column, "RAM16", ports, parameters)

    def _carry(self, row: int, column: int, lut: int, table: int) -> dict[str, int]:
        """The ports of a carry cell so far, after its table's inputs have been asked for."""
        ports = self._carries.setdefault((row, column, lut), {})
        for pin, net in zip(_PINS, self.live_pins(row, column, lut, table), strict=True):
            if ports.get(pin, LOW) == LOW:
                ports[pin] = net
        return ports

    def _want_sum(self, row: int, column: int, lut: int, tile: Tile) -> None:
        ports = self._carry(row, column, lut, tile.tables[lut])
        ports["SUM"] = self.nets[row, column, f"F{lut}"]
        ports["CIN"] = self._carry_in(row, column, lut)

    def _want_carry(self, row: int, column: int, lut: int, tile: Tile) -> None:
        table = tile.tables[lut]
        self._carry(row, column, lut, (table & 15) * 0x1111)
        ports = self._carry(row, column, lut, table)
        ports["COUT"] = self.nets[row, column, f"COUT{lut}"]
        for pin in range(4):
            source = self.constant(row, column, f"{_PINS[pin]}{lut}")
            if source is not None:
                table = cofactor(table, pin, source)
        if table:
            ports["CIN"] = self._carry_in(row, column, lut)

    def _carry_in(self, row: int, column: int, lut: int) -> int:
        """From the cell before, in the same row of tiles; it floats if that is no carry cell."""
        before = (row, column, lut - 1) if lut else (row, column - 1, _LAST_ALU)
        tile = self.tiles.get(before[:2])
        if tile is None or not tile.tables or tile.is_ram or not tile.is_alu(before[2]):
            return FLOATING
        return self.net((before[0], before[1], f"COUT{before[2]}"))

    def _emit_carries(self) -> None:
        for (row, column, lut), found in self._carries.items():
            ports = {"CIN": (LOW,)} | {port: (net,) for port, net in found.items()}
            for port, wire in (("SUM", f"F{lut}"), ("COUT", f"COUT{lut}")):
                if port not in found:
                    key = (row, column, wire)
                    self.nets.setdefault(key, len(self.nets) + _FIRST)
                    ports[port] = (self.nets[key],)
            table = self.tiles[row, column].tables[lut]
            self._add("ALU", row, column, f"ALU{lut}", ports, {"INIT": table})

    def _add(
        self,
        kind: str,
        row: int,
        column: int,
        bel: str,
        ports: Mapping[str, tuple[int, ...]],
        parameters: Mapping[str, int],
    ) -> None:
        name = f"{place(row, column)}_{bel}"
        self.cells[name] = Cell(kind, name, ports, parameters)

    def add_cell(self, cell: Cell) -> None:
        """Add the cell of a hard block."""
        self.cells[cell.name] = cell
