# SPDX-License-Identifier: MIT
"""CRC-32 (IEEE), one byte per cycle, for frames and images."""

import zlib

from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from glintfpga.hdl.primitives.xor_network import XorNetwork

__all__ = ["CrcBytes"]

ONES = 0xFFFFFFFF
RESIDUE = zlib.crc32(zlib.crc32(b"").to_bytes(4, "little")) ^ ONES
"""Register after any data and the CRC of it, lowest byte first."""


def _advance(state: int) -> int:
    """The register eight bits later, with zeros for data."""
    return zlib.crc32(b"\0", state ^ ONES) ^ ONES


class CrcBytes(wiring.Component):
    """``zlib.crc32`` of all bytes since ``start``.

    The data enters the low byte of the register only, s' = A (s ^ d), so 8 XORs and one network of
    32 inputs do a byte; the reset is in the flip-flops.

    Latency: 1 cycle.

    Members
    -------
    start : In(1)
        Begin anew; wins over ``valid``.
    valid, data : In
        Add a byte.
    crc : Out(32)
    match : Out(1)
        The last four bytes were the CRC of those before, lowest byte first.
    """

    start: In(1)
    valid: In(1)
    data: In(8)
    crc: Out(32)
    match: Out(1)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        state = Signal(32, init=ONES)
        mixed = Signal(32)
        network = XorNetwork.of([_advance(1 << bit) for bit in range(32)], 32)
        m.d.comb += [
            mixed.eq(state ^ self.data),
            self.crc.eq(~state),
            self.match.eq(state == RESIDUE),
        ]
        following = network.build(m, platform, "crc", mixed)
        with m.If(self.start):
            m.d.sync += state.eq(ONES)
        with m.Elif(self.valid):
            m.d.sync += state.eq(following)
        return m
