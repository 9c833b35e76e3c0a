# SPDX-License-Identifier: MIT
"""Mutated netlists as copies of one simulation.

`overlay` compares mutated netlists with the good one and makes one netlist that holds all of
them: cells that only a mutant has are added, everything else is a difference in one copy: another
table, mode or memory bit, or an input that reads another net. Cells are matched by name and kind,
nets by what drives them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

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

__all__ = ["Change", "Patch", "differences", "overlay", "with_buffers"]

Change = partial[None]
"""Makes a difference in one copy of a simulation: `set_table`, `set_state` or `reroute`."""

_CONSTANTS = {LOW: "0", HIGH: "1", FLOATING: "z"}
_OUTS = ("F", "O", "SUM", "COUT", "Q", "DOUT", "DO", "DOA", "DOB", "CLKOUT", "LOCK")
_SHAPES = ("WIDTH", "WIDTH_A", "WIDTH_B")
_REGISTERS = ("AREG", "BREG", "PIPE_REG", "OUT_REG")


@dataclass
class Patch:
    """How a mutant differs: changes of cells that both have, and cells of its own."""

    changes: list[Change] = field(default_factory=list)
    added: list[Cell] = field(default_factory=list)
    is_contents: bool = False
    """Only memory bits differ, and only at power-up: written over, they are as in the good chip."""

    @property
    def nothing(self) -> bool:
        """Whether the circuit is the same."""
        return not self.changes

    @property
    def is_table(self) -> bool:
        """Whether what differs is the table of a LUT or carry cell."""
        return any(change.func is set_table for change in self.changes)

    @property
    def cells(self) -> set[str]:
        """Names of the cells of the good chip that are changed."""
        return {change.keywords["cell"] for change in self.changes}

    def changed_luts(self, good: FlatNetlist) -> Iterator[tuple[int, list[int], int]]:
        """Number of each cell with another table, the nets it reads now, and the table."""
        for change in self.changes:
            if change.func is set_table:
                name = change.keywords["cell"]
                nets = input_nets(good.cells[good.index[name]])
                for other in self.changes:
                    if other.func is reroute and other.keywords["cell"] == name:
                        nets[other.keywords["pin"]] = other.keywords["net"]
                yield good.index[name], nets, change.keywords["table"]

    def __call__(self, sim: BitParallelSim, copy: int) -> None:
        for change in self.changes:
            change(sim, copy)


def set_table(sim: BitParallelSim, copy: int, *, cell: str, table: int) -> None:
    """A `Change`: other contents of a LUT or ALU."""
    sim.set_table(sim.tables.index[cell], copy, table)


def set_state(sim: BitParallelSim, copy: int, *, cell: str, at: int, value: int) -> None:
    """A `Change`: another bit of a memory, or a mode."""
    sim.set_state(sim.tables.index[cell], at, copy, value)


def reroute(sim: BitParallelSim, copy: int, *, cell: str, pin: int, net: int) -> None:
    """A `Change`: an input reads another net."""
    sim.reroute(sim.tables.index[cell], pin, copy, net)


def with_buffers(netlist: Netlist) -> Netlist:
    """The same with a buffer before each output pad, so that a mutant may take it elsewhere."""
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
    """The good netlist with the cells that only mutants have."""
    added = [cell for patch in patches for cell in patch.added]
    return Netlist((*good.cells, *added), good.inputs, good.outputs, good.wires)


def differences(good: Netlist, mutated: Netlist, *, number: int, first_net: int) -> Patch:
    """What makes ``mutated`` of ``good``; both `with_buffers`.

    ``number`` tells the added cells of one mutant from those of another, their nets are numbered
    from ``first_net`` on. Raises ``InputError`` when the clock is another one, which no copy can
    have.
    """
    mine = {_identity(cell): cell for cell in good.cells}
    its = {_identity(cell): cell for cell in mutated.cells}
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
    for key, cell in its.items():
        if key in mine:
            patch.changes += _changes(mine[key], cell, translate)
        else:
            patch.added.append(_moved(cell, f"{cell.name} of mutant {number}", translate))
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


def _moved(cell: Cell, name: str, translate: Mapping[int, int]) -> Cell:
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
            yield partial(reroute, cell=name, pin=pin, net=net)
    for key in good.parameters:
        was, now = good.parameters[key], mutated.parameters[key]
        if was != now:
            yield from _settings(good.kind, name, key, was, now)


def _settings(kind: str, name: str, key: str, was: int, now: int) -> Iterator[Change]:
    if kind in ("LUT4", "ALU"):
        yield partial(set_table, cell=name, table=now)
    elif kind == "DFF":
        at = DFF_MODES.index(key)
        yield partial(set_state, cell=name, at=at, value=now)
    elif kind == "MULT" and key in _REGISTERS:
        at = MULT_FLAGS + _REGISTERS.index(key)
        yield partial(set_state, cell=name, at=at, value=now)
    elif kind == "BSRAM" and key.startswith("MODE"):
        for mode in (1, 2):
            at = MEMORY_BITS + 2 * "AB".index(key[-1]) + mode - 1
            yield partial(set_state, cell=name, at=at, value=int(now == mode))
    else:
        first = 16 * int(key[-1]) if kind == "RAM16" else 0
        changed = was ^ now
        for bit in range(changed.bit_length()):
            if changed >> bit & 1:
                yield partial(set_state, cell=name, at=first + bit, value=now >> bit & 1)
