# SPDX-License-Identifier: MIT
"""From logits to a token: noise, arg max, and a CRC of all logits.

`sampler` joins the parts and is the place to begin. `trivium` makes random words, `gumbel` turns
them into noise of a temperature, `argmax` finds the largest sum, `logit_crc` makes the checksum by
which host and self-test compare two implementations. ``quant/numbers`` has the same formulas in
Python; the tests hold both to the same bits.

Imports ``hdl.core_port``, ``hdl.primitives`` and ``quant.numbers``; has nothing of rows, of a
family of models or of the line.
"""
