# SPDX-License-Identifier: MIT
"""What the row machine for blink is given: an image, and a schedule.

Read in this order: `layout` places the rows of a model in the machine's two banks;
`image_format` defines the bytes around them, `image` writes them and `image_reader` reads and
checks them; `golden` computes what the self-test compares with. `schedule` generates the control
words that the machine plays, and counts their cycles; `listing` prints a model and its cycles.

What a machine can hold is in `quant.blink.limits`. Imports ``quant.blink``, where the numbers
themselves are defined, ``quant.errors`` and ``quant.files``.
"""
