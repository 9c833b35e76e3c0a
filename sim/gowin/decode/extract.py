# SPDX-License-Identifier: MIT
"""From tiles and routing to a `Netlist`: the fan-in cone of the output pads, nothing else.

The walk starts at the output pads and follows the inputs of each cell. Every LUT, flip-flop and
input of the chip exists in every bitstream, and unused inputs have default connections without a
meaning: only what the outputs depend on is the circuit. An input of a LUT that its table does not
depend on, given the constants at its other inputs, is connected to `LOW`.

Slices, after the packer and the vendor's drawings: I0 of a wide mux is the LUT or mux with the
lower inputs; SUM of a carry cell is ``LUT[D,C,B,A] ^ CIN``; D of a flip-flop is its LUT's output.
"""

import re
from collections.abc import Mapping

from glintfpga.boards.gowin.wires import Wire
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.chip import Chip
from glintfpga.sim.gowin.decode.circuit import Circuit
from glintfpga.sim.gowin.decode.hard_cells import HardBlocks
from glintfpga.sim.gowin.decode.pads import BANK, INPUT, OUTPUT, UNUSED
from glintfpga.sim.gowin.decode.routing import Router
from glintfpga.sim.gowin.decode.tiles import Tile, place
from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH, LOW, Cell, Netlist

__all__ = ["Extractor"]

_PINS = "ABCD"
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
    """The cofactor of a 16-bit table: one input fixed, as a table that does not depend on it."""
    mask = _HIGH_HALVES[pin]
    half = table & mask if value else table & ~mask & 0xFFFF
    return half | (half >> (1 << pin) if value else half << (1 << pin))


