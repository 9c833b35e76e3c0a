# SPDX-License-Identifier: MIT
"""The fastest clock of one board: found by trying, written down, used when it is asked for.

Read in this order: `search` tries one clock after the other and chooses; `board_under_test`
flashes and verifies a board at one; `retimed_file` makes the .fs file of a clock, and holds one to
its manifest; `records` keeps what was found, by USB serial number; `use` is ``--tuned``.

Imports ``boards``, ``firmware``, ``quant``, ``sim``, ``host.console``, ``host.device`` and
``host.ports``, whose lines read `records` for the rates of a tuned board.
"""
