# SPDX-License-Identifier: MIT
"""Proofs about netlists, by SAT.

In reading order: `cnf` (a netlist as a formula, a frame per clock cycle), `multiplier_range` and
`bitvector` (clauses and gates for it), `netlist_equivalence` (a bitstream and the netlist that it
was placed from), `fault_equivalence` (a mutant and the good chip), `invariants` (inductive clauses,
which exclude states that cannot be reached).

Imports ``quant``, ``sim.gowin.netlist``, and ``sim.gowin.faults.patches`` for what a mutant is.
"""
