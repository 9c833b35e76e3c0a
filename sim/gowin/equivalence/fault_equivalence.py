# SPDX-License-Identifier: MIT
"""Whether a mutant that holds the same as the good chip goes on doing so, whatever comes in.

Both chips are one formula (`glintfpga.sim.gowin.equivalence.cnf`): they share the state and what
comes in, the cells that a fault reaches are there twice. Where no cycle makes a difference in what
a register or memory takes next, or in a pad, two chips that hold the same hold the same for ever.

                      +--> good logic --+
    same state, pads -|                 |-> differ?   registers' next values, pins of memories
                      +--> its logic ---+             and multipliers, pads
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from glintfpga.sim.gowin.equivalence.bitvector import BitVectorLogic
from glintfpga.sim.gowin.equivalence.cnf import TRUE, Formula, Frame, Literals, is_plain
from glintfpga.sim.gowin.equivalence.invariants import Clause, require
from glintfpga.sim.gowin.faults.mutants import Patch, reroute, set_state, set_table
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

_ALIKE = {0: -TRUE, 0xFFFF: TRUE}


@dataclass
class _Fault:
    """A patch, cell by cell."""

    inits: dict[int, int] = field(default_factory=dict)
    nets: dict[int, list[int]] = field(default_factory=dict)
    modes: dict[int, dict[str, int]] = field(default_factory=dict)
    """Of registers."""
    constants: Literals = field(default_factory=dict)
    """Nets of cells that only the mutant has, where they are always the same."""
    free: Sequence[int] = ()
    """Nets that may be anything."""


class Equivalence:
    """``clauses`` hold in every cycle of the good chip that counts (`invariants.never`)."""

    def __init__(self, tables: FlatNetlist, clauses: Iterable[Clause] = ()):
        self._tables = tables
        self.formula = Formula()
        self.good = Frame(self.formula, tables)
        self._clocks = {tables.clock, LOW}
        require(self.good, clauses)
        self._rank = {at: rank for rank, at in enumerate(self.good.order)}
        self._readers: dict[int, set[int]] = {}
        for at, cell in enumerate(tables.cells):
            for net in input_nets(cell):
                self._readers.setdefault(net, set()).add(at)

    def stays_equal(self, patch: Patch) -> bool:
        """Whether a mutant in the same state as the good chip stays so, and so do its pads; but for
        what block RAMs say that nothing reads.

        False where it does not, and where it cannot be told: other modes of multipliers and of
        memory ports that are read, another clock.
        """
        fault = self._read(patch)
        return fault is not None and self._goes_nowhere(fault)

    def is_same(self, patch: Patch) -> bool:
        """The same, and whether a patch leaves all contents and modes as they are."""
        return all(change.func is not set_state for change in patch.changes) and self.stays_equal(
            patch
        )

    def hides(self, nets: Sequence[int], given: Sequence[int]) -> bool:
        """Whether it makes no difference what ``nets`` say, where all of ``given`` hold.

        ``nets`` are outputs of block RAMs; ``given`` are literals of `formula`.
        """
        return self._goes_nowhere(_Fault(free=nets), given)

    def _goes_nowhere(self, fault: _Fault, given: Sequence[int] = ()) -> bool:
        twin = self._twin(fault)
        if twin is None:
            return False
        differences = [*self._taken(fault, twin), *self._shown(twin)]
        return not self.formula.solve([*given, self.formula.implying(differences)])

    def _read(self, patch: Patch) -> _Fault | None:
        fault = _Fault()
        for cell in patch.added:
            if cell.kind == "LUT4" and cell.parameters["INIT"] in _ALIKE:
                literal = _ALIKE[cell.parameters["INIT"]]
                fault.constants |= dict.fromkeys(cell.ports["F"], literal)
        for change in patch.changes:
            facts = change.keywords
            if facts["cell"] not in self._tables.index:
                return None
            at = self._tables.index[facts["cell"]]
            cell = self._tables.cells[at]
            if change.func is set_table:
                fault.inits[at] = facts["table"]
            elif change.func is reroute:
                if facts["pin"] in clock_pins(cell) or facts["net"] == self._tables.clock:
                    return None
                fault.nets.setdefault(at, input_nets(cell))[facts["pin"]] = facts["net"]
            elif cell.kind == "DFF":
                if not self._may_differ(cell, DFF_MODES[facts["at"]]):
                    return None
                fault.modes.setdefault(at, {})[DFF_MODES[facts["at"]]] = facts["value"]
            elif cell.kind == "MULT":
                return None
            elif facts["at"] >= MEMORY_BITS:
                # Its modes are about what a port says while it writes, two of each port.
                if self._is_heard(cell, "AB"[(facts["at"] - MEMORY_BITS) // 2]):
                    return None
        return fault

    def _is_heard(self, cell: Cell, side: str) -> bool:
        """Whether anything reads a port of a block RAM."""
        pads = {net for nets in self._tables.netlist.outputs.values() for net in nets}
        return any(net in self._readers or net in pads for net in cell.ports.get(f"DO{side}", ()))

    def _may_differ(self, cell: Cell, mode: str) -> bool:
        """Whether the formula has what a register in another mode does.

        One that is set at once by what moves between the edges may be set where no cycle, as it
        ends, shows why.
        """
        if mode == "NEGEDGE" or not is_plain(cell, self._tables) or cell.parameters["ASYNC"]:
            return False
        return mode == "VALUE" or self.good.is_steady(input_nets(cell)[3])

    def _inputs(self, fault: _Fault, at: int) -> list[int]:
        return fault.nets.get(at) or input_nets(self._tables.cells[at])

    def _twin(self, fault: _Fault) -> "_Twin | None":
        """The nets of the mutant that may differ; None where a register's cannot be told."""
        cells = self._tables.cells
        early = [at for at, modes in fault.modes.items() if "ASYNC" in modes]
        reached = self._reached(fault, early)
        twin = _Twin(self.formula, self.good.literals, fault.constants)
        for at in early:
            if (value := self._early(fault, at, reached)) is None:
                return None
            twin.values[cells[at].ports["Q"][0]] = value
        twin.values |= {net: self.formula.new() for net in fault.free}
        later = {net for at in reached for net in comb_arcs(cells[at])[1]}
        for at in sorted(reached, key=self._rank.__getitem__):
            inputs = [
                # Behind the cell itself, or of a later one: a loop, which may be anything.
                self.formula.new() if net in later else twin[net]
                for net in self._inputs(fault, at)
            ]
            twin.values |= self.good.outputs(cells[at], inputs, fault.inits.get(at))
            later -= set(comb_arcs(cells[at])[1])
        return twin

    def _reached(self, fault: _Fault, early: Sequence[int]) -> set[int]:
        """LUTs and carry cells that are changed, or read something that may differ."""
        readers = {net: set(found) for net, found in self._readers.items()}
        for at, nets in fault.nets.items():
            for net in nets:
                readers.setdefault(net, set()).add(at)
        found: set[int] = set()
        edge = [at for at in {*fault.inits, *fault.nets} if at in self._rank]
        for net in (*fault.free, *(self._tables.cells[at].ports["Q"][0] for at in early)):
            edge += readers.get(net, ())
        while edge:
            at = edge.pop()
            if at in self._rank and at not in found:
                found.add(at)
                for net in comb_arcs(self._tables.cells[at])[1]:
                    edge += readers.get(net, ())
        return found

    def _early(self, fault: _Fault, at: int, reached: set[int]) -> int | None:
        """What others see of a register that is set at once: what it held, or VALUE. None where its
        reset may differ, too.
        """
        cell = self._tables.cells[at]
        data, clock, _, reset = (self.good[net] for net in input_nets(cell))
        moved = {net for one in reached for net in comb_arcs(self._tables.cells[one])[1]}
        moved |= {self._tables.cells[one].ports["Q"][0] for one in fault.modes}
        if len(fault.modes[at]) > 1 or at in fault.nets or input_nets(cell)[3] in moved:
            return None
        return self.good.taken(cell, (data, clock, -TRUE, reset))

    def _taken(self, fault: _Fault, twin: "_Twin") -> Iterable[int]:
        """Differences in what registers take, and at the pins of all else that has a clock."""
        touched = {at for net in twin.values for at in self._readers.get(net, ())}
        for at in (touched | set(fault.nets) | set(fault.modes)) - set(self._rank):
            cell = self._tables.cells[at]
            nets, its = input_nets(cell), self._inputs(fault, at)
            pins = [self.good[net] for net in nets], [twin[net] for net in its]
            if cell.kind == "DFF" and is_plain(cell, self._tables) and not cell.parameters["ASYNC"]:
                other = replace(cell, parameters={**cell.parameters, **fault.modes.get(at, {})})
                yield self.formula.xor(
                    self.good.taken(cell, pins[0]), self.good.taken(other, pins[1])
                )
            elif cell.kind == "BSRAM" and {nets[pin] for pin in clock_pins(cell)} <= self._clocks:
                yield from self._memory_takes(cell, *pins)
            else:
                yield from map(self.formula.xor, *pins)

    def _memory_takes(self, cell: Cell, good: list[int], its: list[int]) -> Iterable[int]:
        """Differences at the pins of a block RAM that count: CLK, CE, with CE all but DI, and DI
        where it is written.
        """
        words, half = BitVectorLogic(self.formula), len(good) // 2
        for side in (slice(half), slice(half, None)):
            (clock, enable, write, *rest) = map(self.formula.xor, good[side], its[side])
            yield clock
            yield enable
            enabled, written = good[side][1:3]
            for at, differs in enumerate([write, *rest]):
                needs = [enabled, written] if at > ADDRESS_BITS else [enabled]
                yield words.all_of([*needs, differs])

    def _shown(self, twin: "_Twin") -> Iterable[int]:
        for nets in self._tables.netlist.outputs.values():
            for net in nets:
                if net in twin.values:
                    yield self.formula.xor(self.good[net], twin[net])


@dataclass
class _Twin:
    """Literals of the mutant's nets: those of the good chip, but for ``values``."""

    formula: Formula
    good: Mapping[int, int]
    constants: Mapping[int, int]
    values: Literals = field(default_factory=dict)

    def __getitem__(self, net: int) -> int:
        for known in (self.values, self.good, self.constants):
            if net in known:
                return known[net]
        self.values[net] = self.formula.new()  # of a cell that only the mutant has
        return self.values[net]
