# SPDX-License-Identifier: MIT
"""The wire protocol, as host and device both have it. No model, no I/O, no clock of its own.

Read in this order:

    protocol    the rules in one page, and the numbers
    frames, hello    bodies to bytes on the wire; what a device reports of itself
    messages    the bodies of commands and answers
    streams, endpoint    rings of bytes with acks and credit; session, timers, retries
    session     the host's side on top of it: whole messages out, replies in
    byte_line   what carries the bytes: read, write, set_baud, clock

Imports ``quant.errors``. Everything that talks to a device imports this.
"""
