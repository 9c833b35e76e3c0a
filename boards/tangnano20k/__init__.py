# SPDX-License-Identifier: MIT
"""The Sipeed Tang Nano 20K.

`board` has its facts: chip, clocks, capacity, the names that tools give it. Plain data, which
``chat`` and ``doctor`` read without Amaranth. `platform` has its pins and the templates of the
tools, for Amaranth; `boards.board.Board.platform` imports it.

A second board is a folder like this one and a line in `boards.catalog`. Imports ``boards.board``.
"""
