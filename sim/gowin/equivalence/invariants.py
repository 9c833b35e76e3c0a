# SPDX-License-Identifier: MIT
"""What never happens in a chip, shown by induction.

Recorded runs have never used some entries of the tables: some values of the nets that lead there
never came together (`candidates`). A fault would need some to come together (`needed`). Some of it
was chance, some cannot be. `never` keeps the largest set of such clauses that carries itself: they
hold in one known state, and where all of them hold in a cycle, all hold in the next, whatever comes
in (the inductive fixed point of van Eijk, "Sequential equivalence checking based on structural
similarities", IEEE Trans. CAD 19(7), 2000; as an algorithm on candidates, Houdini). So they hold
from that state on for ever.

A clause is a tuple of nets, negated for "low": one of these is so in every cycle.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.equivalence.cnf import TRUE, Formula, Frame, is_plain
from glintfpga.sim.gowin.faults.mutants import Patch
from glintfpga.sim.gowin.netlist.flat_netlist import FlatNetlist, input_nets
from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH

__all__ = ["Clause", "candidates", "needed", "never", "require"]

Clause = tuple[int, ...]

AT_ONCE = 1000
"""Clauses that one question is about."""
STAGES = 12
"""How many registers of a pipeline a clause is followed back through."""


def candidates(tables: FlatNetlist, seen: Sequence[int], state: Mapping[int, bool]) -> list[Clause]:
    """Values of the inputs of LUTs and carry cells that never came together, as clauses; and that
    registers stay as they are in ``state``, which has the values of all nets.

    ``seen``: for each cell the set of addresses that were used (`BitParallelSim.seen`). All
    combinations of inputs are there, not only the shortest: where "never both" does not carry
    itself, "never both while c" may.
    """
    registers = [cell.ports["Q"][0] for cell in tables.cells if cell.kind == "DFF"]
    found: dict[Clause, None] = {(net if state[net] else -net,): None for net in registers}
    for at, cell in enumerate(tables.cells):
        if cell.kind not in ("LUT4", "ALU"):
            continue
        nets = input_nets(cell)[:4]
        live = [pin for pin, net in enumerate(nets) if net > FLOATING]
        came = [address for address in range(16) if seen[at] >> address & 1]
        for count in range(1, len(live) + 1):
            for pins in combinations(live, count):
                have = {tuple(address >> pin & 1 for pin in pins) for address in came}
                for values in product((0, 1), repeat=count):
                    if values not in have:
                        pairs = zip(pins, values, strict=True)
                        found |= _not_together((nets[pin], value) for pin, value in pairs)
    return list(found)


def needed(tables: FlatNetlist, patches: Iterable[Patch]) -> list[Clause]:
    """That what another entry of a table would need never comes together, nor any part of it; and
    the same of the registers that it went through before, where it comes out of a pipeline.
    """
    found: dict[Clause, None] = {}
    source = _sources(tables)
    for at, nets, table in (one for patch in patches for one in patch.changed_luts(tables)):
        changed = table ^ tables.cells[at].parameters["INIT"]
        for address in range(16):
            pins = [(net, address >> pin & 1) for pin, net in enumerate(nets[:4])]
            possible = all(net != 1 - value for net, value in pins if net <= HIGH)
            if possible and changed >> address & 1:
                live = [(net, value) for net, value in pins if FLOATING < net < tables.size]
                for count in range(1, len(live) + 1):
                    for some in combinations(live, count):
                        found |= _not_together(some)
    for clause in list(found):
        for _ in range(STAGES):
            if not all(abs(literal) in source for literal in clause):
                break
            back = [source[abs(literal)] * (1 if literal > 0 else -1) for literal in clause]
            clause = tuple(sorted(set(back)))
            if not any(-literal in clause for literal in clause):
                found[clause] = None
    return list(found)


def _not_together(values: Iterable[tuple[int, int]]) -> dict[Clause, None]:
    clause = {-net if value else net for net, value in values}
    if any(-literal in clause for literal in clause):
        return {}
    return {tuple(sorted(clause)): None}


def _sources(tables: FlatNetlist) -> dict[int, int]:
    """For each net the one, negated if inverted, that it is after one register."""
    inner: dict[int, int] = {}
    for at in map(int, tables.order):
        cell = tables.cells[at]
        if cell.kind == "LUT4":
            table, nets = cell.parameters["INIT"], input_nets(cell)
            for pin, plain in enumerate((0xAAAA, 0xCCCC, 0xF0F0, 0xFF00)):
                if table in (plain, plain ^ 0xFFFF) and nets[pin] > FLOATING:
                    before = inner.get(nets[pin], nets[pin])
                    inner[cell.ports["F"][0]] = before if table == plain else -before
    held = {}
    for cell in tables.cells:
        if cell.kind == "DFF" and is_plain(cell, tables) and input_nets(cell)[0] > FLOATING:
            data = input_nets(cell)[0]
            held[cell.ports["Q"][0]] = inner.get(data, data)
    comb_arcs = {
        net: held[abs(before)] * (1 if before > 0 else -1)
        for net, before in inner.items()
        if abs(before) in held
    }
    return held | comb_arcs


def never(
    tables: FlatNetlist, clauses: Sequence[Clause], states: Sequence[Mapping[int, bool]]
) -> list[Clause]:
    """Those of the clauses that hold in all ``states``, whatever the pads hear, and from then on.

    A state has the values of all nets. Clauses are dropped as soon as a cycle is found in which
    all that are left hold, and one of them does not in the next; what is left when there is no such
    cycle is the answer.
    """
    formula = Formula()
    now = Frame(formula, tables)
    for state in states:
        given = now.holding(state)
        if not formula.solve(given):
            raise InputError("there is no cycle to begin with: anything would follow from that")
        began = [_literals(now, clause) for clause in clauses]
        kept = _unbroken(formula, began, lambda alive, given=given: given)  # type: ignore[misc]
        clauses = [clause for clause, holds in zip(clauses, kept, strict=True) if holds]
    held = [formula.implying(_literals(now, clause)) for clause in clauses]
    after = now.following()
    if not formula.solve():
        raise InputError("no cycle follows on any other: anything would follow from that")
    kept = _unbroken(
        formula,
        [_literals(after, clause) for clause in clauses],
        lambda alive: [held[at] for at in np.flatnonzero(alive)],
    )
    return [clause for clause, holds in zip(clauses, kept, strict=True) if holds]


def _unbroken(
    formula: Formula,
    rows: Sequence[Sequence[int]],
    assumed: Callable[[NDArray[np.bool_]], list[int]],
) -> NDArray[np.bool_]:
    """Which clauses no model breaks, when all that ``assumed`` makes of the others holds."""
    alive = np.ones(len(rows), bool)
    if not rows:
        return alive
    broken = [formula.new() for _ in rows]
    for literal, row in zip(broken, rows, strict=True):
        for one in row:
            formula.add([-literal, -one])
    table = _table(rows)
    parts = [range(at, min(at + AT_ONCE, len(rows))) for at in range(0, len(rows), AT_ONCE)]
    goals = [formula.implying(broken[at] for at in part) for part in parts]
    settled = 0
    while settled < len(goals):
        for goal in goals:
            settled += 1
            while formula.solve([goal, *assumed(alive)]):
                fallen = alive & ~_hold(table, formula.model)
                for at in np.flatnonzero(fallen):
                    formula.add([-broken[at]])
                alive &= ~fallen
                settled = 0
    return alive


def require(frame: Frame, clauses: Iterable[Clause]) -> None:
    """Let the clauses hold in a cycle. Raises ``InputError`` when no cycle is left."""
    for clause in clauses:
        frame.formula.add(_literals(frame, clause))
    if not frame.formula.solve():
        raise InputError("the clauses leave no cycle: anything would follow from them")


def _literals(frame: Frame, clause: Clause) -> list[int]:
    return [frame[net] if net > 0 else -frame[-net] for net in clause]


def _table(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    table = np.full((len(rows), max(map(len, rows))), -TRUE, np.int64)
    for line, row in zip(table, rows, strict=True):
        line[: len(row)] = row
    return table


def _hold(table: NDArray[np.int64], model: Sequence[int]) -> NDArray[np.bool_]:
    """Which clauses hold in a model."""
    high = np.array([0, *model]) > 0
    held: NDArray[np.bool_] = (high[np.abs(table)] == (table > 0)).any(axis=1)
    return held
