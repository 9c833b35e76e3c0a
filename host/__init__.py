# SPDX-License-Identifier: MIT
"""The command line: what a person starts, and everything that talks to a port or a screen.

`cli` lists the commands and turns what they raise into one line and an exit code; ``commands``
has one file per command. The other folders are what commands are made of, by purpose:

    console     the terminal: errors, progress, signals, streams, text
    files       input and output files that a user names
    ports, device, chat    serial ports, the client of a device, conversations
    doctor, report, training, proof, tuning    what commands of such names do

`models` finds the model that a user means. Imports ``boards``, ``firmware``, ``quant``, ``sim`` and
``train``, inside functions where that is slow; ``--help`` loads neither NumPy nor Amaranth.
"""
