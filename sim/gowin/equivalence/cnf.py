# SPDX-License-Identifier: MIT
"""A netlist as a CNF formula: one time frame per clock cycle.

    formula = Formula()
    now = Frame(formula, flat)                   net -> literal; the state is unconstrained
    after = now.next_frame()                     the nets one cycle later
    formula.solve([now[net], -after[net]])       is there a cycle with this transition?

A literal is a variable's number, negated for "not" (as in DIMACS). LUTs, carry cells and registers
are encoded exactly, as `glintfpga.sim.gowin.netlist.netlist` defines them. Memory outputs, primary
inputs and `FLOATING` are unconstrained in every cycle; the output of a multiplier is any number in
the range of its product (`glintfpga.sim.gowin.equivalence.multiplier_range`); every PLL has locked.
The formula is therefore an over-approximation: it has all behaviors of the chip and more. What is
unsatisfiable in the formula is impossible in the chip. The solver is CaDiCaL, through PySAT.
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
"""The constant literal true; ``-TRUE`` is false."""

Literals = dict[int, int]
"""Literals by net."""

_XOR, _MUX = 0x6666, 0xCACA
_LOGIC = ("LUT4", "ALU")


class Formula:
    """A CNF formula with a solver, and gates as clauses (Tseitin encoding)."""

    def __init__(self) -> None:
        self._solver = Solver(name="cadical153")
        self._top = TRUE
        self.model: Sequence[int] = ()
        """The assignment that `solve` found: the literal of variable v is at index v - 1."""
        self._solver.add_clause([TRUE])

    def new(self) -> int:
        """A new variable."""
        self._top += 1
        return self._top

    def add(self, clause: Iterable[int]) -> None:
        """Add a clause: at least one of these literals is true."""
        kept = [literal for literal in clause if literal != -TRUE]
        if TRUE not in kept:
            self._solver.add_clause(kept)

    def solve(self, assumptions: Sequence[int] = ()) -> bool:
        """Whether the formula is satisfiable under the assumptions."""
        found = bool(self._solver.solve(assumptions=list(assumptions)))
        self.model = self._solver.get_model() if found else ()
        return found

    def lut(self, init: int, inputs: Sequence[int]) -> int:
        """The output of a LUT with up to four inputs, the first one least significant.

        Constant inputs, and inputs that the output does not depend on, are simplified away.
        """

        def entry(values: Mapping[int, int]) -> int:
            return init >> sum(1 << at for at, value in values.items() if value) & 1

        known = {at: int(lit == TRUE) for at, lit in enumerate(inputs) if abs(lit) == TRUE}
        free = [at for at in range(len(inputs)) if at not in known]
        rows = [known | dict(zip(free, bits, strict=True)) for bits in _bits(len(free))]
        relevant = [
            at for at in free if any(entry(row) != entry(row | {at: 1 - row[at]}) for row in rows)
        ]
        if not relevant:
            return TRUE if entry(rows[0]) else -TRUE
        if len(relevant) == 1:
            return inputs[relevant[0]] * (1 if entry(rows[0] | {relevant[0]: 1}) else -1)
        out = self.new()
        for bits in _bits(len(relevant)):
            row = dict(zip(relevant, bits, strict=True))
            here = [-inputs[at] if high else inputs[at] for at, high in row.items()]
            self.add([*here, out if entry(rows[0] | row) else -out])
        return out

    def implies_any(self, literals: Iterable[int]) -> int:
        """A new literal that implies the disjunction of these."""
        literal = self.new()
        self.add([-literal, *literals])
        return literal

    def xor(self, one: int, other: int) -> int:
        """``one ^ other``."""
        if abs(one) == abs(other):
            return -TRUE if one == other else TRUE
        return self.lut(_XOR, (one, other))

    def mux(self, select: int, low: int, high: int) -> int:
        """``high if select else low``."""
        return low if low == high else self.lut(_MUX, (low, high, select))


def _bits(count: int) -> Iterator[tuple[int, ...]]:
    return product((0, 1), repeat=count)


class Frame:
    """One clock cycle, after the combinational logic has settled."""

    def __init__(self, formula: Formula, flat: FlatNetlist, state: Mapping[int, int] | None = None):
        """``state``: literals of register outputs, where they are known.

        Raises ``InputError`` for a clock that is read as data: it has two values per cycle.
        """
        _check_clock(flat)
        self.formula = formula
        self.flat = flat
        self.order = [at for at in map(int, flat.order) if flat.cells[at].kind in _LOGIC]
        """LUTs and carry cells, each after those that drive it."""
        self.literals: Literals = {LOW: -TRUE, HIGH: TRUE}
        self.literals |= dict.fromkeys(flat.locks, TRUE)
        self.literals |= state or {}
        logic = {net for at in self.order for net in comb_arcs(flat.cells[at])[1]}
        for net in _all_nets(flat):
            if net not in self.literals and net not in logic:
                self.literals[net] = formula.new()
        pads = (net for nets in flat.netlist.inputs.values() for net in nets)
        others = (cell for cell in flat.cells if cell.kind not in _LOGIC)
        self._unstable = {FLOATING, *pads, *(net for cell in others for net in comb_arcs(cell)[1])}
        """Nets that may change between two clock edges."""
        driven = self._unstable | logic
        self._state_nets = [net for net in self.literals if net > HIGH and net not in driven]
        for at in self.order:
            cell = flat.cells[at]
            self.literals |= self.outputs(cell, [self[net] for net in input_nets(cell)])
        self._constrain()

    def _constrain(self) -> None:
        """Add what is known of multipliers' outputs and of asynchronous registers."""
        for cell in self.flat.cells:
            if cell.kind == "MULT" and not comb_arcs(cell)[0]:
                # One without registers may be part of a mutant's combinational loop.
                for clause in product_clauses(cell):
                    self.formula.add(self[net] if net > 0 else -self[-net] for net in clause)
            if cell.kind == "DFF" and cell.parameters["ASYNC"]:
                # Settled: while its set or reset is active, it has that value.
                value = self[cell.ports["Q"][0]] * (1 if cell.parameters["VALUE"] else -1)
                self.formula.add([-self[input_nets(cell)[3]], value])

    def __getitem__(self, net: int) -> int:
        return self.literals[net]

    def outputs(self, cell: Cell, inputs: Sequence[int], init: int | None = None) -> Literals:
        """Output literals of a LUT or carry cell; ``init`` replaces its table."""
        formula, ports = self.formula, cell.ports
        init = cell.parameters["INIT"] if init is None else init
        high = formula.lut(init, inputs[:4])
        if cell.kind == "LUT4":
            return dict.fromkeys(ports["F"], high)
        found: Literals = {}
        if sums := ports.get("SUM", ()):
            found |= dict.fromkeys(sums, formula.xor(high, inputs[4]))
        if carries := ports.get("COUT", ()):
            low = formula.lut(init & 0xF, inputs[:2])
            found |= dict.fromkeys(carries, formula.mux(high, low, inputs[4]))
        return found

    def next_value(self, cell: Cell, inputs: Sequence[int]) -> int:
        """Value of a register after the next edge; ``inputs`` are D, CLK, CE, SR."""
        data, _, enable, reset = inputs
        kept = self.formula.mux(enable, self[cell.ports["Q"][0]], data)
        return self.formula.mux(reset, kept, TRUE if cell.parameters["VALUE"] else -TRUE)

    def in_state(self, state: Mapping[int, bool]) -> list[int]:
        """Assumptions that register and memory outputs have their values of ``state`` (values of
        all nets); primary inputs and multiplier outputs stay free.
        """
        asynchronous = {
            cell.ports["Q"][0]: self[input_nets(cell)[3]]
            for cell in self.flat.cells
            if cell.kind == "DFF" and cell.parameters["ASYNC"]
        }
        given = [self.literals[net] for net in self.flat.locks]
        for net in self._state_nets:
            literal = self[net] if state[net] else -self[net]
            # An asynchronous set or reset may have acted since.
            if net in asynchronous:
                literal = self.formula.implies_any([literal, asynchronous[net]])
            given.append(literal)
        return given

    def is_stable(self, net: int) -> bool:
        """Whether a net is stable between clock edges: only registers drive its fan-in cone."""
        cells = self.flat.cells
        reads = {out: input_nets(cells[at]) for at in self.order for out in comb_arcs(cells[at])[1]}
        unstable = set(self._unstable)
        for cell in cells:
            if cell.kind == "DFF" and not self._is_synchronous(cell):
                unstable |= set(cell.ports["Q"])
        found, edge = {net}, [net]
        while edge:
            before = set(reads.get(edge.pop(), ())) - found
            found |= before
            edge += before
        return not found & unstable

    def _is_synchronous(self, cell: Cell) -> bool:
        """Whether a register has the common clock and no active asynchronous set or reset."""
        asynchronous = cell.parameters["ASYNC"] and self[input_nets(cell)[3]] != -TRUE
        return is_plain(cell, self.flat) and not asynchronous

    def next_frame(self) -> "Frame":
        """The next cycle. Registers with another clock or edge are unconstrained in it."""
        state: Literals = {}
        asynchronous: list[tuple[Cell, int]] = []
        for cell in self.flat.cells:
            if cell.kind != "DFF" or not is_plain(cell, self.flat):
                continue
            after = self.next_value(cell, [self[net] for net in input_nets(cell)])
            if cell.parameters["ASYNC"]:
                asynchronous.append((cell, after))
                after = self.formula.new()
            state[cell.ports["Q"][0]] = after
        frame = Frame(self.formula, self.flat, state)
        for cell, after in asynchronous:
            now, (_, _, _, reset) = frame[cell.ports["Q"][0]], input_nets(cell)
            sign = 1 if cell.parameters["VALUE"] else -1
            self.formula.add([-sign * after, sign * now])
            if self.is_stable(reset):  # otherwise it may have acted in between
                self.formula.add([frame[reset], -sign * now, sign * after])
        return frame


def _check_clock(flat: FlatNetlist) -> None:
    if any(
        net == flat.clock and pin not in clock_pins(cell)
        for cell in flat.cells
        for pin, net in enumerate(input_nets(cell))
    ):
        raise InputError("the clock is read as data: that is no formula of one cycle")


def _all_nets(flat: FlatNetlist) -> Iterator[int]:
    for cell in flat.cells:
        yield from input_nets(cell)
    for ports in (*(c.ports for c in flat.cells), flat.netlist.inputs, flat.netlist.outputs):
        for nets in ports.values():
            yield from nets


def is_plain(cell: Cell, flat: FlatNetlist) -> bool:
    """Whether a register is clocked by the rising edge of the common clock."""
    return input_nets(cell)[1] == flat.clock and not cell.parameters["NEGEDGE"]
