# SPDX-License-Identifier: MIT
"""A netlist as a formula: what its nets may be in one cycle, and in the next.

    formula = Formula()
    now = Frame(formula, tables)                 nets -> literals, the state is anything
    after = now.following()                      nets one cycle later
    formula.solve([now[net], -after[net]])       whether there is such a cycle

A literal is a number, negated for "not" (as in DIMACS). LUTs and carry cells are encoded as they
are; registers take what they do in `glintfpga.sim.gowin.netlist.netlist`. What memories say, what
pads hear, and what all `FLOATING` inputs read may be anything in every cycle; a multiplier says any
number in the range of its products (`glintfpga.sim.gowin.equivalence.multiplier_range`); a PLL has
locked. So more cycles satisfy the formula than the chip can have: what it excludes, the chip
excludes. The solver is CaDiCaL, by way of PySAT.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product

from pysat.solvers import Solver

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.equivalence.multiplier_range import product_clauses
from glintfpga.sim.gowin.netlist.flat_netlist import FlatNetlist, clock_pins, comb_arcs, input_nets
from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH, LOW, Cell

__all__ = ["TRUE", "Formula", "Frame", "Literals", "is_plain"]

TRUE = 1
"""The literal that always holds; ``-TRUE`` never does."""

Literals = dict[int, int]
"""Of nets."""

_XOR, _MUX = 0x6666, 0xCACA


class Formula:
    """Clauses, and gates made of them. `Formula.model` is what the last `solve` found."""

    def __init__(self) -> None:
        self._solver = Solver(name="cadical153")
        self._top = TRUE
        self.model: Sequence[int] = ()
        """Literals, that of variable v at v - 1."""
        self._solver.add_clause([TRUE])

    def new(self) -> int:
        """A literal that may be anything."""
        self._top += 1
        return self._top

    def add(self, clause: Iterable[int]) -> None:
        """One of these literals holds."""
        kept = [literal for literal in clause if literal != -TRUE]
        if TRUE not in kept:
            self._solver.add_clause(kept)

    def solve(self, assumptions: Sequence[int] = ()) -> bool:
        """Whether all that was added can hold together with the assumptions."""
        found = bool(self._solver.solve(assumptions=list(assumptions)))
        self.model = self._solver.get_model() if found else ()
        return found

    def table(self, init: int, inputs: Sequence[int]) -> int:
        """The output of a table of up to four inputs, the first one least significant."""

        def entry(values: Mapping[int, int]) -> int:
            return init >> sum(1 << at for at, value in values.items() if value) & 1

        known = {at: int(lit == TRUE) for at, lit in enumerate(inputs) if abs(lit) == TRUE}
        free = [at for at in range(len(inputs)) if at not in known]
        rows = [known | dict(zip(free, bits, strict=True)) for bits in _bits(len(free))]
        needed = [
            at for at in free if any(entry(row) != entry(row | {at: 1 - row[at]}) for row in rows)
        ]
        if not needed:
            return TRUE if entry(rows[0]) else -TRUE
        if len(needed) == 1:
            return inputs[needed[0]] * (1 if entry(rows[0] | {needed[0]: 1}) else -1)
        out = self.new()
        for bits in _bits(len(needed)):
            row = dict(zip(needed, bits, strict=True))
            here = [-inputs[at] if high else inputs[at] for at, high in row.items()]
            self.add([*here, out if entry(rows[0] | row) else -out])
        return out

    def implying(self, literals: Iterable[int]) -> int:
        """A literal that makes one of these hold."""
        some = self.new()
        self.add([-some, *literals])
        return some

    def xor(self, one: int, other: int) -> int:
        """``one ^ other``."""
        if abs(one) == abs(other):
            return -TRUE if one == other else TRUE
        return self.table(_XOR, (one, other))

    def choose(self, select: int, low: int, high: int) -> int:
        """``high if select else low``."""
        return low if low == high else self.table(_MUX, (low, high, select))


def _bits(count: int) -> Iterator[tuple[int, ...]]:
    return product((0, 1), repeat=count)


class Frame:
    """One cycle, after everything has settled."""

    def __init__(
        self, formula: Formula, tables: FlatNetlist, state: Mapping[int, int] | None = None
    ):
        """``state``: literals of nets that registers drive, where they are known.

        Raises ``InputError`` for a clock that is read as data: it has two values per cycle.
        """
        if any(
            net == tables.clock and pin not in clock_pins(cell)
            for cell in tables.cells
            for pin, net in enumerate(input_nets(cell))
        ):
            raise InputError("the clock is read as data: that is no formula of one cycle")
        self.formula = formula
        self.tables = tables
        self.order = [
            at for at in map(int, tables.order) if tables.cells[at].kind in ("LUT4", "ALU")
        ]
        self.literals: Literals = {LOW: -TRUE, HIGH: TRUE}
        self.literals |= dict.fromkeys(tables.locks, TRUE)
        self.literals |= state or {}
        logic = {net for at in self.order for net in comb_arcs(tables.cells[at])[1]}
        pads = {net for nets in tables.netlist.inputs.values() for net in nets}
        pins = [net for cell in tables.cells for net in input_nets(cell)]
        for ports in (*(cell.ports for cell in tables.cells), *_pads(tables)):
            pins += [net for nets in ports.values() for net in nets]
        for net in pins:
            if net not in self.literals and net not in logic:
                self.literals[net] = formula.new()
        self._moving = (
            {FLOATING}
            | pads
            | {
                net
                for cell in tables.cells
                for net in comb_arcs(cell)[1]
                if cell.kind not in ("LUT4", "ALU")
            }
        )
        """Nets that may change from one edge to the next, and not by it."""
        driven = self._moving | logic
        self._held = [net for net in self.literals if net > HIGH and net not in driven]
        for at in self.order:
            cell = tables.cells[at]
            self.literals |= self.outputs(cell, [self[net] for net in input_nets(cell)])
        for cell in tables.cells:
            if cell.kind == "MULT" and not comb_arcs(cell)[0]:
                # One without registers may be in a loop of a mutant: there is no product to go by.
                for clause in product_clauses(cell):
                    formula.add(self[net] if net > 0 else -self[-net] for net in clause)
            if cell.kind == "DFF" and cell.parameters["ASYNC"]:
                # It has settled: where it is set or reset, it already is.
                value = self[cell.ports["Q"][0]] * (1 if cell.parameters["VALUE"] else -1)
                formula.add([-self[input_nets(cell)[3]], value])

    def __getitem__(self, net: int) -> int:
        return self.literals[net]

    def outputs(self, cell: Cell, inputs: Sequence[int], init: int | None = None) -> Literals:
        """What a LUT or carry cell makes of its inputs, with another table if ``init``."""
        formula, ports = self.formula, cell.ports
        init = cell.parameters["INIT"] if init is None else init
        high = formula.table(init, inputs[:4])
        if cell.kind == "LUT4":
            return dict.fromkeys(ports["F"], high)
        found: Literals = {}
        if sums := ports.get("SUM", ()):
            found |= dict.fromkeys(sums, formula.xor(high, inputs[4]))
        if carries := ports.get("COUT", ()):
            low = formula.table(init & 0xF, inputs[:2])
            found |= dict.fromkeys(carries, formula.choose(high, low, inputs[4]))
        return found

    def taken(self, cell: Cell, inputs: Sequence[int]) -> int:
        """What a register holds after the next edge; ``inputs`` are D, CLK, CE, SR."""
        data, _, enable, reset = inputs
        kept = self.formula.choose(enable, self[cell.ports["Q"][0]], data)
        return self.formula.choose(reset, kept, TRUE if cell.parameters["VALUE"] else -TRUE)

    def holding(self, state: Mapping[int, bool]) -> list[int]:
        """Literals that make registers and memories say what they do in ``state``, values of all
        nets; what pads hear and what multipliers say is left open.
        """
        at_once = {
            cell.ports["Q"][0]: self[input_nets(cell)[3]]
            for cell in self.tables.cells
            if cell.kind == "DFF" and cell.parameters["ASYNC"]
        }
        given = [self.literals[net] for net in self.tables.locks]
        for net in self._held:
            literal = self[net] if state[net] else -self[net]
            # One that is set or reset at once may have been since.
            given.append(
                self.formula.implying([literal, at_once[net]]) if net in at_once else literal
            )
        return given

    def is_steady(self, net: int) -> bool:
        """Whether a net keeps its value from edge to edge: registers alone say what it is."""
        cells = self.tables.cells
        reads = {out: input_nets(cells[at]) for at in self.order for out in comb_arcs(cells[at])[1]}
        moving = set(self._moving)
        for cell in cells:
            if cell.kind == "DFF" and not self._moves_at_edges(cell):
                moving |= set(cell.ports["Q"])
        found, edge = {net}, [net]
        while edge:
            before = set(reads.get(edge.pop(), ())) - found
            found |= before
            edge += before
        return not found & moving

    def _moves_at_edges(self, cell: Cell) -> bool:
        """Whether a register has the clock of all others, and nothing sets it at once."""
        at_once = cell.parameters["ASYNC"] and self[input_nets(cell)[3]] != -TRUE
        return is_plain(cell, self.tables) and not at_once

    def following(self) -> "Frame":
        """The next cycle. Registers with another clock or edge may hold anything then."""
        state: Literals = {}
        at_once: list[tuple[Cell, int]] = []
        for cell in self.tables.cells:
            if cell.kind != "DFF" or not is_plain(cell, self.tables):
                continue
            after = self.taken(cell, [self[net] for net in input_nets(cell)])
            if cell.parameters["ASYNC"]:
                at_once.append((cell, after))
                after = self.formula.new()
            state[cell.ports["Q"][0]] = after
        frame = Frame(self.formula, self.tables, state)
        for cell, after in at_once:
            now, (_, _, _, reset) = frame[cell.ports["Q"][0]], input_nets(cell)
            sign = 1 if cell.parameters["VALUE"] else -1
            self.formula.add([-sign * after, sign * now])
            if self.is_steady(reset):  # else it may have been set in between
                self.formula.add([frame[reset], -sign * now, sign * after])
        return frame


def _pads(tables: FlatNetlist) -> tuple[Mapping[str, tuple[int, ...]], ...]:
    return tables.netlist.inputs, tables.netlist.outputs


def is_plain(cell: Cell, tables: FlatNetlist) -> bool:
    """Whether a register takes its input at the rising edge of the clock of all others."""
    return input_nets(cell)[1] == tables.clock and not cell.parameters["NEGEDGE"]
