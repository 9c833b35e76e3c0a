# SPDX-License-Identifier: MIT
"""How many cycles each stage of the row machine takes: schedule and gateware both follow these.

A stage ends with a register. A multiplier takes one cycle, its operand registers, or two, where its
product has a register too: change one of the first seven numbers after the static timing has said
so, and schedule, core and listing follow.
"""

__all__ = [
    *("DIVIDE", "DOT", "ROTATE", "SCALE", "SQUARE", "SWIGLU", "WEIGH"),
    *("HIDDEN_ADD", "HIDDEN_X", "K_WRITE", "NORM", "ROTATED", "SCORE_ADD", "SCORE_X"),
    *("LOGIT", "TO_OPERAND", "VALUE", "V_WRITE", "Z"),
]

SQUARE = 1
"""y * y of the norm."""
SCALE = 1
"""y / sqrt of the norm, which is h."""
DOT = 1
"""A row times the operand, in a lane."""
ROTATE = 2
"""RoPE."""
WEIGH = 1
"""p or z times a row of the sum bank, in a lane."""
SWIGLU = 2
"""SiLU(gate) * up, in a lane."""
DIVIDE = 1
"""The weighted sum times the reciprocal."""

NORM = 2 + SQUARE + SCALE
"""From x to h at the multipliers: squares, their sum, a table, the product with it."""

# From the word of a group, unless another start is named:
TO_OPERAND = 2
"""To its rows and its operand at the multipliers: address, memory."""
VALUE = TO_OPERAND + DOT + 1
"""To its requantized value: products, their sum."""
LOGIT = TO_OPERAND + max(DOT, 1 + WEIGH) + 1
"""Of LOGIT, to the values of the rows of both banks; those of the sum bank are a cycle behind."""
ROTATED = VALUE + ROTATE
"""Of K or Q, to the rotated vector at the multipliers."""
K_WRITE = ROTATED + 1
"""Of K, to its write."""
V_WRITE = VALUE + 1
"""Of V, to its write, with all three numbers in one group."""
SCORE_ADD = VALUE + 1 + WEIGH + 1
"""Of SCORE, to the addition to the weighted sum: p, products, the lanes' sum."""
SCORE_X = SCORE_ADD + 2 + DIVIDE
"""Of the last SCORE, to the quotient: the sum, the table of reciprocals, the product."""
Z = VALUE + 1 + SWIGLU
"""Of GATE, to z at the multipliers: table of SiLU, product."""
HIDDEN_ADD = Z + WEIGH + 1
"""Of GATE, to the addition to the weighted sum."""
HIDDEN_X = HIDDEN_ADD + 1
"""Of the last GATE, to the shifted sum."""
