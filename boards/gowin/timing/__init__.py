# SPDX-License-Identifier: MIT
"""Static timing of a routed netlist: every path, by the chip database's own delays.

The router's report leaves out paths silently (`boards.gowin.untimed`). This one lists what it
leaves out. Read in this order:

    delays      the tables of a speed grade, and what is assumed where they have nothing
    nets        how late each wire of a routed net is
    cells       which pins start paths, end them, pass them on
    analysis    arrivals, slacks, the worst path of each kind
    report      the same as JSON, as text, and the margin that a build must have

Imports ``boards.board``, ``boards.toolchain``, ``boards.gowin`` and ``quant``.
"""
