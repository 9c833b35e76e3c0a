# SPDX-License-Identifier: MIT
"""Numbers that any family of models shares: fixed point, and the choice of a token from logits.

Read ``qformat`` (formats and the one rounding rule, for integers, arrays and gateware alike),
``formats`` (of logits, temperature and noise), ``trivium`` (random bits), ``gumbel`` (noise from
16 of them), ``sampler`` (arg max of logits and noise) and ``logit_crc`` (by which two
implementations are compared). ``arrays`` names the types of arrays.

Imports NumPy, and nothing of ours.
"""
