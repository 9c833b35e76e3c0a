# SPDX-License-Identifier: MIT
"""Faults as differences between copies of one bit-parallel simulation.

`BitParallelSim` runs 64 copies of one netlist; copy 0 is the good chip. A mutant is a `Patch`: a
list of changes that apply to one copy only (another LUT table, another memory bit or mode, an input
connected to another net), and cells that only the mutant has, which `overlay` adds to the netlist
that all copies share. `differences` derives the patch from a mutated netlist; it matches cells by
name and kind, and nets by their drivers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim
from glintfpga.sim.gowin.netlist.flat_netlist import (
    DFF_MODES,
    MEMORY_BITS,
    MULT_FLAGS,
    FlatNetlist,
    input_nets,
    simulated_form,
)
from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH, LOW, Cell, Netlist

__all__ = [
    *("Change", "Patch", "Reroute", "SetState", "SetTable"),
    *("differences", "overlay", "with_buffers"),
]

_CONSTANTS = {LOW: "0", HIGH: "1", FLOATING: "z"}
_OUTS = ("F", "O", "SUM", "COUT", "Q", "DOUT", "DO", "DOA", "DOB", "CLKOUT", "LOCK")
_SHAPES = ("WIDTH", "WIDTH_A", "WIDTH_B")
_REGISTERS = ("AREG", "BREG", "PIPE_REG", "OUT_REG")


@dataclass(frozen=True)
class SetTable:
    """Another table for a LUT or ALU."""

    cell: str
    table: int

    def apply(self, sim: BitParallelSim, copy: int) -> None:
        """Make the change in one copy."""
        sim.set_table(sim.flat.index[self.cell], copy, self.table)


@dataclass(frozen=True)
class SetState:
    """Another value for one bit of a memory's contents, or for one mode bit of a cell."""

    cell: str
    at: int
    """Position in the cell's state, as ``chip.h`` lays it out."""
    value: int

    def apply(self, sim: BitParallelSim, copy: int) -> None:
        """Make the change in one copy."""
        sim.set_state(sim.flat.index[self.cell], self.at, copy, self.value)


@dataclass(frozen=True)
class Reroute:
    """An input pin connected to another net."""

    cell: str
    pin: int
    """Position in `flat_netlist.input_nets`."""
    net: int

    def apply(self, sim: BitParallelSim, copy: int) -> None:
        """Make the change in one copy."""
        sim.reroute(sim.flat.index[self.cell], self.pin, copy, self.net)


Change = SetTable | SetState | Reroute


@dataclass
class Patch:
    """The difference between a mutant and the good chip."""

    changes: list[Change] = field(default_factory=list)
    added: list[Cell] = field(default_factory=list)
    """Cells that only the mutant has."""
    is_contents: bool = False
    """Only power-up contents of memories differ: once overwritten, the mutant is the good chip."""

    @property
    def nothing(self) -> bool:
        """Whether the circuit is the same."""
        return not self.changes

    @property
    def is_table(self) -> bool:
        """Whether the table of a LUT or carry cell differs."""
        return any(isinstance(change, SetTable) for change in self.changes)

    @property
    def cells(self) -> set[str]:
        """Names of the changed cells of the good chip."""
        return {change.cell for change in self.changes}

    def changed_luts(self, good: FlatNetlist) -> Iterator[tuple[int, list[int], int]]:
        """For each cell with another table: its number, its input nets in the mutant, the table."""
        for change in self.changes:
            if isinstance(change, SetTable):
                at = good.index[change.cell]
                nets = input_nets(good.cells[at])
                for other in self.changes:
                    if isinstance(other, Reroute) and other.cell == change.cell:
                        nets[other.pin] = other.net
                yield at, nets, change.table

    def apply(self, sim: BitParallelSim, copy: int) -> None:
        """Turn one copy into the mutant; to be called before power-up."""
        for change in self.changes:
            change.apply(sim, copy)


def with_buffers(netlist: Netlist) -> Netlist:
    """The netlist with a buffer before each output pad, so that a mutant can reroute the pad."""
    top = 1 + max(net for cell in netlist.cells for nets in cell.ports.values() for net in nets)
    cells, outputs = list(netlist.cells), {}
    for name, nets in sorted(netlist.outputs.items()):
        outputs[name] = tuple(range(top, top + len(nets)))
        for bit, net in enumerate(nets):
            ports = {"I0": (net,), "I1": (LOW,), "I2": (LOW,), "I3": (LOW,), "F": (top + bit,)}
            cells.append(Cell("LUT4", f"pad {name}[{bit}]", ports, {"INIT": 0xAAAA}))
        top += len(nets)
    return Netlist(tuple(cells), netlist.inputs, outputs, netlist.wires)


