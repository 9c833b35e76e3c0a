# SPDX-License-Identifier: MIT
"""The noise stream: Trivium, one group of random words per cycle.

All bits of a step are computed in parallel, seven LUTs per bit: about 320, 540 and 1040 LUTs for
2, 4 and 8 lanes when the mapper builds no wide LUTs (`synth_gowin -nowidelut`), 900, 1440 and 2270
when it does.
"""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.quant.numbers.trivium import WARM_UP_BITS

__all__ = ["Trivium"]


def _advance(state, count):
    """Return ((a, b, c), keystream) after ``count`` <= 64 steps.

    Bit 0 of a register is its newest bit (s1, s94, s178). No tap is closer than 66 bits to it, so
    the taps of all steps are slices of the present state, the first step at their top.
    """

    a, b, c = state

    def tap(register, first, number):
        top = number - first + 1
        return register[top - count : top]

    t1 = tap(a, 1, 66) ^ tap(a, 1, 93)
    t2 = tap(b, 94, 162) ^ tap(b, 94, 177)
    t3 = tap(c, 178, 243) ^ tap(c, 178, 288)
    new_b = t1 ^ (tap(a, 1, 91) & tap(a, 1, 92)) ^ tap(b, 94, 171)
    new_c = t2 ^ (tap(b, 94, 175) & tap(b, 94, 176)) ^ tap(c, 178, 264)
    new_a = t3 ^ (tap(c, 178, 286) & tap(c, 178, 287)) ^ tap(a, 1, 69)
    keystream = t1 ^ t2 ^ t3
    return (Cat(new_a, a)[:93], Cat(new_b, b)[:84], Cat(new_c, c)[:111]), keystream


class Trivium(wiring.Component):
    """`glintfpga.quant.numbers.trivium.Trivium` in gateware: ``16 * lanes`` bits per step.

    ``r`` is the current group of the stream, registered; ``next`` replaces it by the following
    group with the next clock edge (latency 1, one group per cycle). ``next`` may stay high.

    Re-keying: while ``i_seed.valid``, the key is loaded and warmed up, and ``i_seed.ready`` is
    high in the one cycle in which ``r`` first is the new stream's first group. When the transfer
    happens, ``r`` is already valid. ``ready`` follows ``valid`` by ``1152 / (16 * lanes) + 2``
    cycles: 38 for 2 lanes, 20 for 4, 11 for 8. ``next`` is ignored before the cycle of the
    transfer. After power-up the same happens with seed 0, without a transfer.

    Parameters
    ----------
    lanes : int
        2, 4 or 8. Beyond 64 bits, a step depends on the first 64 of its own bits; the path from
        register to register is about twice as long.

    Members
    -------
    i_seed : In(stream.Signature(64))
        The key is the seed, little-endian, then two zero bytes.
    next : In(1)
        Strobe: advance by one group.
    r : Out(ArrayLayout(16, lanes))
        Word of lane 0 is first in the stream; each word has its first bit at the top.
    idle : Out(1)
        High when ``r`` is valid; low while a key is warmed up.
    """

    def __init__(self, *, lanes: int):
        if lanes not in (2, 4, 8):
            raise ValueError(f"lanes must be 2, 4 or 8, not {lanes!r}")
        self.lanes = lanes
        super().__init__(
            {
                "i_seed": In(stream.Signature(64)),
                "next": In(1),
                "r": Out(data.ArrayLayout(16, lanes)),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        width = 16 * self.lanes
        a = Signal(93)
        b = Signal(84)
        c = Signal(111, init=0b111 << 108)

        state: tuple[Any, ...] = (a, b, c)
        keystream: list[Any] = []
        for count in [64] * (width // 64) or [width]:
            state, block = _advance(state, count)
            keystream.insert(0, block)
        words = [Cat(*keystream)[width - 16 * (i + 1) :][:16] for i in range(self.lanes)]

        # One step more than the warm-up brings the first group into `r`.
        steps = WARM_UP_BITS // width + 1
        left = Signal(range(steps + 1), init=steps)
        keyed = Signal()
        keying = left != 0
        load = self.i_seed.valid & ~keyed & ~keying
        m.d.comb += [
            self.idle.eq(~keying & ~load),
            self.i_seed.ready.eq(keyed),
        ]

        with m.If(keying):
            m.d.sync += left.eq(left - 1)
        with m.If(load):
            m.d.sync += left.eq(steps)

        from_seed = Signal()
        with m.If(load):
            m.d.sync += from_seed.eq(1)
        with m.Elif(left == 1):
            m.d.sync += from_seed.eq(0)
        m.d.sync += keyed.eq((left == 1) & from_seed)

        with m.If(keying | self.next):
            m.d.sync += Cat(a, b, c).eq(Cat(*state))
            m.d.sync += self.r.as_value().eq(Cat(words))
        with m.If(load):
            # Bit 0 of the seed is s80, bit 63 is s17.
            m.d.sync += [
                a.eq(self.i_seed.payload[::-1] << 16),
                b.eq(0),
                c.eq(c.init),
            ]
        return m
