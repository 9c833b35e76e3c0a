# SPDX-License-Identifier: MIT
"""Inductive invariants of a chip, as clauses over its nets.

Recorded runs never use some entries of the LUT tables: the input combinations that select them did
not occur (`candidates`). A fault in a table shows only if such a combination occurs
(`activation_clauses` lists the ones that matter). Some did not occur by chance, some cannot.
`inductive_clauses` finds the largest subset of the clauses that is inductive: all of them are true
in the given states, and if all are true in a cycle, all are true in the next, for any input. These
are invariants from those states on. (The greatest fixed point of van Eijk, "Sequential equivalence
checking based on structural similarities", IEEE Trans. CAD 19(7), 2000; on given candidates, the
Houdini algorithm.)

A clause is a tuple of nets, negated for "low": in every cycle at least one of these is so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.equivalence.cnf import TRUE, Formula, Frame, is_plain
from glintfpga.sim.gowin.faults.patches import Patch
from glintfpga.sim.gowin.netlist.flat_netlist import FlatNetlist, input_nets
from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH

__all__ = ["Clause", "activation_clauses", "assume", "candidates", "inductive_clauses"]

Clause = tuple[int, ...]

CLAUSES_PER_QUERY = 1000
"""Clauses that one call of the solver is about."""
STAGES = 12
"""Pipeline registers that a clause is traced back through."""

_BUFFERS = (0xAAAA, 0xCCCC, 0xF0F0, 0xFF00)
"""Tables of a LUT that passes on one of its inputs."""


def candidates(
    flat: FlatNetlist, used_entries: Sequence[int], state: Mapping[int, bool]
) -> list[Clause]:
    """Clauses that recorded runs do not contradict.

    Each excludes a combination of inputs of a LUT or carry cell that did not occur, or claims that
    a register is constant.

    Parameters
    ----------
    used_entries:
        For each cell the set of its table's addresses that were used
        (`BitParallelSim.used_entries`).
    state:
        Values of all nets; constant registers keep theirs.

    All subsets of inputs give clauses, not only the smallest ones: where "never a and b" is not
    inductive, "never a, b and c" may be.
    """
    registers = [cell.ports["Q"][0] for cell in flat.cells if cell.kind == "DFF"]
    found: dict[Clause, None] = {(net if state[net] else -net,): None for net in registers}
    for at, cell in enumerate(flat.cells):
        if cell.kind not in ("LUT4", "ALU"):
            continue
        nets = input_nets(cell)[:4]
        live = [pin for pin, net in enumerate(nets) if net > FLOATING]
        addresses = [address for address in range(16) if used_entries[at] >> address & 1]
        for count in range(1, len(live) + 1):
            for pins in combinations(live, count):
                occurred = {tuple(address >> pin & 1 for pin in pins) for address in addresses}
                for values in product((0, 1), repeat=count):
                    if values not in occurred:
                        pairs = zip(pins, values, strict=True)
                        found |= _blocking_clause((nets[pin], value) for pin, value in pairs)
    return list(found)


def activation_clauses(flat: FlatNetlist, patches: Iterable[Patch]) -> list[Clause]:
    """Clauses: the input combinations that would select a changed LUT entry never occur.

    All subsets of the inputs, and the same clauses traced back through up to `STAGES` registers of
    a pipeline.
    """
    found: dict[Clause, None] = {}
    for at, nets, table in (one for patch in patches for one in patch.changed_luts(flat)):
        changed = table ^ flat.cells[at].parameters["INIT"]
        for address in range(16):
            pins = [(net, address >> pin & 1) for pin, net in enumerate(nets[:4])]
            possible = all(net != 1 - value for net, value in pins if net <= HIGH)
            if possible and changed >> address & 1:
                live = [(net, value) for net, value in pins if FLOATING < net < flat.size]
                for count in range(1, len(live) + 1):
                    for some in combinations(live, count):
                        found |= _blocking_clause(some)
    stage_before = _pipeline_inputs(flat)
    for clause in list(found):
        for _ in range(STAGES):
            if not all(abs(literal) in stage_before for literal in clause):
                break
            back = [stage_before[abs(literal)] * (1 if literal > 0 else -1) for literal in clause]
            clause = tuple(sorted(set(back)))
            if not any(-literal in clause for literal in clause):
                found[clause] = None
    return list(found)


def _blocking_clause(values: Iterable[tuple[int, int]]) -> dict[Clause, None]:
    """The clause that excludes a combination of net values; none if it contradicts itself."""
    clause = {-net if value else net for net, value in values}
    if any(-literal in clause for literal in clause):
        return {}
    return {tuple(sorted(clause)): None}


def _pipeline_inputs(flat: FlatNetlist) -> dict[int, int]:
    """For each net that is another one, delayed by one register: that net, negated if inverted."""
    buffered: dict[int, int] = {}
    for at in map(int, flat.order):
        cell = flat.cells[at]
        if cell.kind == "LUT4":
            table, nets = cell.parameters["INIT"], input_nets(cell)
            for pin, plain in enumerate(_BUFFERS):
                if table in (plain, plain ^ 0xFFFF) and nets[pin] > FLOATING:
                    source = buffered.get(nets[pin], nets[pin])
                    buffered[cell.ports["F"][0]] = source if table == plain else -source
    delayed = {}
    for cell in flat.cells:
        if cell.kind == "DFF" and is_plain(cell, flat) and input_nets(cell)[0] > FLOATING:
            data = input_nets(cell)[0]
            delayed[cell.ports["Q"][0]] = buffered.get(data, data)
    behind_buffers = {
        net: delayed[abs(source)] * (1 if source > 0 else -1)
        for net, source in buffered.items()
        if abs(source) in delayed
    }
    return delayed | behind_buffers


def inductive_clauses(
    flat: FlatNetlist, clauses: Sequence[Clause], states: Sequence[Mapping[int, bool]]
) -> list[Clause]:
    """Those of the clauses that are true in all ``states``, for any input, and from then on.

    A state has the values of all nets. As long as there is a cycle in which all remaining clauses
    are true, and in the next one of them is not, that one is dropped.
    """
    formula = Formula()
    now = Frame(formula, flat)
    for state in states:
        given = now.in_state(state)
        if not formula.solve(given):
            raise InputError("there is no cycle to begin with: anything would follow from that")
        base = [_literals(now, clause) for clause in clauses]
        kept = _greatest_fixed_point(
            formula,
            base,
            lambda alive, given=given: given,  # type: ignore[misc]
        )
        clauses = [clause for clause, holds in zip(clauses, kept, strict=True) if holds]
    hypotheses = [formula.implies_any(_literals(now, clause)) for clause in clauses]
    after = now.next_frame()
    if not formula.solve():
        raise InputError("no cycle follows on any other: anything would follow from that")
    kept = _greatest_fixed_point(
        formula,
        [_literals(after, clause) for clause in clauses],
        lambda alive: [hypotheses[at] for at in np.flatnonzero(alive)],
    )
    return [clause for clause, holds in zip(clauses, kept, strict=True) if holds]


def _greatest_fixed_point(
    formula: Formula,
    rows: Sequence[Sequence[int]],
    assumed: Callable[[NDArray[np.bool_]], list[int]],
) -> NDArray[np.bool_]:
    """Which clauses (rows of literals) remain when those with a counterexample are dropped.

    ``assumed`` gives the assumptions that follow from the clauses that remain.
    """
    alive = np.ones(len(rows), bool)
    if not rows:
        return alive
    broken = [formula.new() for _ in rows]
    for literal, row in zip(broken, rows, strict=True):
        for one in row:
            formula.add([-literal, -one])
    matrix = _matrix(rows)
    parts = [
        range(at, min(at + CLAUSES_PER_QUERY, len(rows)))
        for at in range(0, len(rows), CLAUSES_PER_QUERY)
    ]
    goals = [formula.implies_any(broken[at] for at in part) for part in parts]
    settled = 0
    while settled < len(goals):
        for goal in goals:
            settled += 1
            while formula.solve([goal, *assumed(alive)]):
                dropped = alive & ~_satisfied(matrix, formula.model)
                for at in np.flatnonzero(dropped):
                    formula.add([-broken[at]])
                alive &= ~dropped
                settled = 0
    return alive


def assume(frame: Frame, clauses: Iterable[Clause]) -> None:
    """Add the clauses to a frame. Raises ``InputError`` when no cycle satisfies them."""
    for clause in clauses:
        frame.formula.add(_literals(frame, clause))
    if not frame.formula.solve():
        raise InputError("the clauses leave no cycle: anything would follow from them")


def _literals(frame: Frame, clause: Clause) -> list[int]:
    return [frame[net] if net > 0 else -frame[-net] for net in clause]


def _matrix(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    matrix = np.full((len(rows), max(map(len, rows))), -TRUE, np.int64)
    for line, row in zip(matrix, rows, strict=True):
        line[: len(row)] = row
    return matrix


def _satisfied(matrix: NDArray[np.int64], model: Sequence[int]) -> NDArray[np.bool_]:
    """Which clauses the assignment ``model`` satisfies."""
    high = np.array([0, *model]) > 0
    satisfied: NDArray[np.bool_] = (high[np.abs(matrix)] == (matrix > 0)).any(axis=1)
    return satisfied