def overlay(good: Netlist, patches: Sequence[Patch]) -> Netlist:
    """The good netlist plus the cells that only mutants have."""
    added = [cell for patch in patches for cell in patch.added]
    return Netlist((*good.cells, *added), good.inputs, good.outputs, good.wires)


def differences(good: Netlist, mutated: Netlist, *, number: int, first_net: int) -> Patch:
    """The patch that turns ``good`` into ``mutated``; both are `with_buffers`.

    ``number`` makes the names of added cells unique per mutant; their nets are numbered from
    ``first_net`` on. Raises ``InputError`` when the PLL differs: all copies share one clock.
    """
    good_cells = {_identity(cell): cell for cell in good.cells}
    mutated_cells = {_identity(cell): cell for cell in mutated.cells}
    _check_clocks(good, mutated)
    nets = {key: net for net, key in _drivers(good).items()}
    nets |= {key: net for net, key in _CONSTANTS.items()}
    translate: dict[int, int] = {}
    for net, key in _drivers(mutated).items():
        if key not in nets:
            nets[key] = first_net
            first_net += 1
        translate[net] = nets[key]
    translate |= {net: net for net in _CONSTANTS}
    patch = Patch()
    for key, cell in mutated_cells.items():
        if key in good_cells:
            patch.changes += _changes(good_cells[key], cell, translate)
        else:
            patch.added.append(_added_cell(cell, f"{cell.name} of mutant {number}", translate))
    return patch


def _identity(cell: Cell) -> str:
    return f"{cell.name} {cell.kind} {[cell.parameters.get(shape) for shape in _SHAPES]}"


def _drivers(netlist: Netlist) -> Mapping[int, str]:
    keys = {}
    for cell in netlist.cells:
        for port in _OUTS:
            for bit, net in enumerate(cell.ports.get(port, ())):
                keys[net] = f"{_identity(cell)} {port} {bit}"
    for name, nets in netlist.inputs.items():
        keys |= {net: f"{name} {bit}" for bit, net in enumerate(nets)}
    return keys


def _check_clocks(good: Netlist, mutated: Netlist) -> None:
    clocks = [
        [(cell.name, dict(cell.parameters)) for cell in netlist.cells if cell.kind == "PLL"]
        for netlist in (good, mutated)
    ]
    if clocks[0] != clocks[1]:
        raise InputError(f"the clock is {clocks[1]} instead of {clocks[0]}")


def _added_cell(cell: Cell, name: str, translate: Mapping[int, int]) -> Cell:
    ports = {
        port: tuple(translate.get(net, LOW) for net in nets) for port, nets in cell.ports.items()
    }
    return Cell(cell.kind, name, ports, cell.parameters)


def _changes(good: Cell, mutated: Cell, translate: Mapping[int, int]) -> Iterator[Change]:
    if good.kind == "PLL":
        return
    good, mutated = simulated_form(good)[0], simulated_form(mutated)[0]
    name = good.name
    pins = zip(input_nets(good), input_nets(mutated), strict=True)
    for pin, (was, now) in enumerate(pins):
        net = translate.get(now, LOW)
        if net != was:
            yield Reroute(name, pin, net)
    for key in good.parameters:
        was, now = good.parameters[key], mutated.parameters[key]
        if was != now:
            yield from _settings(good.kind, name, key, was, now)


def _settings(kind: str, name: str, key: str, was: int, now: int) -> Iterator[Change]:
    if kind in ("LUT4", "ALU"):
        yield SetTable(name, now)
    elif kind == "DFF":
        at = DFF_MODES.index(key)
        yield SetState(name, at, now)
    elif kind == "MULT" and key in _REGISTERS:
        at = MULT_FLAGS + _REGISTERS.index(key)
        yield SetState(name, at, now)
    elif kind == "BSRAM" and key.startswith("MODE"):
        for mode in (1, 2):
            at = MEMORY_BITS + 2 * "AB".index(key[-1]) + mode - 1
            yield SetState(name, at, int(now == mode))
    else:
        start = 16 * int(key[-1]) if kind == "RAM16" else 0
        changed = was ^ now
        for bit in range(changed.bit_length()):
            if changed >> bit & 1:
                yield SetState(name, start + bit, now >> bit & 1)
