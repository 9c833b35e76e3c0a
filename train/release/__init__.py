# SPDX-License-Identifier: MIT
"""A model as it is published: weights, image, scores and a card.

`publish` fills the folder of a release, `card` writes its README.md from ``eval.json``, `samples`
lets the model write. The folders beside them are the shipped models.

Imports ``train.data``, ``train.engine``, ``train.run``, ``quant``, and ``firmware`` for the image.
"""
