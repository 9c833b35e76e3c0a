# SPDX-License-Identifier: MIT
"""A block RAM of the circuit: which pins of its two ports become a cell of the netlist."""

from glintfpga.boards.gowin.wires import Wire
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.blocks import BlockRam
from glintfpga.sim.gowin.decode.chip import Site
from glintfpga.sim.gowin.decode.circuit import Circuit
from glintfpga.sim.gowin.decode.tiles import place
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Cell

__all__ = ["RamPorts"]

_ADDRESS_BITS = 14
_BYTE = 9


class RamPorts:
    """The ports of one block RAM, extracted when the circuit reads one of its outputs.

    A memory 36 columns wide uses the pins of both ports together: A writes and B reads. A column
    that nothing reads is left out: its data input may be undriven.
    """

    def __init__(self, circuit: Circuit, site: Site, settings: BlockRam):
        self._circuit = circuit
        self.site = site
        self.settings = settings
        self.columns: set[int] = set()
        """Columns of a word that the circuit reads."""
        self._nets: dict[str, tuple[int, ...]] = {}
        self._portmap = circuit.chip.bels(site.row, site.column)["BSRAM"].portmap
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
        chip, site = self._circuit.chip, self.site
        if self.wide:
            names = [("B", at, f"DO{at}") for at in range(36)]
        else:
            names = [(port, at, f"DO{port}{at}") for port in "AB" for at in range(18)]
        return [
            (port, at, chip.node(site.row, site.column, self._portmap[name]))
            for port, at, name in names
        ]

    def want(self, port: str, column: int) -> None:
        """Extract what an output depends on: the controls of both ports, and the column's data."""
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
        return self._circuit.input(self.site.row, self.site.column, self._portmap[port])

    def _writes(self, port: str) -> bool:
        return self._nets.get(f"WRE{port}", (LOW,)) != (LOW,)

    def _control(self, port: str) -> None:
        """Extract clock, enables and address; nothing for a port without a clock."""
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
            write = LOW  # its data pins belong to A; the tools tie this pin high
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
        """Extract a column's data input; its byte must be enabled with the word."""
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
                ports[f"DO{port}"] = (*ports.get(f"DO{port}", ()), self._circuit.net(wire))
        return Cell("BSRAM", self.where, ports, parameters)
