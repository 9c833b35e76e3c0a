# SPDX-License-Identifier: MIT
"""The row machine: computes a token of a blink model from rows of three numbers.

Weights, keys and values are rows in P banks, one bank per lane; a cycle works on one group of P
rows. `machine` joins what a device needs, `core` and `image_loader`, by the `load_port`. Read
``firmware/blink/schedule.py`` and `sequencer` for what happens when, `lane` for what happens in a
group, `core` for how it is joined, then the rest in the order of the data: `row_ram`, `norm`,
`operand` with `rope`, `addresses` with `position`, `newest_rows`, `weighted_sum`, `divide`,
`residual`; `block_table` has the description of the passes.

Imports ``hdl.core_port``, ``hdl.hello_layout``, ``hdl.link_sizes``, ``hdl.primitives``,
``hdl.sampling``, ``firmware`` and ``quant``; never ``hdl.service``.
"""
