# SPDX-License-Identifier: MIT
"""The interface between the parser and the loops that drive the core."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.protocol import Reason, Status

__all__ = ["LoopsPort"]

LoopsPort = wiring.Signature(
    {
        "start": Out(1),
        "op": Out(8),
        "abort": Out(1),
        "busy": In(1),
        "done": In(1),
        "status": In(Status),
        "reason": In(Reason),
        "count": In(32),
    }
)
"""A command and its outcome, seen from the parser.

Members
-------
start : Out(1)
    Strobe while not ``busy``: a body of ``op`` follows, its length is right.
op : Out(8)
    PROMPT, SCORE or GENERATE, constant until ``done``.
abort : Out(1)
    The byte behind the body is the op ABORT.
busy : In(1)
done : In(1)
    Strobe. ``status``, ``reason`` and ``count`` are right from then to the next ``start``; unread
    bytes of the body may be left.
status, reason, count : In
    Fields of DONE.
"""
