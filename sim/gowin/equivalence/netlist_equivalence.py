# SPDX-License-Identifier: MIT
"""A bitstream against the netlist that it was placed from: in any state, whatever comes in.

Runs compare the states that they reach; here both are one formula, and a solver looks for a state
in which they part:

    same state, pads --+--> logic of the bitstream --+
                       |                             |-> differ?   what registers take, pins of
                       +--> logic of the netlist ----+             memories and multipliers, pads

Registers, memories and multipliers are paired by the places that the router gave them. Parameters
of a pair must be the same: contents, modes, what a register holds at power-up; and so must what the
clock comes from. A state is one in which multipliers say products of their factors and all that
floats reads the same. On the way from the state to what is taken each LUT and carry cell is
compared with the one it was placed from, and what is alike is known from then on (SAT sweeping):
that keeps every question small.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.equivalence.cnf import Formula, Frame, Literals
from glintfpga.sim.gowin.netlist.flat_netlist import FlatNetlist, comb_arcs, input_nets
from glintfpga.sim.gowin.netlist.netlist import FLOATING, Cell

__all__ = ["SameLogic", "compare_logic"]

_HOLDING = {"DFF": ("Q",), "MULT": ("DOUT",), "BSRAM": ("DOA", "DOB"), "RAM16": ("DO",)}
"""Kinds of cells with a state, and their outputs."""
PART = 500
"""Cells after which progress is told."""

Pair = tuple[Cell, Cell]
Progress = Callable[[int], None]


@dataclass(frozen=True)
class SameLogic:
    """How much was compared, and where the two differ."""

    cells: int
    """Registers, memories and multipliers."""
    pins: int
    """Of those, constant ones too, and pads."""
    differences: tuple[str, ...]


def compare_logic(
    bitstream: FlatNetlist,
    netlist: FlatNetlist,
    places: Mapping[str, str],
    *,
    progress: Progress = lambda cells: None,
) -> SameLogic:
    """``places`` maps names of the bitstream's cells to those of the netlist's.

    Raises ``InputError`` for a combinational loop, a clock that is read as data, and where there is
    no state at all.
    """
    names = {name: place for place, name in places.items()}
    pairs, differences = [], []
    for cell in netlist.cells:
        if cell.kind in _HOLDING:
            placed = bitstream.index.get(names.get(cell.name, ""))
            if placed is None:
                differences.append(f"{cell.name} is not in the bitstream")
            else:
                pairs.append((bitstream.cells[placed], cell))
    known = {mine.name for mine, _ in pairs}
    for cell in bitstream.cells:
        if cell.kind in _HOLDING and cell.name not in known:
            differences.append(f"{cell.name} is not in the netlist")
    differences += _parameters(pairs, bitstream, netlist)
    formula = Formula()
    # A PLL may not have locked: what follows from that is compared, too.
    here = Frame(formula, bitstream, {net: formula.new() for net in bitstream.locks})
    there = Frame(formula, netlist, _shared(here, pairs, netlist))
    if not formula.solve():
        raise InputError("no state fits both netlists: anything would follow from that")
    differences += [*_resetting(bitstream), *_resetting(netlist)]
    _sweep(here, there, names, progress)
    pins = 0
    for name, one, other in _taken(here, there, pairs):
        pins += 1
        if one != other and formula.solve([formula.xor(one, other)]):
            differences.append(name)
    return SameLogic(len(pairs), pins, tuple(differences))


def _parameters(pairs: list[Pair], bitstream: FlatNetlist, netlist: FlatNetlist) -> Iterator[str]:
    """What differs whatever the state is."""
    for mine, its in pairs:
        for key in mine.parameters.keys() | its.parameters.keys():
            if mine.parameters.get(key, 0) != its.parameters.get(key, 0):
                yield f"{mine.name} {key}"
    clocks, wanted = (
        [cell.parameters for cell in tables.netlist.cells if cell.kind == "PLL"]
        for tables in (bitstream, netlist)
    )
    if clocks != wanted:
        yield f"PLL {clocks} instead of {wanted}"
    source, wanted_source = map(_clock_source, (bitstream, netlist))
    if source != wanted_source:
        yield f"clock from {source} instead of {wanted_source}"
    pads, wanted_pads = map(_pads, (bitstream, netlist))
    if pads != wanted_pads:
        yield f"pads {pads} instead of {wanted_pads}"


def _clock_source(tables: FlatNetlist) -> str:
    """The pad that the clock of most registers comes from, and through which output of a PLL."""
    pads = {net: name for name, nets in tables.netlist.inputs.items() for net in nets}
    for cell in tables.netlist.cells:
        for port, nets in cell.ports.items():
            if cell.kind == "PLL" and port != "CLKIN" and tables.clock in nets:
                source = [pads.get(net, "logic") for net in cell.ports["CLKIN"]]
                return f"{port} of a PLL at {source}"
    return pads.get(tables.clock, "logic")


def _pads(tables: FlatNetlist) -> list[tuple[str, str, int]]:
    sides = (("in", tables.netlist.inputs), ("out", tables.netlist.outputs))
    return sorted((side, name, len(nets)) for side, pads in sides for name, nets in pads.items())


def _resetting(tables: FlatNetlist) -> Iterator[str]:
    """Registers that set or reset each other, or themselves, at once: what they hold for a moment
    is no state of the formula.
    """
    reads = {out: comb_arcs(cell)[0] for cell in tables.cells for out in comb_arcs(cell)[1]}
    at_once = [cell for cell in tables.cells if cell.kind == "DFF" and cell.parameters["ASYNC"]]
    held = {net for cell in at_once for net in cell.ports["Q"]}
    for cell in at_once:
        found, edge = set[int](), [input_nets(cell)[3]]
        while edge:
            net = edge.pop()
            edge += set(reads.get(net, ())) - found
            found |= {net, *reads.get(net, ())}
        if found & held:
            yield f"{cell.name} is set or reset by what is set or reset itself"


def _shared(here: Frame, pairs: list[Pair], netlist: FlatNetlist) -> Literals:
    """Literals of the netlist's state and of what its pads hear: those of the bitstream's."""
    found: Literals = {}

    def join(mine: tuple[int, ...], its: tuple[int, ...]) -> None:
        for one, other in zip(mine, its, strict=False):
            if one in here.literals:
                found[other] = here[one]

    for one, other in pairs:
        for port in _HOLDING[one.kind]:
            join(one.ports.get(port, ()), other.ports.get(port, ()))
    for name, nets in netlist.netlist.inputs.items():
        join(here.tables.netlist.inputs.get(name, ()), nets)
    join((here.tables.clock, FLOATING), (netlist.clock, FLOATING))
    join(here.tables.locks, netlist.locks)
    return found


def _sweep(here: Frame, there: Frame, names: Mapping[str, str], progress: Progress) -> None:
    """Let the formula know which LUTs and carry cells say the same in both."""
    formula = here.formula
    for number, at in enumerate(there.order):
        its = there.tables.cells[at]
        placed = here.tables.index.get(names.get(its.name, ""))
        if placed is not None:
            mine = here.tables.cells[placed]
            for port in ("F", "SUM", "COUT"):
                both = zip(mine.ports.get(port, ()), its.ports.get(port, ()), strict=False)
                for one, other in both:
                    differs = formula.xor(here[one], there[other])
                    if not formula.solve([differs]):
                        formula.add([-differs])
        if number % PART == 0:
            progress(number)


def _taken(here: Frame, there: Frame, pairs: list[Pair]) -> Iterator[tuple[str, int, int]]:
    """What must be the same: a name, and the literals in both."""
    for mine, its in pairs:
        pins = zip(input_nets(mine), input_nets(its), strict=True)
        for pin, (one, other) in enumerate(pins):
            yield f"{mine.name} pin {pin}", here[one], there[other]
    for name, nets in there.tables.netlist.outputs.items():
        for net, its_net in zip(here.tables.netlist.outputs.get(name, ()), nets, strict=False):
            yield name, here[net], there[its_net]
