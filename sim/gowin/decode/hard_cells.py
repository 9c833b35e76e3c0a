# SPDX-License-Identifier: MIT
"""Cells of the hard blocks: block RAM, multipliers, the PLL and input pads."""

from collections.abc import Callable, Mapping
from functools import partial

from glintfpga.boards.gowin.wires import Wire
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode import blocks
from glintfpga.sim.gowin.decode.blocks import BlockRam, Multiplier
from glintfpga.sim.gowin.decode.chip import Site
from glintfpga.sim.gowin.decode.circuit import Circuit
from glintfpga.sim.gowin.decode.pads import INPUT
from glintfpga.sim.gowin.decode.pll import pll_clock_hz
from glintfpga.sim.gowin.decode.ram_ports import RamPorts
from glintfpga.sim.gowin.decode.tiles import place
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Cell

__all__ = ["HardBlocks"]

_PLL_OUTPUTS = ("CLKOUT", "LOCK")  # CLKOUTP, CLKOUTD and CLKOUTD3 among them


class HardBlocks:
    """The hard blocks of one bitstream that have fuses set."""

    def __init__(self, circuit: Circuit):
        self._circuit = circuit
        self._outputs: dict[Wire, Callable[[], None]] = {}
        self.rams: list[RamPorts] = []
        self.names: list[str] = []
        """Names of the cells of all these blocks, whether the circuit uses them or not."""
        chip, tiles = circuit.chip, circuit.tiles
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
        """Extract the cell that drives this wire; False if it is no output of a hard block."""
        if wire not in self._outputs:
            return False
        self._outputs[wire]()
        return True

    def finish(self, contents: Mapping[tuple[int, int], int]) -> None:
        """Add the block RAMs, whose used outputs are known only at the end of the walk."""
        for ram in self.rams:
            if ram.columns:
                init = contents[ram.site.row, ram.site.column]
                self._circuit.add(ram.cell(init))

    def _pin(self, site: Site, bel: str, port: str) -> Wire:
        name = self._circuit.chip.bels(site.row, site.column)[bel].portmap[port]
        return self._circuit.chip.node(site.row, site.column, name)

    def _add_ram(self, site: Site, settings: BlockRam) -> None:
        ram = RamPorts(self._circuit, site, settings)
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
        circuit, bel, width = self._circuit, settings.bel, settings.width
        portmap = circuit.chip.bels(site.row, site.column)[bel].portmap

        def pin(port: str) -> tuple[int, ...]:
            return (circuit.input(site.row, site.column, portmap[port]),)

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
                circuit.net(self._pin(site, bel, f"DOUT{at}")) for at in range(2 * width)
            ),
        }
        if clocked and ports["CLK"][0] in (LOW, HIGH):
            raise InputError(f"{where} has registers and no clock")
        parameters = {"WIDTH": width, **settings.registers}
        if settings.asynchronous and ports["RESET"] == (LOW,):
            raise InputError(f"{where} has registers that reset at once, and no reset")
        parameters["ASYNC"] = int(settings.asynchronous)
        circuit.add(Cell("MULT", where, ports, parameters))

    def _add_pll(self, site: Site, clock_hz: int) -> None:
        where = f"{place(site.row, site.column)}_PLL"
        self.names.append(where)
        emit = _once(lambda: self._emit_pll(site, where, clock_hz))
        for port in ("CLKOUT", "LOCK"):
            self._outputs[self._pin(site, "RPLLA", port)] = emit

    def _emit_pll(self, site: Site, where: str, clock_hz: int) -> None:
        circuit = self._circuit
        portmap = circuit.chip.bels(site.row, site.column)["RPLLA"].portmap
        for port, wire in portmap.items():
            if port == "CLKIN" or port.startswith(_PLL_OUTPUTS):
                continue
            if circuit.constant(site.row, site.column, wire) != LOW:
                raise InputError(f"{where} of the bitstream uses its input {port}: not supported")
        ports = {
            "CLKIN": (circuit.input(site.row, site.column, portmap["CLKIN"]),),
            "CLKOUT": (circuit.net(self._pin(site, "RPLLA", "CLKOUT")),),
            "LOCK": (circuit.net(self._pin(site, "RPLLA", "LOCK")),),
        }
        circuit.add(Cell("PLL", where, ports, {"FREQUENCY_HZ": clock_hz}))

    def _add_pad(self, row: int, column: int, name: str) -> None:
        circuit = self._circuit
        wire = circuit.chip.node(row, column, circuit.chip.bels(row, column)[name].portmap["O"])
        port = circuit.chip.pad_names.get((row, column, name[-1]))

        def emit() -> None:
            assert port is not None  # `extract` checks that all pads in use have a port
            circuit.inputs[port] = (circuit.nets[wire],)
            circuit.used_pads.add((row, column, name[-1]))

        self._outputs[wire] = emit


def _once(action: Callable[[], None]) -> Callable[[], None]:
    done: list[bool] = []

    def run() -> None:
        if not done:
            done.append(True)
            action()

    return run
