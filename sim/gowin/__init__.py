# SPDX-License-Identifier: MIT
"""Decoding, simulation and proof of Gowin bitstreams, whatever design is in them.

In the order of use: `netlist` (the circuit of chip primitives, and its simulators), `decode` (from
a .fs file to that circuit), `equivalence` (SAT: two circuits, or a circuit and a fault in it),
`faults` (campaigns of fault injection).

Imports nothing of ours but board data (`glintfpga.boards.board`, ``toolchain``,
``gowin.bitstream_file``, ``gowin.wires``), the errors and the cache of compiled code: it could be a
package of its own. What it needs to know of a design is handed in: pads of the line, stimuli,
proved claims. A contract of import-linter in pyproject.toml keeps it so.
"""
