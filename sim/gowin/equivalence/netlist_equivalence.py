# SPDX-License-Identifier: MIT
"""Equivalence check of a bitstream and the netlist that it was placed from, for all states.

Simulations compare the states that they reach. Here both circuits are one formula, and a SAT solver
searches a state and inputs for which they differ:

    same state, inputs --+--> logic of the bitstream --+
                         |                             |--> differ?   at all compare points
                         +--> logic of the netlist ----+

Registers, memories and multipliers are paired by their places, which the router assigned. A pair
must have equal parameters (contents, modes, power-up values); both clocks must have the same
source. The compare points are all input pins of the pairs, and the output pads. In the states that
the solver considers, multiplier outputs are in the range of their product, and all floating inputs
have one value. Each LUT and carry cell is compared with the one it was placed from, in topological
order, and proved equalities are added to the formula (SAT sweeping): every query stays small.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.equivalence.cnf import Formula, Frame, Literals
from glintfpga.sim.gowin.netlist.flat_netlist import FlatNetlist, comb_arcs, input_nets
from glintfpga.sim.gowin.netlist.netlist import FLOATING, Cell

__all__ = ["LogicComparison", "compare_logic"]

_STATE_OUTPUTS = {"DFF": ("Q",), "MULT": ("DOUT",), "BSRAM": ("DOA", "DOB"), "RAM16": ("DO",)}
"""Kinds of cells with a state, and their outputs."""
PROGRESS_CELLS = 500
"""Cells between two reports of progress."""

Pair = tuple[Cell, Cell]
"""A cell of the bitstream, and the one of the netlist that it was placed from."""
Progress = Callable[[int], None]


@dataclass(frozen=True)
class LogicComparison:
    """Result of `compare_logic`."""

    cells: int
    """Registers, memories and multipliers that were paired."""
    pins: int
    """Compare points: input pins of these cells, also constant ones, and pads."""
    differences: tuple[str, ...]


def compare_logic(
    bitstream: FlatNetlist,
    netlist: FlatNetlist,
    places: Mapping[str, str],
    *,
    progress: Progress = lambda cells: None,
) -> LogicComparison:
    """Compare two netlists; ``places`` maps cell names of the bitstream to those of the netlist.

    Raises ``InputError`` for a combinational loop, for a clock that is read as data, and when no
    state satisfies the formula.
    """
    names = {name: place for place, name in places.items()}
    pairs, differences = _paired(bitstream, netlist, names)
    differences += _parameter_differences(pairs, bitstream, netlist)
    formula = Formula()
    # A PLL may not have locked: LOCK is an input here, and what depends on it is compared, too.
    placed = Frame(formula, bitstream, {net: formula.new() for net in bitstream.locks})
    wanted = Frame(formula, netlist, _shared(placed, pairs, netlist))
    if not formula.solve():
        raise InputError("no state fits both netlists: anything would follow from that")
    differences += [*_async_loops(bitstream), *_async_loops(netlist)]
    _sweep(placed, wanted, names, progress)
    pins = 0
    for name, one, other in _compare_points(placed, wanted, pairs):
        pins += 1
        if one != other and formula.solve([formula.xor(one, other)]):
            differences.append(name)
    return LogicComparison(len(pairs), pins, tuple(differences))


def _paired(
    bitstream: FlatNetlist, netlist: FlatNetlist, names: Mapping[str, str]
) -> tuple[list[Pair], list[str]]:
    """Pairs of cells with a state, and what has no partner."""
    pairs, differences = [], []
    for cell in netlist.cells:
        if cell.kind in _STATE_OUTPUTS:
            at = bitstream.index.get(names.get(cell.name, ""))
            if at is None:
                differences.append(f"{cell.name} is not in the bitstream")
            else:
                pairs.append((bitstream.cells[at], cell))
    known = {placed.name for placed, _ in pairs}
    for cell in bitstream.cells:
        if cell.kind in _STATE_OUTPUTS and cell.name not in known:
            differences.append(f"{cell.name} is not in the netlist")
    return pairs, differences


def _parameter_differences(
    pairs: list[Pair], bitstream: FlatNetlist, netlist: FlatNetlist
) -> Iterator[str]:
    """Differences that no state is needed for."""
    for placed, wanted in pairs:
        for key in placed.parameters.keys() | wanted.parameters.keys():
            if placed.parameters.get(key, 0) != wanted.parameters.get(key, 0):
                yield f"{placed.name} {key}"
    clocks, wanted_clocks = (
        [cell.parameters for cell in flat.netlist.cells if cell.kind == "PLL"]
        for flat in (bitstream, netlist)
    )
    if clocks != wanted_clocks:
        yield f"PLL {clocks} instead of {wanted_clocks}"
    source, wanted_source = map(_clock_source, (bitstream, netlist))
    if source != wanted_source:
        yield f"clock from {source} instead of {wanted_source}"
    pads, wanted_pads = map(_pads, (bitstream, netlist))
    if pads != wanted_pads:
        yield f"pads {pads} instead of {wanted_pads}"


def _clock_source(flat: FlatNetlist) -> str:
    """The pad that the common clock comes from, and the output of a PLL on the way."""
    pads = {net: name for name, nets in flat.netlist.inputs.items() for net in nets}
    for cell in flat.netlist.cells:
        for port, nets in cell.ports.items():
            if cell.kind == "PLL" and port != "CLKIN" and flat.clock in nets:
                source = [pads.get(net, "logic") for net in cell.ports["CLKIN"]]
                return f"{port} of a PLL at {source}"
    return pads.get(flat.clock, "logic")


def _pads(flat: FlatNetlist) -> list[tuple[str, str, int]]:
    sides = (("in", flat.netlist.inputs), ("out", flat.netlist.outputs))
    return sorted((side, name, len(nets)) for side, pads in sides for name, nets in pads.items())


def _async_loops(flat: FlatNetlist) -> Iterator[str]:
    """Registers whose asynchronous reset depends on an asynchronously reset register.

    Their values between two clock edges are not in the formula.
    """
    reads = {out: comb_arcs(cell)[0] for cell in flat.cells for out in comb_arcs(cell)[1]}
    asynchronous = [cell for cell in flat.cells if cell.kind == "DFF" and cell.parameters["ASYNC"]]
    outputs = {net for cell in asynchronous for net in cell.ports["Q"]}
    for cell in asynchronous:
        cone, front = set[int](), [input_nets(cell)[3]]
        while front:
            net = front.pop()
            front += set(reads.get(net, ())) - cone
            cone |= {net, *reads.get(net, ())}
        if cone & outputs:
            yield f"{cell.name} is set or reset by what is set or reset itself"


def _shared(placed: Frame, pairs: list[Pair], netlist: FlatNetlist) -> Literals:
    """Literals of the netlist's state and primary inputs: those of the bitstream."""
    found: Literals = {}

    def join(ours: tuple[int, ...], theirs: tuple[int, ...]) -> None:
        for one, other in zip(ours, theirs, strict=False):
            if one in placed.literals:
                found[other] = placed[one]

    for one, other in pairs:
        for port in _STATE_OUTPUTS[one.kind]:
            join(one.ports.get(port, ()), other.ports.get(port, ()))
    for name, nets in netlist.netlist.inputs.items():
        join(placed.flat.netlist.inputs.get(name, ()), nets)
    join((placed.flat.clock, FLOATING), (netlist.clock, FLOATING))
    join(placed.flat.locks, netlist.locks)
    return found


