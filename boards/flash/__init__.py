# SPDX-License-Identifier: MIT
"""Writing a bitstream to a board.

`openfpgaloader` finds the flash tool, checks the bitstream and runs the tool; `failures` maps what
the tool prints when it fails to an error with the next step, and has the advice that ``doctor``
gives too.

Imports ``boards.board``, ``boards.catalog``, ``boards.gowin.bitstream_file`` and ``quant``; needs
no Amaranth.
"""
