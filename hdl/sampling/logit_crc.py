# SPDX-License-Identifier: MIT
"""The CRC-32 of all logits of a position, a group of logits per cycle."""

from functools import cache
from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.hdl.primitives.xor_network import XorNetwork
from glintfpga.quant.numbers.formats import LOGIT

__all__ = ["LogitCrc"]

_POLYNOMIAL = 0xEDB88320
_ONES = 0xFFFFFFFF


def _advance(state: int, bits: int) -> int:
    """Run the (reflected) CRC register over ``bits`` zero bits; backward if negative."""
    for _ in range(bits):
        state = state >> 1 ^ (_POLYNOMIAL if state & 1 else 0)
    for _ in range(-bits):
        state = (state ^ _POLYNOMIAL) << 1 | 1 if state >> 31 else state << 1
    return state


@cache
def _networks(lanes: int, width: int) -> tuple[XorNetwork, XorNetwork]:
    """(state to state, logits to state), see `LogitCrc`."""
    state = [_advance(1 << bit, 32 * lanes) for bit in range(32)]
    sign = _ONES << (width - 1) & _ONES
    word = [1 << bit for bit in range(width - 1)] + [sign]
    logits = [_advance(column, -32 * lane) for lane in range(lanes) for column in word]
    return XorNetwork.of(state, 32), XorNetwork.of(logits, 32)


class LogitCrc(wiring.Component):
    """``zlib.crc32`` over all groups since ``clear``, each logit an int32, little-endian.

    With A the 32 steps of the register for one word, s' = A**P s + sum of A**(P - lane) logit.
    Here the register is v with s = A**P v, so v' = A**P v + sum of A**-lane logit: lane 0 needs
    no matrix, and A**P v, which the next group needs anyway, is the CRC. A sign-extended logit
    is 20 inputs, not 32: the sign has the XOR of 13 columns. The inversions at both ends of a
    CRC-32 are a constant in each step.

    Two stages: the logits' part, registered, then the register itself. ``crc`` is right from the
    second cycle after the last ``valid`` on (latency 2); it comes from v through up to four LUTs.
    A group can come every cycle, the first of them with ``clear``. 212, 311 and 492 LUTs for 2, 4
    and 8 lanes.

    Parameters
    ----------
    lanes : int
        Logits per group (P).
    logit_bits : int
        At most 32.

    Members
    -------
    clear : In(1)
        Strobe: discard all groups up to now; ``valid`` in the same cycle counts as the first.
    valid : In(1)
        Strobe: absorb ``logits``.
    logits : In(ArrayLayout(signed(logit_bits), lanes))
        Lane 0 has the lowest id. The caller pads with zeros.
    crc : Out(32)
    """

    def __init__(self, *, lanes: int, logit_bits: int = LOGIT.width) -> None:
        if lanes < 1:
            raise ValueError(f"lanes must be at least 1, not {lanes!r}")
        self.lanes = lanes
        self.logit_bits = logit_bits
        super().__init__(
            {
                "clear": In(1),
                "valid": In(1),
                "logits": In(data.ArrayLayout(signed(logit_bits), lanes)),
                "crc": Out(32),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # v is kept XORed with `hidden` = A**-P 1, so that A**P v comes out inverted; then v' needs
        # A**P hidden + hidden = 1 + hidden each step. Nothing absorbed: v = hidden, v XORed is 0.
        hidden = _advance(_ONES, -32 * self.lanes)
        state_network, logits_network = _networks(self.lanes, self.logit_bits)
        part = Signal(32)
        pending = Signal()
        state = Signal(32)
        logits = logits_network.build(m, platform, "logits", self.logits.as_value())
        m.d.comb += self.crc.eq(state_network.build(m, platform, "state", state))
        m.d.sync += [part.eq(logits), pending.eq(self.valid)]
        with m.If(self.clear):
            m.d.sync += state.eq(0)
        with m.Elif(pending):
            m.d.sync += state.eq(self.crc ^ part ^ _ONES ^ hidden)
        return m
