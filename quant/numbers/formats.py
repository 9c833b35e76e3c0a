# SPDX-License-Identifier: MIT
"""Formats of what sampling meets: logits, noise and temperature. The same in every number plan."""

from glintfpga.quant.numbers.qformat import QFormat

__all__ = ["GUMBEL_NOISE", "LOGIT", "TEMPERATURE"]

LOGIT = QFormat(20, 8)
TEMPERATURE = QFormat(10, 8, signed=False)
GUMBEL_NOISE = QFormat(16, 10)
"""Gumbel noise G at temperature 1, the entries of its table."""
