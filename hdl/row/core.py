# SPDX-License-Identifier: MIT
"""The row machine: P lanes, and around them norm, RoPE, sums, divide, x, sampler, schedule."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.image_format import Section
from glintfpga.firmware.blink.layout import MAX_ROPE_DEN, MAX_VOCAB, ROWS
from glintfpga.firmware.blink.schedule import Rows
from glintfpga.hdl.core_port import CorePort
from glintfpga.hdl.primitives.delay import delay
from glintfpga.hdl.primitives.fixed import saturate
from glintfpga.hdl.primitives.memory import outside_reset, pack_row, ram
from glintfpga.hdl.row.block_table import BlockTable
from glintfpga.hdl.row.divide import Divide
from glintfpga.hdl.row.lane import Lane
from glintfpga.hdl.row.load_port import LoadPort
from glintfpga.hdl.row.norm import RmsNorm
from glintfpga.hdl.row.position import Position
from glintfpga.hdl.row.residual import Residual
from glintfpga.hdl.row.rope import Rope
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
        super().__init__({**CorePort.flip().members, "load": In(LoadPort)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        plan, lanes = self.plan, self.lanes
        m.submodules.table = table = BlockTable(image=self.image)
        m.submodules.position = position = Position(lanes=lanes)
        m.submodules.sequencer = sequencer = Sequencer(lanes=lanes)
        m.submodules.norm = norm = RmsNorm(plan=plan)
        m.submodules.rope = rope = Rope(plan=plan)
        bank = ROWS // lanes
        self._lanes = []
        for index in range(lanes):
            init = {s: self._bank_rows(s, index) for s in (Section.DOT, Section.SUM)}
            lane = Lane(
                plan=plan, depth=bank, dot_init=init[Section.DOT], sum_init=init[Section.SUM]
            )
            m.submodules[f"lane{index}"] = lane
            self._lanes.append(lane)
        max_width = self._lanes[0].max_width
        m.submodules.running_max = running = RunningMax(lanes=lanes, width=max_width)
        m.submodules.weighted_sum = total = WeightedSum(plan=plan, lanes=lanes)
        m.submodules.divide = divide = Divide(plan=plan, value_width=total.value_width)
        m.submodules.residual = residual = Residual(plan=plan)
        m.submodules.sampler = sampler = Sampler(
            lanes=lanes, logit_bits=plan.logit.width, max_vocab=MAX_VOCAB
        )
        self._table, self._position, self._sequencer = table, position, sequencer
        self._config, self._descriptor = table.config, table.descriptor
        self._control(m)
        word = sequencer.word
        self._valid = self._masks(m)
        dot_address = self._dot_address(m)
        sum_address = self._sum_address(m, dot_address)
        operand = self._operand(m, norm, rope)
        shift = self._shift(m)
        strobe = self._strobes(m)
        for lane in self._lanes:
            m.d.comb += [
                lane.dot_address.eq(dot_address),
                lane.sum_address.eq(sum_address),
                lane.operand.eq(operand),
                lane.shift.eq(shift),
                lane.select_z.eq(strobe["hidden", 8]),
            ]
        m.d.comb += [lane.valid.eq(self._valid[i]) for i, lane in enumerate(self._lanes)]
        self._write_rows(m)
        self._stored: dict[Section, tuple[Value, int]] = {}

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
            running.add.eq(strobe["score", 5]),
            # With any other group the maximum stays, so the shift is 0 by itself.
            total.shift.eq(delay(m, running.shift, 2, "rescale")),
            total.lost.eq(delay(m, running.lost, 2, "lost")),
            total.add.eq(strobe["score", 9] | strobe["hidden", 11]),
            # The cycle before the sum of the last group is there to be added to x.
            divide.hidden.eq(strobe["hidden", 11]),
            divide.shift_down.eq(self._descriptor.shift_down),
            divide.values.eq(total.values),
            divide.denominator.eq(total.denominator),
            norm.x.eq(residual.x),
            norm.loop_embedding.eq(self._descriptor.loop_embedding.as_value()),
            norm.add_loop.eq(word.loop_embedding),
            residual.load.eq(word.x_embed),
            residual.embedding.eq(self._embedding(m)),
            residual.add_quotient.eq(word.x_attention),
            residual.quotient.eq(divide.quotient),
            residual.add_shifted.eq(word.x_ffn),
            residual.shifted.eq(divide.shifted),
        ]
        self._angle(m, rope)
        self._sample(m, sampler, strobe["logit", 2], strobe["logit", 5])
        self._read_rows(m)
        return m

    def _bank_rows(self, section: Section, lane: int) -> list[int]:
        if self.image is None:
            return []
        rows = self.image.sections[section][lane :: self.lanes]
        return [pack_row(row, self.plan.weight_width) for row in rows]

    def _control(self, m: Module) -> None:
        """Sequencer, block table and position."""
        table, position, sequencer = self._table, self._position, self._sequencer
        config = self._config
        connect(m, flipped(self.i), sequencer.i)
        m.d.comb += [
            *(getattr(table.load, name).eq(getattr(self.load, name)) for name in _LOAD_INPUTS),
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
            sequencer.logit_groups.eq((((config.vocab - 1)[:9] >> 4) + 1) << (4 - self.lane_bits)),
            self.facts.eos.eq(config.eos),
            self.facts.vocab.eq(config.vocab),
            self.idle.eq(sequencer.idle & table.ready & ~self.o.valid),
        ]

    def _groups_of(self, base: Value) -> Value:
        """Bank address of a base in units of 8 rows."""
        return base << (3 - self.lane_bits)

    def _masks(self, m: Module) -> Value:
        """Valid mask of the issued group, delayed 5 cycles to line up with ``value``."""
        sequencer, position = self._sequencer, self._position
        group = Signal.like(position.last, name="score_group")
        with m.If(sequencer.word.count != 0):
            m.d.sync += group.eq(position.start)
        with m.Elif(sequencer.score):
            m.d.sync += group.eq(Mux(group == position.last, 0, group + 1))
        self._score_group = group
        last_id = Signal(9)
        m.d.comb += last_id.eq(self._config.vocab - 1)
        last_row = last_id >> self.lane_bits
        in_vocab = sequencer.index < last_row
        at_end = sequencer.index == last_row
        mask = Signal(self.lanes)
        for lane in range(self.lanes):
            score = (group != position.limit_group) | (lane <= position.limit_lane)
            logit = in_vocab | (at_end & (lane <= last_id[: self.lane_bits]))
            m.d.comb += mask[lane].eq(Mux(sequencer.word.rows == Rows.LOGIT, logit, score))
        return delay(m, mask, 5, "mask")

    def _dot_address(self, m: Module) -> Signal:
        word, index = self._sequencer.word, self._sequencer.index
        descriptor = self._descriptor
        # Not `+ 1 + (hidden_less_1 >> 3)`: two adders with a carry in from logic would need repair.
        up_base = descriptor.gate_base + Mux(descriptor.hidden_less_1[3], 2, 1)
        base = Signal(9)
        offset = Signal(9)
        with m.Switch(word.rows):
            with m.Case(Rows.SCORE):
                m.d.comb += [base.eq(descriptor.kv_base), offset.eq(self._score_group)]
            with m.Case(Rows.GATE):
                m.d.comb += [base.eq(descriptor.gate_base), offset.eq(index)]
            with m.Case(Rows.UP):
                m.d.comb += [base.eq(up_base), offset.eq(index)]
            with m.Case(Rows.LOGIT):
                m.d.comb += [base.eq(self._config.out_base), offset.eq(index)]
            with m.Default():
                m.d.comb += [base.eq(descriptor.qkv_base), offset.eq(word.offset)]
        with m.If(self.load.read):
            row = self.load.index
            m.d.comb += [base.eq(row >> 3), offset.eq(row[:3] >> self.lane_bits)]
        address = Signal(range(ROWS // self.lanes), name="dot_address")
        m.d.sync += address.eq(self._groups_of(base) + offset)
        return address

    def _sum_address(self, m: Module, dot_address: Signal) -> Value:
        """Softmax rows follow four cycles after their K row, down columns seven after GATE."""
        index = delay(m, self._sequencer.index, 6, "hidden_index")
        down = Signal.like(dot_address, name="down")
        address = Signal.like(dot_address, name="sum_address")
        is_gate = self._sequencer.word.rows == Rows.GATE
        m.d.sync += down.eq(self._groups_of(self._descriptor.down_base) + index)
        value_row = delay(m, dot_address, 4, "softmax_address")
        m.d.comb += address.eq(Mux(delay(m, is_gate, 7, "gate_v"), down, value_row))
        return address

    def _operand(self, m: Module, norm: RmsNorm, rope: Rope) -> Signal:
        """Select the operand: h or the rotated q in the cycle it becomes valid, then its register.

        Sets ``_rotated`` and ``_projected``, from which the K and V' rows are written.
        """
        word = self._sequencer.word
        first_k = (word.rows == Rows.K) & ~word.part
        new_h = first_k | (word.rows == Rows.GATE) | (word.rows == Rows.LOGIT)
        new_q = (word.rows == Rows.SCORE) & self._sequencer.first
        width = self.plan.weight_width
        layout = data.ArrayLayout(signed(width), 3)
        held, operand, rotated = Signal(layout), Signal(layout), Signal(layout)
        numbers = [Signal(signed(width), name=f"projected{i}") for i in range(3)]
        for i in range(3):
            # With two lanes, the third number comes with the next group.
            source = self._lanes[i % self.lanes]
            m.d.comb += numbers[i].eq(saturate(source.value, width))
        third = delay(m, numbers[2], 1 if self.lanes == 2 else 2, "third")
        m.d.comb += [rope.a.eq(numbers[0]), rope.b.eq(numbers[1])]
        m.d.comb += [rotated[0].eq(rope.o_a), rotated[1].eq(rope.o_b), rotated[2].eq(third)]
        take_h, take_q = delay(m, new_h, 2, "new_h"), delay(m, new_q, 2, "new_q")
        with m.If(take_h):
            m.d.comb += operand.eq(norm.h)
        with m.Elif(take_q):
            m.d.comb += operand.eq(rotated)
        with m.Else():
            m.d.comb += operand.eq(held)
        m.d.sync += held.eq(operand)
        self._rotated, self._projected = rotated, numbers
        return operand

    def _shift(self, m: Module) -> Signal:
        """Requantization shift, with the value of the group it belongs to."""
        rows = delay(m, self._sequencer.word.rows, 4, "rows")
        d, shift = self._descriptor, Signal(self.plan.shift_bits)
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

    def _strobes(self, m: Module) -> dict[tuple[str, int], Value]:
        """Control that follows a group: (group, cycles after its word)."""
        word, sequencer = self._sequencer.word, self._sequencer
        issue = {
            "score": sequencer.score,
            "hidden": word.rows == Rows.GATE,
            "logit": word.rows == Rows.LOGIT,
        }
        wanted = [("score", 5), ("score", 9), ("hidden", 8), ("hidden", 11)]
        wanted += [("logit", 2), ("logit", 5)]
        return {
            (name, cycles): delay(m, issue[name], cycles, f"{name}{cycles}")
            for name, cycles in wanted
        }

    def _write_rows(self, m: Module) -> None:
        """Rows from the load port, and the newest K and V' row into their lane."""
        word, width = self._sequencer.word, self.plan.weight_width
        first_k = (word.rows == Rows.K) & ~word.part
        first_v = (word.rows == Rows.V) & ~word.part
        write_k, write_v = delay(m, first_k, 8, "write_k"), delay(m, first_v, 7, "write_v")
        k_row, v_row = Signal(3 * width), Signal(3 * width)
        m.d.sync += k_row.eq(self._rotated.as_value())
        numbers = self._projected
        early = 1 if self.lanes == 2 else 0
        m.d.sync += v_row.eq(
            Cat(
                delay(m, numbers[0], 1, "v0"),
                delay(m, numbers[1], 1, "v1"),
                numbers[2] if early else delay(m, numbers[2], 1, "v2"),
            )
        )
        slot = self._position.slot
        ring_row = Signal(range(ROWS // self.lanes))
        m.d.comb += ring_row.eq(
            self._groups_of(self._descriptor.kv_base) + (slot >> self.lane_bits)
        )
        loaded = Cat(self.load.data[16 * i : 16 * i + width] for i in range(3))
        for index, lane in enumerate(self._lanes):
            newest = slot[: self.lane_bits] == index
            loading = self.load.valid & (self.load.index[: self.lane_bits] == index)
            load_row = self.load.index >> self.lane_bits
            m.d.comb += [
                lane.row_address.eq(Mux(self.load.valid, load_row, ring_row)),
                lane.dot_row.eq(Mux(self.load.valid, loaded, k_row)),
                lane.sum_row.eq(Mux(self.load.valid, loaded, v_row)),
                lane.dot_write.eq(write_k & newest | loading & (self.load.target == Section.DOT)),
                lane.sum_write.eq(write_v & newest | loading & (self.load.target == Section.SUM)),
            ]

    def _load_ram(self, m: Module, section: Section, width: int, depth: int, at: Any) -> Value:
        """A RAM of rows that the load port fills: ``width`` bits of each number."""
        numbers = 2 if section == Section.ROPE else 3
        init = []
        if self.image is not None:
            rows = self.image.sections[section][:, :numbers]
            init = [pack_row(row, width) for row in rows]
        word, port = ram(
            m,
            f"{section.name.lower()}_rows",
            width=numbers * width,
            depth=depth,
            init=init,
            address=at,
        )
        loaded = Cat(self.load.data[16 * i : 16 * i + width] for i in range(numbers))
        m.d.comb += [
            port.addr.eq(self.load.index),
            port.data.eq(loaded),
            port.en.eq(outside_reset(self.load.valid & (self.load.target == section))),
        ]
        self._stored[section] = (word, width)
        return word

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
                m.d.sync += load.stored.eq(_int16s(lane_row, width))
            for section, (word, bits) in self._stored.items():
                with m.Case(section):
                    m.d.sync += load.stored.eq(_int16s(word, bits))
            with m.Default():
                m.d.sync += load.stored.eq(self._table.load.stored)

    def _embedding(self, m: Module) -> Value:
        width = self.plan.x.width
        token = Mux(self.load.read, self.load.index[:9], self.i.p.id[:9])
        return self._load_ram(m, Section.EMBED, width, MAX_VOCAB, token)

    def _angle(self, m: Module, rope: Rope) -> None:
        width = self.plan.rope.width
        phase = Mux(self.load.read, self.load.index[:10], self._position.phase)
        row = self._load_ram(m, Section.ROPE, width, MAX_ROPE_DEN, phase)
        m.d.comb += [rope.cos.eq(row[:width]), rope.sin.eq(row[width:])]

    def _sample(self, m: Module, sampler: Sampler, draw: Value, value: Value) -> None:
        operation = self._sequencer.operation
        connect(m, flipped(self.seed), sampler.i_seed)
        m.d.comb += [
            sampler.read_id.eq(self.logits.id),
            self.logits.value.eq(sampler.read_value),
            sampler.clear.eq(self._sequencer.word.clear),
            sampler.draw.eq(draw & operation.sample),
            sampler.temperature.eq(Mux(operation.sample, self.temperature, 0)),
            sampler.add.eq(value),
            sampler.valid.eq(self._valid),
            *(sampler.values[i].eq(lane.value) for i, lane in enumerate(self._lanes)),
            self.o.p.id.eq(sampler.id),
            self.o.p.crc.eq(sampler.crc),
        ]
        with m.If(self._sequencer.word.end):
            m.d.sync += self.o.valid.eq(1)
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)


def _int16s(row: Value, width: int) -> Value:
    """The numbers of a memory word as int16."""
    numbers = (row[at : at + width] for at in range(0, len(row), width))
    return Cat(Cat(number, number[-1].replicate(16 - width)) for number in numbers)
