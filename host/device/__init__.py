# SPDX-License-Identifier: MIT
"""The client of a device, the same for a board, a simulation and software.

Read in this order:

    link        one device on a line: greetings, rates, patience, lines that are lost
    client      its commands as methods, answers as iterators
    connect     what every command does first: open, greet, load
    families, describe    machine and model of a hello, by family, and for people
    bench, verify    its speed, and its logits against the reference

Imports ``boards``, ``firmware``, ``quant``, ``host.console``, ``host.models`` and ``host.ports``;
never ``host.chat`` or a command.
"""