def _sweep(placed: Frame, wanted: Frame, names: Mapping[str, str], progress: Progress) -> None:
    """Add to the formula which LUTs and carry cells have equal outputs."""
    formula = placed.formula
    for number, at in enumerate(wanted.order):
        cell = wanted.flat.cells[at]
        here = placed.flat.index.get(names.get(cell.name, ""))
        if here is not None:
            twin = placed.flat.cells[here]
            for port in ("F", "SUM", "COUT"):
                both = zip(twin.ports.get(port, ()), cell.ports.get(port, ()), strict=False)
                for one, other in both:
                    differs = formula.xor(placed[one], wanted[other])
                    if not formula.solve([differs]):
                        formula.add([-differs])
        if number % PROGRESS_CELLS == 0:
            progress(number)


def _compare_points(
    placed: Frame, wanted: Frame, pairs: list[Pair]
) -> Iterator[tuple[str, int, int]]:
    """What must be equal: a name, and the literals in both."""
    for cell, twin in pairs:
        pins = zip(input_nets(cell), input_nets(twin), strict=True)
        for pin, (one, other) in enumerate(pins):
            yield f"{cell.name} pin {pin}", placed[one], wanted[other]
    for name, nets in wanted.flat.netlist.outputs.items():
        ours = placed.flat.netlist.outputs.get(name, ())
        for net, twin_net in zip(ours, nets, strict=False):
            yield name, placed[net], wanted[twin_net]
