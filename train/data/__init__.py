# SPDX-License-Identifier: MIT
"""Text for training: where it is from, whether it may be used, and the streams made of it.

Read in this order: `manifest` lists files with origin and license; `documents` and `dialogues` read
them; `gate` is the check before a training, with `words`, `duplicates` and `overlap` (with
evaluation sets). `streams` makes the ids once, with `spacing` (as WikiText is spaced) and
`difficulty` (the documents that a small model finds easy); `corpus` draws windows from them.
`fineweb` and `python_docs` are two sources of text.

Imports ``quant``; nothing else of ``train``.
"""
