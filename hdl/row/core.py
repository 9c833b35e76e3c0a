# SPDX-License-Identifier: MIT
"""The row machine: P lanes, and around them norm, RoPE, sums, divide, x, sampler, schedule."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from glintfpga.firmware.blink.device_config import NOISE_MULTIPLIERS, DeviceConfig
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.image_format import Section
from glintfpga.firmware.blink.latency import (
    HIDDEN_ADD,
    LOGIT,
    SCORE_ADD,
    TO_OPERAND,
    VALUE,
    WEIGH,
    Z,
)
from glintfpga.firmware.blink.layout import MAX_ROPE_DEN, MAX_VOCAB, ROWS, logit_rows
from glintfpga.firmware.blink.schedule import Rows
from glintfpga.hdl.core_port import CorePort
from glintfpga.hdl.primitives.delay import delay
from glintfpga.hdl.primitives.memory import pack_row
from glintfpga.hdl.row.addresses import RowAddresses, groups_of
from glintfpga.hdl.row.block_table import BlockTable
from glintfpga.hdl.row.divide import Divide
from glintfpga.hdl.row.lane import Lane
from glintfpga.hdl.row.load_port import LoadPort
from glintfpga.hdl.row.newest_rows import NewestRows
from glintfpga.hdl.row.norm import RmsNorm
from glintfpga.hdl.row.operand import Operand
from glintfpga.hdl.row.position import Position
from glintfpga.hdl.row.residual import Residual
from glintfpga.hdl.row.row_ram import RowRam, int16s, loaded_row
from glintfpga.hdl.row.sequencer import Sequencer
from glintfpga.hdl.row.weighted_sum import RunningMax, WeightedSum
from glintfpga.hdl.sampling.sampler import Sampler

__all__ = ["Core"]

_LOAD_INPUTS = tuple(name for name, member in LoadPort.members.items() if member.flow is Out)


class Core(wiring.Component):
    """Tokens in, tokens out: everything but the line and its protocol.

    Parameters
    ----------
    config : DeviceConfig
        Its lanes and number plan.
    image : Image, optional
        In the memories at power-up; None for none.

    Members
    -------
    Those of `CorePort`, where ``clear`` takes 9 cycles, in which the block table is read again, and
    ``load``, for rows while ``idle``.
    """

    def __init__(self, config: DeviceConfig, *, image: Image | None = None) -> None:
        lanes, plan = config.lanes, config.plan
        if image is not None and image.model.plan != plan:
            raise ValueError(f"image must be of plan {plan.code}, not {image.model.plan.code}")
        self.lanes = lanes
        self.plan = plan
        self.image = image
        self.lane_bits = (lanes - 1).bit_length()
        self.logit_rows = logit_rows(lanes)
        super().__init__({**CorePort.flip().members, "load": In(LoadPort)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        plan, lanes = self.plan, self.lanes
        m.submodules.table = self._table = BlockTable(image=self.image)
        m.submodules.position = self._position = Position(lanes=lanes)
        m.submodules.sequencer = self._sequencer = sequencer = Sequencer(lanes=lanes)
        m.submodules.addresses = self._addresses = RowAddresses(lanes=lanes)
        m.submodules.norm = self._norm = RmsNorm(plan=plan)
        m.submodules.next_operand = self._operand = Operand(
            plan=plan, lanes=lanes, first_rows=sequencer.schedule.first_rows
        )
        m.submodules.newest_rows = self._newest_rows = NewestRows(plan=plan, lanes=lanes)
        self._lanes = [self._lane(index) for index in range(lanes)]
        for index, lane in enumerate(self._lanes):
            m.submodules[f"lane{index}"] = lane
        self._config, self._descriptor = self._table.config, self._table.descriptor
        self._strobes(m)
        self._control(m)
        self._address(m)
        self._project(m)
        self._write_rows(m)
        self._sums(m)
        self._sample(m)
        self._read_rows(m)
        return m

    def _lane(self, index: int) -> Lane:
        dot_rows, sum_rows = (
            self._bank_rows(section, index) for section in (Section.DOT, Section.SUM)
        )
        return Lane(
            plan=self.plan,
            depth=ROWS // self.lanes,
            two_banks=self.logit_rows > self.lanes,
            apart=bool(index % 2),
            dot_init=dot_rows,
            sum_init=sum_rows + dot_rows[len(sum_rows) :],
        )

    def _bank_rows(self, section: Section, lane: int) -> list[int]:
        if self.image is None:
            return []
        rows = self.image.sections[section][lane :: self.lanes]
        return [pack_row(row, self.plan.weight_width) for row in rows]

    def _strobes(self, m: Module) -> None:
        """Control that follows a group, by the cycles after its word."""
        word = self._sequencer.word

        def after(issue: Value, name: str, *cycles: int) -> dict[int, Value]:
            return {each: delay(m, issue, each, f"{name}{each}") for each in cycles}

        self._score = after(self._sequencer.score, "score", VALUE, SCORE_ADD)
        self._hidden = after(word.rows == Rows.GATE, "hidden", Z, HIDDEN_ADD)
        self._logit = after(word.rows == Rows.LOGIT, "logit", LOGIT - 3, LOGIT, TO_OPERAND + 1)

    def _control(self, m: Module) -> None:
        """Sequencer, block table and position."""
        table, position, sequencer = self._table, self._position, self._sequencer
        config = self._config
        connect(m, flipped(self.i), sequencer.i)
        logit_shift = 5 - self.logit_rows.bit_length()  # 16 rows or a part of them
        m.d.comb += [
            *self._from_load_port(table.load),
            table.refresh.eq(self.clear),
            table.fetch.eq(sequencer.word.fetch),
            table.take.eq(sequencer.word.pass_end),
            position.clear.eq(self.clear),
            position.advance.eq(sequencer.advance),
            position.window.eq(config.window),
            position.rope_num.eq(config.rope_num),
            position.rope_den.eq(config.rope_den),
            sequencer.enable.eq(table.ready & (~self.o.valid | self.o.ready)),
            sequencer.passes.eq(config.passes),
            sequencer.thinking.eq(config.thinking),
            sequencer.score_groups.eq(position.count),
            sequencer.hidden_groups.eq((self._descriptor.hidden_less_1 >> self.lane_bits) + 1),
            sequencer.logit_groups.eq((((config.vocab - 1)[:9] >> 4) + 1) << logit_shift),
            self.facts.eos.eq(config.eos),
            self.facts.vocab.eq(config.vocab),
            self.idle.eq(sequencer.idle & table.ready & ~self.o.valid),
        ]

    def _from_load_port(self, load: Any) -> list[Any]:
        return [getattr(load, name).eq(getattr(self.load, name)) for name in _LOAD_INPUTS]

    def _address(self, m: Module) -> None:
        addresses, position = self._addresses, self._position
        m.d.comb += [
            addresses.word.eq(self._sequencer.word),
            addresses.index.eq(self._sequencer.index),
            addresses.score.eq(self._sequencer.score),
            addresses.config.eq(self._config),
            addresses.descriptor.eq(self._descriptor),
            addresses.start.eq(position.start),
            addresses.last.eq(position.last),
            addresses.limit_group.eq(position.limit_group),
            addresses.limit_lane.eq(position.limit_lane),
            addresses.read.eq(self.load.read),
            addresses.row.eq(self.load.index),
        ]

    def _project(self, m: Module) -> None:
        """x to h, to the lanes, and what comes back to be the next operand."""
        sequencer, norm, operand = self._sequencer, self._norm, self._operand
        width = self.plan.rope.width
        m.submodules.angles = angles = RowRam(
            Section.ROPE, numbers=2, width=width, depth=MAX_ROPE_DEN, image=self.image
        )
        m.submodules.embeddings = embeddings = RowRam(
            Section.EMBED, numbers=3, width=self.plan.x.width, depth=MAX_VOCAB, image=self.image
        )
        self._rams = {Section.ROPE: angles, Section.EMBED: embeddings}
        m.submodules.residual = self._residual = residual = Residual(plan=self.plan)
        for memory in self._rams.values():
            m.d.comb += self._from_load_port(memory.load)
        m.d.comb += [
            angles.address.eq(self._position.phase),
            embeddings.address.eq(self.i.p.id),
            residual.embedding.eq(embeddings.row),
            norm.x.eq(residual.x),
            norm.loop_embedding.eq(self._descriptor.loop_embedding.as_value()),
            norm.add_loop.eq(sequencer.word.loop_embedding),
            operand.word.eq(sequencer.word),
            operand.first.eq(sequencer.first),
            operand.h.eq(norm.h),
            operand.cos.eq(angles.row[:width]),
            operand.sin.eq(angles.row[width:]),
            *(operand.values[i].eq(lane.value) for i, lane in enumerate(self._lanes)),
        ]
        shift = self._shift(m)
        for index, lane in enumerate(self._lanes):
            m.d.comb += [
                lane.dot_address.eq(self._addresses.dot),
                lane.sum_address.eq(self._addresses.sum),
                lane.operand.eq(operand.o),
                lane.shift.eq(shift),
                lane.valid.eq(self._addresses.in_window[index]),
                lane.select_z.eq(self._hidden[Z]),
                lane.select_operand.eq(self._logit[TO_OPERAND + 1]),
                lane.sum_operand.eq(operand.kept),
                lane.logit_shift.eq(self._config.shift_logit),
            ]

    def _shift(self, m: Module) -> Signal:
        """Requantization shift, with the value of the group it belongs to."""
        rows = delay(m, self._sequencer.word.rows, VALUE - 1, "rows")
        d = self._descriptor
        shift = Signal(self.plan.shift_bits)
        score = 2 * self.plan.qk.frac - self.plan.score_frac - self.plan.min_shift
        by_rows = {
            Rows.K: d.shift_k,
            Rows.Q: d.shift_q,
            Rows.V: d.shift_v,
            Rows.SCORE: score,
            Rows.GATE: d.shift_gate,
            Rows.UP: d.shift_up,
            Rows.LOGIT: self._config.shift_logit,
        }
        with m.Switch(rows):
            for kind, amount in by_rows.items():
                with m.Case(kind):
                    m.d.sync += shift.eq(amount)
        return shift

    def _write_rows(self, m: Module) -> None:
        """Rows from the load port, and the newest K and V' row into their lane."""
        newest_rows, load, slot = self._newest_rows, self.load, self._position.slot
        m.d.comb += [
            newest_rows.word.eq(self._sequencer.word),
            newest_rows.last.eq(self._sequencer.last),
            newest_rows.projected.eq(self._operand.projected),
            newest_rows.rotated.eq(self._operand.rotated),
        ]
        ring_row = Signal(range(ROWS // self.lanes))
        ring = groups_of(self._descriptor.kv_base, self.lanes)
        m.d.comb += ring_row.eq(ring + (slot >> self.lane_bits))
        loaded = loaded_row(load.data, self.plan.weight_width)
        # The sum bank gets DOT rows too: the output rows, and below them what SUM then replaces.
        to_dot = load.target == Section.DOT
        to_sum = to_dot | (load.target == Section.SUM)
        for index, lane in enumerate(self._lanes):
            newest = slot[: self.lane_bits] == index
            loading = load.valid & (load.index[: self.lane_bits] == index)
            m.d.comb += [
                lane.newest_k.eq(newest_rows.newest_k),
                lane.use_newest.eq(newest_rows.use_newest & newest),
                lane.row_address.eq(Mux(load.valid, load.index >> self.lane_bits, ring_row)),
                lane.dot_row.eq(Mux(load.valid, loaded, newest_rows.k)),
                lane.sum_row.eq(Mux(load.valid, loaded, newest_rows.v)),
                lane.dot_write.eq(newest_rows.write_k & newest | loading & to_dot),
                lane.sum_write.eq(newest_rows.write_v & newest | loading & to_sum),
            ]

    def _sums(self, m: Module) -> None:
        """Weighted sum, divide, and the addition to x."""
        plan, word, residual = self.plan, self._sequencer.word, self._residual
        max_width = self._lanes[0].max_width
        m.submodules.softmax_maximum = running = RunningMax(lanes=self.lanes, width=max_width)
        m.submodules.weighted_sum = total = WeightedSum(plan=plan, lanes=self.lanes)
        m.submodules.divide = divide = Divide(plan=plan, value_width=total.value_width)
        for index, lane in enumerate(self._lanes):
            m.d.comb += [
                running.score_floors[index].eq(lane.score_floor),
                lane.running_max.eq(running.maximum),
                total.p[index].eq(lane.p),
                total.products[index].eq(lane.products),
            ]
        m.d.comb += [
            total.clear.eq(word.clear),
            running.clear.eq(word.clear),
            running.add.eq(self._score[VALUE]),
            # With any other group the maximum stays, so the shift is 0 by itself.
            total.shift.eq(delay(m, running.shift, WEIGH, "rescale")),
            total.lost.eq(delay(m, running.lost, WEIGH, "lost")),
            total.add.eq(self._score[SCORE_ADD] | self._hidden[HIDDEN_ADD]),
            # The cycle before the sum of the last group is there to be added to x.
            divide.hidden.eq(self._hidden[HIDDEN_ADD]),
            divide.shift_down.eq(self._descriptor.shift_down),
            divide.values.eq(total.values),
            divide.denominator.eq(total.denominator),
            residual.load.eq(word.x_embed),
            residual.add_quotient.eq(word.x_attention),
            residual.quotient.eq(divide.quotient),
            residual.add_shifted.eq(word.x_ffn),
            residual.shifted.eq(divide.shifted),
        ]

    def _sample(self, m: Module) -> None:
        m.submodules.sampler = sampler = Sampler(
            lanes=self.logit_rows,
            logit_bits=self.plan.logit.width,
            max_vocab=MAX_VOCAB,
            multipliers=NOISE_MULTIPLIERS[self.lanes],
        )
        operation = self._sequencer.operation
        banks = range(self.logit_rows // self.lanes)
        logits = [Value.cast(lane.logits[bank]) for bank in banks for lane in self._lanes]
        connect(m, flipped(self.seed), sampler.i_seed)
        m.d.comb += [
            sampler.read_id.eq(self.logits.id),
            self.logits.value.eq(sampler.read_value),
            sampler.clear.eq(self._sequencer.word.clear),
            sampler.draw.eq(self._logit[LOGIT - 3] & operation.sample),
            sampler.temperature.eq(Mux(operation.sample, self.temperature, 0)),
            sampler.add.eq(self._logit[LOGIT]),
            sampler.valid.eq(self._addresses.in_vocab),
            sampler.values.eq(Cat(logits)),
            self.o.p.id.eq(sampler.id),
            self.o.p.crc.eq(sampler.crc),
        ]
        with m.If(self._sequencer.word.end):
            m.d.sync += self.o.valid.eq(1)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)

    def _read_rows(self, m: Module) -> None:
        """Read multiplexer of the load port: first by lane, then by section."""
        load, width = self.load, self.plan.weight_width
        lane_row = Signal(3 * width)
        index = load.index[: self.lane_bits]
        dot_rows, sum_rows = (
            Array(getattr(lane, name) for lane in self._lanes)
            for name in ("dot_stored", "sum_stored")
        )
        m.d.sync += lane_row.eq(Mux(load.target == Section.SUM, sum_rows[index], dot_rows[index]))
        with m.Switch(load.target):
            with m.Case(Section.DOT, Section.SUM):
                m.d.sync += load.stored.eq(int16s(lane_row, width))
            for section, memory in self._rams.items():
                with m.Case(section):
                    m.d.sync += load.stored.eq(memory.load.stored)
            with m.Default():
                m.d.sync += load.stored.eq(self._table.load.stored)
