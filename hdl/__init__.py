# SPDX-License-Identifier: MIT
"""The gateware: everything between a serial line and the next token, in Amaranth.

`device` joins a service and a machine and has no pins; a board's top level adds those. Read
`core_port` first, the seam between the two, then `device` (`hello_layout` says where the parts of
a HELLO lie, `link_sizes` how large rings and frames are), then one folder at a time:
``primitives`` (memories, multipliers, small arithmetic), ``link`` (bytes to reliable streams),
``service`` (messages to operations of a core), ``row`` (the machine that computes a token) and
``sampling`` (logits to a token).

Imports ``quant`` and ``firmware`` for formats, tables and schedules; never boards, sim or host.
``row`` and ``service`` do not import each other.
"""
