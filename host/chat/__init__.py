# SPDX-License-Identifier: MIT
"""A chat at the terminal, on any device.

    loop              reads a line, answers it, until the end of input
    chat_session      the turns so far, which survive a lost line
    slash_commands    /clear, /load and the like
    keyboard          where questions come from: a terminal or a pipe
    history           the lines typed so far, kept between runs
    answer_speed      tokens per second, and where that number comes from

Imports ``firmware``, ``quant``, ``host.console``, ``host.device``, ``host.models`` and
``host.ports``; only the command ``chat`` imports it.
"""