class Extractor:
    """The walk over one bitstream, done by `netlist`."""

    def __init__(self, chip: Chip, tiles: Mapping[tuple[int, int], Tile], router: Router):
        self.circuit = Circuit(chip, tiles, router)
        self.blocks = HardBlocks(self.circuit)
        self._carries: dict[tuple[int, int, int], dict[str, int]] = {}

    def netlist(self, contents: Mapping[tuple[int, int], int]) -> Netlist:
        """The circuit; `contents` are the words of block RAMs by their first tile."""
        circuit = self.circuit
        self._check_global_reset()
        outputs = {name: (circuit.input(*pin),) for name, pin in self._output_pads()}
        while (wire := circuit.next_output()) is not None:
            self._emit(wire)
        self._emit_carries()
        self.blocks.finish(contents)
        cells = tuple(circuit.cells.values())
        return Netlist(cells, circuit.inputs, outputs, circuit.named_nets())

    def _check_global_reset(self) -> None:
        row, column, bel = self.circuit.chip.global_reset
        if (
            self.circuit.constant(
                row, column, self.circuit.chip.bels(row, column)[bel].portmap["GSRI"]
            )
            != HIGH
        ):
            raise InputError(
                f"tile {place(row, column)} of the bitstream: the global reset is not off (tied to "
                "high): not supported"
            )

    def _output_pads(self) -> list[tuple[str, Wire]]:
        found = []
        for (row, column), tile in self.circuit.tiles.items():
            for name, use in tile.pads.items():
                if use in (UNUSED, BANK):
                    continue
                where = f"pad {name} of tile {place(row, column)} of the bitstream"
                port = self.circuit.chip.pad_names.get((row, column, name[-1]))
                if port is None:
                    board = self.circuit.chip.board.name
                    raise InputError(f"{where} is in use, but {board} has no such pin")
                portmap = self.circuit.chip.bels(row, column)[name].portmap
                if use == OUTPUT:
                    if self.circuit.constant(row, column, portmap["OE"]) != LOW:
                        raise InputError(f"{where} is not always driven: not supported")
                    self.circuit.used_pads.add((row, column, name[-1]))
                    found.append((port, (row, column, portmap["I"])))
                elif use != INPUT:
                    raise InputError(f"{where} is used as {use}: not supported")
        return sorted(found)

    def _emit(self, wire: Wire) -> None:
        row, column, name = wire
        if self.blocks.emit(wire):
            return
        match = _LOGIC.fullmatch(name)
        tile = self.circuit.tiles[row, column]
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
        """The nets at the four inputs of a LUT; `LOW` where its output does not depend on one."""
        sources: list[Wire | int] = []
        for pin in range(4):
            source = self.circuit.router.source(row, column, f"{_PINS[pin]}{lut}")
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
                nets.append(self.circuit.net(source))
        return nets

    def _emit_lut(self, row: int, column: int, lut: int, tile: Tile) -> None:
        table = tile.tables[lut]
        nets = self.live_pins(row, column, lut, table)
        ports = {f"I{pin}": (net,) for pin, net in enumerate(nets)}
        ports["F"] = (self.circuit.nets[row, column, f"F{lut}"],)
        self._add("LUT4", row, column, f"LUT{lut}", ports, {"INIT": table})

    def _emit_wide(self, row: int, column: int, number: int) -> None:
        (right0, first), (right1, second) = _WIDE[number]
        ports = {
            "I0": (self.circuit.net((row, column + right0, first)),),
            "I1": (self.circuit.net((row, column + right1, second)),),
            "S0": (self.circuit.input(row, column, f"SEL{number}"),),
            "O": (self.circuit.nets[row, column, f"OF{number}"],),
        }
        self._add("MUX2", row, column, f"MUX{number}", ports, {})

    def _emit_flip_flop(self, row: int, column: int, number: int, tile: Tile) -> None:
        settings = tile.slices[number // 2]
        group = number // 2
        if settings.inverted:
            raise InputError(f"a reset in tile {place(row, column)} is active low: not supported")
        clock = self.circuit.input(row, column, f"CLK{group}")
        if clock in (LOW, HIGH):
            raise InputError(f"flip-flop {number} of tile {place(row, column)} has no clock")
        ports = {
            "D": (self.circuit.net((row, column, f"F{number}")),),
            "CLK": (clock,),
            "CE": (self.circuit.input(row, column, f"CE{group}"),),
            "SR": (self.circuit.input(row, column, f"LSR{group}") if settings.set_reset else LOW,),
            "Q": (self.circuit.nets[row, column, f"Q{number}"],),
        }
        parameters = {
            "VALUE": settings.values[number % 2],
            "ASYNC": int(settings.asynchronous and settings.set_reset),
            "NEGEDGE": int(settings.negative_edge),
        }
        self._add("DFF", row, column, f"DFF{number}", ports, parameters)

    def _emit_ram(self, row: int, column: int, tile: Tile) -> None:
        if f"{place(row, column)}_RAM16" in self.circuit.cells:
            return
        if not (tile.slices[2].inverted and tile.slices[2].set_reset):
            raise InputError(f"the RAM of tile {place(row, column)} has no write enable")
        if any(tile.tables[lut] != 0xFFFF for lut in _RAM_WRITE_PORT):
            raise InputError(f"the RAM of tile {place(row, column)} has logic at its write port")
        # All four LUTs have the same address, each on its own pins.
        address = [self.circuit.router.source(row, column, f"{pin}0") for pin in _PINS]
        for lut in range(1, 4):
            if [self.circuit.router.source(row, column, f"{pin}{lut}") for pin in _PINS] != address:
                raise InputError(f"the RAM of tile {place(row, column)} has several addresses")
        ports = {
            "DI": tuple(self.circuit.input(row, column, f"{pin}5") for pin in _PINS),
            "WAD": tuple(self.circuit.input(row, column, f"{pin}4") for pin in _PINS),
            "RAD": tuple(self.circuit.net(each) for each in address),
            "WRE": (self.circuit.input(row, column, "LSR2"),),
            "CLK": (self.circuit.input(row, column, "CLK2"),),
            "DO": tuple(self.circuit.net((row, column, f"F{at}")) for at in range(4)),
        }
        parameters = {f"INIT_{at}": tile.tables[at] for at in range(4)}
        self._add("RAM16", row, column, "RAM16", ports, parameters)

    def _carry(self, row: int, column: int, lut: int, table: int) -> dict[str, int]:
        """The ports of a carry cell so far, including the inputs that ``table`` depends on."""
        ports = self._carries.setdefault((row, column, lut), {})
        for pin, net in zip(_PINS, self.live_pins(row, column, lut, table), strict=True):
            if ports.get(pin, LOW) == LOW:
                ports[pin] = net
        return ports

    def _want_sum(self, row: int, column: int, lut: int, tile: Tile) -> None:
        ports = self._carry(row, column, lut, tile.tables[lut])
        ports["SUM"] = self.circuit.nets[row, column, f"F{lut}"]
        ports["CIN"] = self._carry_in(row, column, lut)

    def _want_carry(self, row: int, column: int, lut: int, tile: Tile) -> None:
        table = tile.tables[lut]
        self._carry(row, column, lut, (table & 15) * 0x1111)
        ports = self._carry(row, column, lut, table)
        ports["COUT"] = self.circuit.nets[row, column, f"COUT{lut}"]
        for pin in range(4):
            source = self.circuit.constant(row, column, f"{_PINS[pin]}{lut}")
            if source is not None:
                table = cofactor(table, pin, source)
        if table:
            ports["CIN"] = self._carry_in(row, column, lut)

    def _carry_in(self, row: int, column: int, lut: int) -> int:
        """From the previous cell in the row of tiles; undriven if that is no carry cell."""
        before = (row, column, lut - 1) if lut else (row, column - 1, _LAST_ALU)
        tile = self.circuit.tiles.get(before[:2])
        if tile is None or not tile.tables or tile.is_ram or not tile.is_alu(before[2]):
            return FLOATING
        return self.circuit.net((before[0], before[1], f"COUT{before[2]}"))

    def _emit_carries(self) -> None:
        for (row, column, lut), found in self._carries.items():
            ports = {"CIN": (LOW,)} | {port: (net,) for port, net in found.items()}
            for port, wire in (("SUM", f"F{lut}"), ("COUT", f"COUT{lut}")):
                if port not in found:
                    ports[port] = (self.circuit.new_net((row, column, wire)),)
            table = self.circuit.tiles[row, column].tables[lut]
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
        self.circuit.add(Cell(kind, name, ports, parameters))
