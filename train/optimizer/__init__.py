# SPDX-License-Identifier: MIT
"""From gradients to the next weights.

Read in this order: `adam` on one flat vector; `basis`, the directions in which its step is taken;
`bigram_start`, the first embedding; `scales`, which brings values into the chip's formats without
changing the model.

Imports ``train.engine`` and ``quant``.
"""
