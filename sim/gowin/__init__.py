# SPDX-License-Identifier: MIT
"""Decoding, simulation and proof of Gowin bitstreams, whatever design is in them.

In the order of use: `netlist` (the circuit of chip primitives, and its simulators), `decode` (from
a .fs file to that circuit), `equivalence` (SAT: two circuits, or a circuit and a fault in it),
`faults` (campaigns of fault injection).

Imports ``boards.board``, ``boards.toolchain``, ``boards.gowin.bitstream_file``,
``boards.gowin.wires``, ``quant.errors`` and ``quant.files.native``, and nothing else of ours: it
could be a package of its own. What it needs to know of a design is handed in: pads of the line,
stimuli, proved claims. A contract of import-linter in pyproject.toml keeps it so.
"""
