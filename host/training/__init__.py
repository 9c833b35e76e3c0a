# SPDX-License-Identifier: MIT
"""What the commands of training share, and the pictures they draw.

Read in this order: `recipe` turns options, a file or an earlier run into a training config;
`corpus_and_scores` finds the text and scores a checkpoint; `curves` draws the losses of a run,
`bracket` the merges of a tournament.

Imports ``train``, where the training itself is, ``quant``, ``host.console``, ``host.models`` and
``host.report`` for its markup.
"""
