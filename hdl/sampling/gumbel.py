# SPDX-License-Identifier: MIT
"""Gumbel noise for one group of logits."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from glintfpga.hdl.primitives.multiplier import Multiplier
from glintfpga.quant.numbers.formats import GUMBEL_NOISE, TEMPERATURE
from glintfpga.quant.numbers.gumbel import GUMBEL, NOISE_SHIFT
from glintfpga.quant.numbers.qformat import shift_round

__all__ = ["NOISE_WIDTH", "GumbelNoise"]

NOISE_WIDTH = 16


def _address(word: Value) -> Value:
    """``192 s + m`` with the least s for which ``m = word >> 2 s`` is under 256.

    As 192 is 3 * 64, only the upper four bits need an adder: ``3 s + m[6:8]``.
    """
    m, upper = word[:8], word[6:8]
    for s in range(1, 5):
        longer = word[6 + 2 * s :].any()
        m = Mux(longer, word[2 * s : 2 * s + 8], m)
        upper = Mux(longer, 3 * s + word[2 * s + 6 : 2 * s + 8], upper)
    return Cat(m[:6], upper[:4])


class GumbelNoise(wiring.Component):
    """``noise = shift_round(T * G(r), 10)`` in each lane, as
    `glintfpga.quant.numbers.gumbel.noise`.

    Latency 4 cycles, a group each cycle: 1 table, 2 product, 1 rounding. Two lanes share a block
    RAM, whose two ports read the same table.

    Parameters
    ----------
    lanes : int
        An even number.
    multipliers : int
        So many lanes use a multiplier (18 x 18) each, the rest multiplies in logic.

    Members
    -------
    r : In(ArrayLayout(16, lanes))
        Random words, as `Trivium` makes them.
    temperature : In(10)
        T * 256; reaches the product one cycle after ``r``; constant during an answer.
    noise : Out(ArrayLayout(signed(16), lanes))
        8 fractional bits, registered. All 0 when T is 0.
    """

    LATENCY = 4

    def __init__(self, *, lanes: int, multipliers: int) -> None:
        if lanes < 2 or lanes % 2:
            raise ValueError(f"lanes must be an even number, not {lanes!r}")
        self.lanes = lanes
        self.multipliers = multipliers
        super().__init__(
            {
                "r": In(data.ArrayLayout(GUMBEL_NOISE.width, lanes)),
                "temperature": In(TEMPERATURE.width),
                "noise": Out(data.ArrayLayout(signed(NOISE_WIDTH), lanes)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = GUMBEL_NOISE.width
        words = [int(entry) & ((1 << width) - 1) for entry in GUMBEL]
        for lane in range(self.lanes):
            if lane % 2 == 0:
                table = Memory(shape=width, depth=len(words), init=words)
                m.submodules[f"table{lane}"] = table
            port = table.read_port(domain="sync")
            scale = Multiplier(
                a_width=width, b_width=TEMPERATURE.width + 1, in_logic=lane >= self.multipliers
            )
            m.submodules[f"scale{lane}"] = scale
            gumbel = Signal(signed(width), name=f"gumbel{lane}")
            m.d.comb += [
                port.en.eq(1),
                port.addr.eq(_address(self.r[lane])),
                gumbel.eq(port.data),
                scale.a.eq(gumbel),
                scale.b.eq(self.temperature),
            ]
            m.d.sync += self.noise[lane].eq(shift_round(scale.p, NOISE_SHIFT))
        return m
