# SPDX-License-Identifier: MIT
"""The end of a token: logits are stored for reading, enter a CRC, and one of them is chosen."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from glintfpga.hdl.core_port import TEMPERATURE_BITS
from glintfpga.hdl.primitives.delay import delay
from glintfpga.hdl.primitives.memory import outside_reset, ram
from glintfpga.hdl.sampling.argmax import ArgMax
from glintfpga.hdl.sampling.gumbel import GumbelNoise
from glintfpga.hdl.sampling.logit_crc import LogitCrc
from glintfpga.hdl.sampling.trivium import Trivium

__all__ = ["Sampler"]


class Sampler(wiring.Component):
    """Logits of one position, group by group -> token id and CRC-32.

    ``token = arg max(logit + round(T * Gumbel))``, ties to the lowest id; the CRC is over the
    logits before noise. ``draw`` comes three cycles before its group's ``add``. ``id`` is final
    four cycles after the last group, ``crc`` three.

    Parameters
    ----------
    lanes : int
        Logits of a group: 2, 4 or 8.
    logit_bits : int
    max_vocab : int
        A power of 2.
    multipliers : int
        As in `GumbelNoise`.

    Members
    -------
    clear : In(1)
        Strobe before a position.
    draw : In(1)
        Step the noise, unless T is 0.
    add, values, valid : In
        A group; at most one per cycle. Lanes not valid count as zero and are never chosen.
    temperature : In(10)
    i_seed : In(stream of 64)
        Keys the noise.
    id, crc : Out
    read_id, read_value : In, Out
        Read port for the logits of the last position: the value of ``read_id`` one cycle earlier.
    """

    def __init__(self, *, lanes: int, logit_bits: int, max_vocab: int, multipliers: int) -> None:
        self.lanes = lanes
        self.multipliers = multipliers
        self.logit_bits = logit_bits
        self.max_vocab = max_vocab
        super().__init__(
            {
                "clear": In(1),
                "draw": In(1),
                "temperature": In(TEMPERATURE_BITS),
                "add": In(1),
                "values": In(data.ArrayLayout(signed(logit_bits), lanes)),
                "valid": In(lanes),
                "i_seed": In(stream.Signature(64)),
                "id": Out(range(max_vocab)),
                "crc": Out(32),
                "read_id": In(range(max_vocab)),
                "read_value": Out(signed(logit_bits)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, width = self.lanes, self.logit_bits
        m.submodules.trivium = trivium = Trivium(lanes=lanes)
        m.submodules.gumbel = gumbel = GumbelNoise(lanes=lanes, multipliers=self.multipliers)
        m.submodules.argmax = argmax = ArgMax(
            lanes=lanes, logit_bits=width, max_vocab=self.max_vocab
        )
        m.submodules.logit_crc = crc = LogitCrc(lanes=lanes, logit_bits=width)
        connect(m, flipped(self.i_seed), trivium.i_seed)
        logits = Signal(data.ArrayLayout(signed(width), lanes))
        valid = Signal(lanes)
        adding = delay(m, self.add, 1, "adding")
        m.d.sync += valid.eq(self.valid)
        for lane in range(lanes):
            m.d.sync += logits[lane].eq(Mux(self.valid[lane], self.values[lane], 0))
        m.d.comb += [
            trivium.next.eq(self.draw & (self.temperature != 0)),
            gumbel.r.eq(trivium.r),
            gumbel.temperature.eq(self.temperature),
            argmax.clear.eq(self.clear),
            argmax.add.eq(adding),
            argmax.logits.eq(logits),
            argmax.noise.eq(gumbel.noise),
            argmax.valid.eq(valid),
            self.id.eq(argmax.id),
            crc.clear.eq(self.clear),
            crc.valid.eq(adding),
            crc.logits.eq(logits),
            self.crc.eq(crc.crc),
        ]
        self._keep(m, logits, adding)
        return m

    def _keep(self, m: Module, logits: Signal, adding: Any) -> None:
        """A buffer of the position's logits, one group per word."""
        lane_bits = (self.lanes - 1).bit_length()
        width = self.logit_bits
        group = Signal(range(self.max_vocab // self.lanes))
        word, port = ram(
            m,
            "kept_logits",
            width=width * self.lanes,
            depth=self.max_vocab // self.lanes,
            init=[],
            address=self.read_id >> lane_bits,
        )
        m.d.comb += [
            port.addr.eq(group),
            port.data.eq(logits),
            port.en.eq(outside_reset(adding)),
        ]
        with m.If(self.clear):
            m.d.sync += group.eq(0)
        with m.Elif(adding):
            m.d.sync += group.eq(group + 1)
        lane = delay(m, self.read_id[:lane_bits], 1, "logit_lane")
        m.d.comb += self.read_value.eq(word.word_select(lane, width))
