# SPDX-License-Identifier: MIT
"""Stimuli: conversations over the wire protocol that exercise the whole chip.

`conversations` lists them and says what each one is for; `driver` is the host that holds them.
Their parts: `shapes`, `lut_tables`, `near_ties` and `gumbel_entries` make models and questions for
them, `link_faults` disturbs the line.

Imports ``firmware``, ``quant``, ``sim.gowin.netlist``, ``sim.host`` and ``sim.line``.
"""
