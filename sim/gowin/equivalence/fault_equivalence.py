# SPDX-License-Identifier: MIT
"""Combinational equivalence of a mutant and the good chip, from equal states on.

Both chips are one formula (`glintfpga.sim.gowin.equivalence.cnf`). They share the state and the
primary inputs; the fan-out cone of the fault is duplicated (a miter):

                           +--> good logic ---+
    same state, inputs ----|                  |--> differ?   next values of registers, pins of
                           +--> mutant logic -+              memories and multipliers, pads

If no cycle makes a difference at any of these compare points, two chips in the same state stay in
the same state, and drive the same pads, for ever.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from glintfpga.sim.gowin.equivalence.bitvector import BitVectorLogic
from glintfpga.sim.gowin.equivalence.cnf import TRUE, Formula, Frame, Literals, is_plain
from glintfpga.sim.gowin.equivalence.invariants import Clause, assume
from glintfpga.sim.gowin.faults.patches import Patch, Reroute, SetState, SetTable
from glintfpga.sim.gowin.netlist.flat_netlist import (
    ADDRESS_BITS,
    DFF_MODES,
    MEMORY_BITS,
    FlatNetlist,
    clock_pins,
    comb_arcs,
    input_nets,
)
from glintfpga.sim.gowin.netlist.netlist import LOW, Cell

__all__ = ["Equivalence"]

_CONSTANT_TABLES = {0: -TRUE, 0xFFFF: TRUE}


class _NotModeled(Exception):
    """The formula does not cover what this patch changes."""


@dataclass
class _Fault:
    """A patch by cell number, in terms of the formula."""

    inits: dict[int, int] = field(default_factory=dict)
    nets: dict[int, list[int]] = field(default_factory=dict)
    """Input nets of cells with a rerouted pin."""
    modes: dict[int, dict[str, int]] = field(default_factory=dict)
    """Changed modes of registers."""
    constants: Literals = field(default_factory=dict)
    """Outputs of added cells that are constant."""
    free: Sequence[int] = ()
    """Nets that are unconstrained in the mutant."""


class Equivalence:
    """Checks faults of one good chip, one solver for all of them.

    ``clauses`` are invariants of the good chip (`invariants.inductive_clauses`): they exclude
    states that cannot be reached.
    """

    def __init__(self, flat: FlatNetlist, clauses: Iterable[Clause] = ()):
        self._flat = flat
        self.formula = Formula()
        self.good = Frame(self.formula, flat)
        self._clocks = {flat.clock, LOW}
        assume(self.good, clauses)
        self._rank = {at: rank for rank, at in enumerate(self.good.order)}
        self._readers: dict[int, set[int]] = {}
        for at, cell in enumerate(flat.cells):
            for net in input_nets(cell):
                self._readers.setdefault(net, set()).add(at)

    def stays_equal(self, patch: Patch) -> bool:
        """Whether the mutant stays equal to the good chip once both are in the same state.

        Outputs of block RAM ports that drive nothing are not compared. False, too, for what the
        formula does not model: changed modes of multipliers and of memory ports that drive
        something, and another clock.
        """
        try:
            fault = self._fault_of(patch)
        except _NotModeled:
            return False
        return self._is_unobservable(fault)

    def is_equivalent(self, patch: Patch) -> bool:
        """Whether the mutant `stays_equal` and has the same memory contents and modes."""
        if any(isinstance(change, SetState) for change in patch.changes):
            return False
        return self.stays_equal(patch)

    def is_unobservable(self, nets: Sequence[int], given: Sequence[int]) -> bool:
        """Whether the values of ``nets`` make no difference while all literals ``given`` are true.

        ``nets`` are outputs of block RAMs; ``given`` are literals of `formula`.
        """
        return self._is_unobservable(_Fault(free=nets), given)

    def _is_unobservable(self, fault: _Fault, given: Sequence[int] = ()) -> bool:
        try:
            mutant = self._mutant_nets(fault)
        except _NotModeled:
            return False
        differences = [*self._state_differences(fault, mutant), *self._pad_differences(mutant)]
        return not self.formula.solve([*given, self.formula.implies_any(differences)])

    # The patch in terms of the formula

    def _fault_of(self, patch: Patch) -> _Fault:
        fault = _Fault()
        for cell in patch.added:
            if cell.kind == "LUT4" and cell.parameters["INIT"] in _CONSTANT_TABLES:
                literal = _CONSTANT_TABLES[cell.parameters["INIT"]]
                fault.constants |= dict.fromkeys(cell.ports["F"], literal)
        for change in patch.changes:
            if change.cell not in self._flat.index:
                raise _NotModeled
            at = self._flat.index[change.cell]
            if isinstance(change, SetTable):
                fault.inits[at] = change.table
            elif isinstance(change, Reroute):
                self._add_reroute(fault, at, change)
            else:
                self._add_state(fault, at, change)
        return fault

    def _add_reroute(self, fault: _Fault, at: int, change: Reroute) -> None:
        cell = self._flat.cells[at]
        if change.pin in clock_pins(cell) or change.net == self._flat.clock:
            raise _NotModeled
        fault.nets.setdefault(at, input_nets(cell))[change.pin] = change.net

    def _add_state(self, fault: _Fault, at: int, change: SetState) -> None:
        cell = self._flat.cells[at]
        if cell.kind == "DFF":
            mode = DFF_MODES[change.at]
            if not self._is_modeled(cell, mode):
                raise _NotModeled
            fault.modes.setdefault(at, {})[mode] = change.value
        elif cell.kind == "MULT":
            raise _NotModeled
        elif change.at >= MEMORY_BITS:
            # Two mode bits per port, of its output while it writes.
            side = "AB"[(change.at - MEMORY_BITS) // 2]
            if self._drives_something(cell.ports.get(f"DO{side}", ())):
                raise _NotModeled

    def _drives_something(self, nets: Sequence[int]) -> bool:
        pads = {net for nets in self._flat.netlist.outputs.values() for net in nets}
        return any(net in self._readers or net in pads for net in nets)

    def _is_modeled(self, cell: Cell, mode: str) -> bool:
        """Whether the formula models a register with this mode changed.

        An asynchronous reset with a glitch between two edges may act although the reset is inactive
        at the end of the cycle, which is all that the formula has.
        """
        if mode == "NEGEDGE" or not is_plain(cell, self._flat) or cell.parameters["ASYNC"]:
            return False
        return mode == "VALUE" or self.good.is_stable(input_nets(cell)[3])

    def _inputs(self, fault: _Fault, at: int) -> list[int]:
        return fault.nets.get(at) or input_nets(self._flat.cells[at])

    # The mutant's half of the miter

    def _mutant_nets(self, fault: _Fault) -> "_MutantNets":
        """Literals of the mutant's nets; those in the fault's fan-out cone are new."""
        cells = self._flat.cells
        asynchronous = [at for at, modes in fault.modes.items() if "ASYNC" in modes]
        cone = self._fanout_cone(fault, asynchronous)
        mutant = _MutantNets(self.formula, self.good.literals, fault.constants)
        for at in asynchronous:
            mutant.values[cells[at].ports["Q"][0]] = self._async_output(fault, at, cone)
        mutant.values |= {net: self.formula.new() for net in fault.free}
        later = {net for at in cone for net in comb_arcs(cells[at])[1]}
        for at in sorted(cone, key=self._rank.__getitem__):
            inputs = [
                # An input from this cell or a later one is a loop: unconstrained.
                self.formula.new() if net in later else mutant[net]
                for net in self._inputs(fault, at)
            ]
            mutant.values |= self.good.outputs(cells[at], inputs, fault.inits.get(at))
            later -= set(comb_arcs(cells[at])[1])
        return mutant

    def _fanout_cone(self, fault: _Fault, asynchronous: Sequence[int]) -> set[int]:
        """LUTs and carry cells that are changed, or have an input that may differ."""
        readers = {net: set(found) for net, found in self._readers.items()}
        for at, nets in fault.nets.items():
            for net in nets:
                readers.setdefault(net, set()).add(at)
        found: set[int] = set()
        front = [at for at in {*fault.inits, *fault.nets} if at in self._rank]
        for net in (*fault.free, *(self._flat.cells[at].ports["Q"][0] for at in asynchronous)):
            front += readers.get(net, ())
        while front:
            at = front.pop()
            if at in self._rank and at not in found:
                found.add(at)
                for net in comb_arcs(self._flat.cells[at])[1]:
                    front += readers.get(net, ())
        return found

    def _async_output(self, fault: _Fault, at: int, cone: set[int]) -> int:
        """Output of a register whose reset became asynchronous: its state, or VALUE while reset.

        Raises ``_NotModeled`` where its reset may differ, too.
        """
        cells = self._flat.cells
        data, clock, _, reset = (self.good[net] for net in input_nets(cells[at]))
        changed = {net for one in cone for net in comb_arcs(cells[one])[1]}
        changed |= {cells[one].ports["Q"][0] for one in fault.modes}
        if len(fault.modes[at]) > 1 or at in fault.nets or input_nets(cells[at])[3] in changed:
            raise _NotModeled
        return self.good.next_value(cells[at], (data, clock, -TRUE, reset))

    # Compare points

    def _state_differences(self, fault: _Fault, mutant: "_MutantNets") -> Iterable[int]:
        """Differences of registers' next values, and at the pins of all other clocked cells."""
        touched = {at for net in mutant.values for at in self._readers.get(net, ())}
        for at in (touched | set(fault.nets) | set(fault.modes)) - set(self._rank):
            cell = self._flat.cells[at]
            nets = input_nets(cell)
            good_pins = [self.good[net] for net in nets]
            pins = [mutant[net] for net in self._inputs(fault, at)]
            if cell.kind == "DFF" and is_plain(cell, self._flat) and not cell.parameters["ASYNC"]:
                other = replace(cell, parameters={**cell.parameters, **fault.modes.get(at, {})})
                yield self.formula.xor(
                    self.good.next_value(cell, good_pins), self.good.next_value(other, pins)
                )
            elif cell.kind == "BSRAM" and {nets[pin] for pin in clock_pins(cell)} <= self._clocks:
                yield from self._memory_differences(good_pins, pins)
            else:
                yield from map(self.formula.xor, good_pins, pins)

    def _memory_differences(self, good: list[int], mutant: list[int]) -> Iterable[int]:
        """Differences at those pins of a block RAM that matter.

        CLK and CE always do, WRE and AD while CE is active, DI while CE and WRE are.
        """
        logic, half = BitVectorLogic(self.formula), len(good) // 2
        for side in (slice(half), slice(half, None)):
            (clock, enable, write, *rest) = map(self.formula.xor, good[side], mutant[side])
            yield clock
            yield enable
            enabled, written = good[side][1:3]
            for at, differs in enumerate([write, *rest]):
                conditions = [enabled, written] if at > ADDRESS_BITS else [enabled]
                yield logic.all_of([*conditions, differs])

    def _pad_differences(self, mutant: "_MutantNets") -> Iterable[int]:
        for nets in self._flat.netlist.outputs.values():
            for net in nets:
                if net in mutant.values:
                    yield self.formula.xor(self.good[net], mutant[net])


@dataclass
class _MutantNets:
    """Literals of the mutant's nets: those of the good chip, except for ``values``."""

    formula: Formula
    good: Mapping[int, int]
    constants: Mapping[int, int]
    values: Literals = field(default_factory=dict)

    def __getitem__(self, net: int) -> int:
        for known in (self.values, self.good, self.constants):
            if net in known:
                return known[net]
        self.values[net] = self.formula.new()  # driven by an added cell
        return self.values[net]
