# SPDX-License-Identifier: MIT
"""Merging trained models.

Read in this order: `align` has the symmetries of blink and brings one model as close to another as
they allow; `slerp` interpolates between two; `tournament` merges the best checkpoints of runs as
long as that helps; `score_worker` scores one checkpoint in a process of its own.

Imports ``train.run`` and ``quant``.
"""
