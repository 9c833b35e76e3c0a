# SPDX-License-Identifier: MIT
"""Cells of the hard blocks: block RAM, multipliers, the PLL and input pads."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from glintfpga.boards.gowin.wires import Wire
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode import blocks
from glintfpga.sim.gowin.decode.blocks import BlockRam, Multiplier
from glintfpga.sim.gowin.decode.chip import Site
from glintfpga.sim.gowin.decode.pads import INPUT
from glintfpga.sim.gowin.decode.pll import pll_clock_hz
from glintfpga.sim.gowin.decode.tiles import place
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Cell

if TYPE_CHECKING:
    from glintfpga.sim.gowin.decode.extract import Extractor

__all__ = ["HardBlocks", "RamPorts"]

_ADDRESS_BITS = 14
_BYTE = 9
_PLL_OUTPUTS = ("CLKOUT", "LOCK")  # CLKOUTP, CLKOUTD and CLKOUTD3 among them


class HardBlocks:
    """Those of one bitstream that are in use."""

    def __init__(self, extractor: "Extractor"):
        self._extractor = extractor
        self._outputs: dict[Wire, Callable[[], None]] = {}
        self.rams: list[RamPorts] = []
        self.names: list[str] = []
        """Of the cells that all blocks with fuses would be."""
        chip, tiles = extractor.chip, extractor.tiles
        for site in chip.sites:
            if site.kind == "BSRAM":
                ram = blocks.block_ram(chip, tiles, site)
                if ram:
                    self._add_ram(site, ram)
            elif site.kind == "DSP":
                for multiplier in blocks.multipliers(chip, tiles, site):
                    self._add_multiplier(site, multiplier)
            elif site.kind == "PLL":
                clock_hz = pll_clock_hz(chip, tiles, site)
                if clock_hz:
                    self._add_pll(site, clock_hz)
        for (row, column), tile in tiles.items():
            for name, use in tile.pads.items():
                if use == INPUT:
                    self._add_pad(row, column, name)

    def emit(self, wire: Wire) -> bool:
        """Emit the cell that has this output; False if no hard block has it."""
        if wire not in self._outputs:
            return False
        self._outputs[wire]()
        return True

    def finish(self, contents: Mapping[tuple[int, int], int]) -> None:
        """Emit what had to wait for all outputs to be known."""
        for ram in self.rams:
            if ram.columns:
                init = contents[ram.site.row, ram.site.column]
                self._extractor.add_cell(ram.cell(init))

    def _pin(self, site: Site, bel: str, port: str) -> Wire:
        name = self._extractor.chip.bels(site.row, site.column)[bel].portmap[port]
        return self._extractor.chip.node(site.row, site.column, name)

    def _add_ram(self, site: Site, settings: BlockRam) -> None:
        ram = RamPorts(self._extractor, site, settings)
        self.rams.append(ram)
        self.names.append(ram.where)
        for port, column, wire in ram.outputs():
            self._outputs[wire] = partial(ram.want, port, column)

    def _add_multiplier(self, site: Site, settings: Multiplier) -> None:
        self.names.append(f"{place(site.row, site.column)}_{settings.bel}")
        emit = _once(lambda: self._emit_multiplier(site, settings))
        for at in range(2 * settings.width):
            self._outputs[self._pin(site, settings.bel, f"DOUT{at}")] = emit

    def _emit_multiplier(self, site: Site, settings: Multiplier) -> None:
        extractor, bel, width = self._extractor, settings.bel, settings.width
        portmap = extractor.chip.bels(site.row, site.column)[bel].portmap

        def pin(port: str) -> tuple[int, ...]:
            return (extractor.input(site.row, site.column, portmap[port]),)

        def bus(port: str, count: int) -> tuple[int, ...]:
            return sum((pin(f"{port}{at}") for at in range(count)), ())

        where = f"{place(site.row, site.column)}_{bel}"
        for port in ("ASEL", "BSEL"):
            if pin(port) != (LOW,):
                raise InputError(f"{where} takes its input from a cascade: not supported")
        clocked = any(settings.registers.values())
        clock, enable, reset = settings.pins
        ports = {
            "A": bus("A", width),
            "B": bus("B", width),
            "ASIGN": pin("ASIGN"),
            "BSIGN": pin("BSIGN"),
            "CLK": pin(f"CLK{clock}") if clocked else (LOW,),
            "CE": pin(f"CE{enable}") if clocked else (HIGH,),
            "RESET": pin(f"RESET{reset}") if clocked else (LOW,),
            "DOUT": tuple(
                extractor.net(self._pin(site, bel, f"DOUT{at}")) for at in range(2 * width)
            ),
        }
        if clocked and ports["CLK"][0] in (LOW, HIGH):
            raise InputError(f"{where} has registers and no clock")
        parameters = {"WIDTH": width, **settings.registers}
        if settings.asynchronous and ports["RESET"] == (LOW,):
            raise InputError(f"{where} has registers that reset at once, and no reset")
        parameters["ASYNC"] = int(settings.asynchronous)
        extractor.add_cell(Cell("MULT", where, ports, parameters))

    def _add_pll(self, site: Site, clock_hz: int) -> None:
        where = f"{place(site.row, site.column)}_PLL"
        self.names.append(where)
        emit = _once(lambda: self._emit_pll(site, where, clock_hz))
        for port in ("CLKOUT", "LOCK"):
            self._outputs[self._pin(site, "RPLLA", port)] = emit

    def _emit_pll(self, site: Site, where: str, clock_hz: int) -> None:
        extractor = self._extractor
        portmap = extractor.chip.bels(site.row, site.column)["RPLLA"].portmap
        for port, wire in portmap.items():
            if port == "CLKIN" or port.startswith(_PLL_OUTPUTS):
                continue
            if extractor.constant(site.row, site.column, wire) != LOW:
                raise InputError(f"{where} of the bitstream uses its input {port}: not supported")
        ports = {
            "CLKIN": (extractor.input(site.row, site.column, portmap["CLKIN"]),),
            "CLKOUT": (extractor.net(self._pin(site, "RPLLA", "CLKOUT")),),
            "LOCK": (extractor.net(self._pin(site, "RPLLA", "LOCK")),),
        }
        extractor.add_cell(Cell("PLL", where, ports, {"FREQUENCY_HZ": clock_hz}))

    def _add_pad(self, row: int, column: int, name: str) -> None:
        extractor = self._extractor
        wire = extractor.chip.node(row, column, extractor.chip.bels(row, column)[name].portmap["O"])
        port = extractor.chip.pad_names.get((row, column, name[-1]))

        def emit() -> None:
            assert port is not None  # `_output_pads` looked
            extractor.inputs[port] = (extractor.nets[wire],)
            extractor.used_pads.add((row, column, name[-1]))

        self._outputs[wire] = emit


def _once(action: Callable[[], None]) -> Callable[[], None]:
    done: list[bool] = []

    def run() -> None:
        if not done:
            done.append(True)
            action()

    return run


class RamPorts:
    """The ports of one block RAM, as far as they are wanted.

    Ports of 36 columns share the pins of both, A writes and B reads. A column that nothing reads
    is left out: what is written there may come from an input without a connection.
    """

    def __init__(self, extractor: "Extractor", site: Site, settings: BlockRam):
        self._extractor = extractor
        self.site = site
        self.settings = settings
        self.columns: set[int] = set()
        """Columns of a word that something reads."""
        self._nets: dict[str, tuple[int, ...]] = {}
        self._portmap = extractor.chip.bels(site.row, site.column)["BSRAM"].portmap
        self.where = f"{place(site.row, site.column)}_BSRAM"
        width_a, width_b = settings.widths
        self.wide = 36 in (width_a, width_b)
        if width_a != width_b or width_a not in (9, 18, 36):
            raise InputError(
                f"{self.where} of the bitstream is {width_a} and {width_b} columns wide: only "
                "equal widths of 9, 18 or 36 are supported"
            )
        self.width = width_a

    def outputs(self) -> list[tuple[str, int, Wire]]:
        """Port, column and node of every output."""
        chip, site = self._extractor.chip, self.site
        if self.wide:
            names = [("B", at, f"DO{at}") for at in range(36)]
        else:
            names = [(port, at, f"DO{port}{at}") for port in "AB" for at in range(18)]
        return [
            (port, at, chip.node(site.row, site.column, self._portmap[name]))
            for port, at, name in names
        ]

    def want(self, port: str, column: int) -> None:
        """An output is wanted: so is the control of both ports, and the column's data."""
        if column >= self.width:
            raise InputError(f"{self.where}: output {column} of port {port} does not exist")
        if not self.columns:
            for each in "AB":
                self._control(each)
        if f"CLK{port}" not in self._nets:
            raise InputError(f"{self.where} of the bitstream: port {port} is read without a clock")
        if column not in self.columns:
            self.columns.add(column)
            for each in "AB":
                if self._writes(each):
                    self._data(each, column)

    def _input(self, port: str) -> int:
        return self._extractor.input(self.site.row, self.site.column, self._portmap[port])

    def _writes(self, port: str) -> bool:
        return self._nets.get(f"WRE{port}", (LOW,)) != (LOW,)

    def _control(self, port: str) -> None:
        """Clock, enables and address; nothing for a port whose clock stands still."""
        clock = self._input(f"CLK{port}")
        if clock in (LOW, HIGH):
            if self.settings.modes["AB".index(port)]:
                raise InputError(f"{self.where}: port {port} has a write mode and no clock")
            return
        for pin in (f"RESET{port}", *(f"BLKSEL{port}{bit}" for bit in range(3))):
            if self._input(pin) != LOW:
                raise InputError(f"{self.where} of the bitstream uses {pin}: not supported")
        write = self._input(f"WRE{port}")
        if self.wide and port == "B":
            write = LOW  # its data pins are those of A; the tools tie this one high
        elif write == HIGH and port == "B":
            raise InputError(
                f"{self.where} of the bitstream writes by port B in every cycle: not supported"
            )
        skip = {9: 3, 18: 4, 36: 5}[self.width]
        address = range(skip, _ADDRESS_BITS)
        self._nets |= {
            f"CLK{port}": (clock,),
            f"CE{port}": (self._input(f"CE{port}"),),
            f"WRE{port}": (write,),
            f"AD{port}": tuple(self._input(f"AD{port}{bit}") for bit in address),
        }

    def _data(self, port: str, column: int) -> None:
        """Ask for a column's data; its byte must be written whenever the word is."""
        if self.width > _BYTE:
            enable = self._input(f"AD{port}{column // _BYTE}")
            gates = {HIGH, *self._nets[f"CE{port}"], *self._nets[f"WRE{port}"]}
            if enable not in gates:
                raise InputError(f"{self.where} of the bitstream writes single bytes")
        name = f"DI{column}" if self.wide else f"DI{port}{column}"
        self._nets[f"DI{port}{column}"] = (self._input(name),)

    def cell(self, init: int) -> Cell:
        """The finished cell."""
        ports: dict[str, tuple[int, ...]] = {}
        parameters = {"INIT": init}
        for number, port in enumerate("AB"):
            if f"CLK{port}" not in self._nets:
                parameters |= {f"WIDTH_{port}": 0, f"MODE_{port}": 0}
                continue
            parameters |= {
                f"WIDTH_{port}": self.width,
                f"MODE_{port}": self.settings.modes[number],
            }
            for name in ("CLK", "CE", "WRE", "AD"):
                ports[f"{name}{port}"] = self._nets[f"{name}{port}"]
            if self._writes(port):
                ports[f"DI{port}"] = tuple(
                    self._nets.get(f"DI{port}{column}", (LOW,))[0] for column in range(self.width)
                )
        for port, column, wire in self.outputs():
            if f"CLK{port}" in self._nets and column < self.width:
                ports[f"DO{port}"] = (*ports.get(f"DO{port}", ()), self._extractor.net(wire))
        return Cell("BSRAM", self.where, ports, parameters)
