# SPDX-License-Identifier: MIT
"""Fault injection: which faults in a bitstream do recorded runs detect?

In reading order: `patches` (a fault as a difference between copies of a simulation), `mutants` (one
fault and its outcome), `sampler` (draws faults from the fuses), `campaign` (records, proves,
replays), `result` (counts for proof.json).

Imports ``quant``, ``sim.gowin.decode``, ``sim.gowin.equivalence`` and ``sim.gowin.netlist``.
"""
