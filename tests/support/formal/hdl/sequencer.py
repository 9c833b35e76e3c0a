# SPDX-License-Identifier: MIT
"""The sequencer cannot leave its program and cannot run for ever."""

from typing import Any

from amaranth.asserts import Initial
from amaranth.hdl import Array, Cat, Const, Cover, Elaboratable, Module, Mux, Signal

from glintfpga.firmware.blink.schedule import Count, Loop, Schedule
from glintfpga.hdl.row.sequencer import Sequencer, _encode
from support.formal.environment import Inside, always, assume, before, leave_free

__all__ = ["SequencerProperties", "longest_operation"]

MOST_PASSES = 31
MOST_REPEATS = 511
MOST_THOUGHTS = 255
"""What the registers can hold: much more than an image may ask for."""


def _left(schedule: Schedule) -> list[tuple[int, int]]:
    """For each word (a, b): at most ``a + b * remaining`` cycles to the end of its part."""
    left = [(0, 0)] * len(schedule.words)
    for place in reversed(range(1, len(schedule.words))):
        word = schedule.words[place]
        last = word.end or word.pass_end or place == schedule.embed
        cycles, each = (0, 0) if last else left[place + 1]
        if word.count != Count.NONE:
            cycles, each = cycles + each * MOST_REPEATS, 0
        left[place] = (cycles + 1, each)
        if word.loop == Loop.SELF:
            left[place] = (cycles + 1, 1)
        if word.loop == Loop.PAIR:
            left[place] = (cycles + 1, 2)
    return left


def longest_operation(schedule: Schedule) -> int:
    """An upper bound, in cycles, of any operation whatever the block table says."""
    left = _left(schedule)
    return (
        1 + MOST_PASSES * left[schedule.passes][0] * (1 + MOST_THOUGHTS) + left[schedule.logits][0]
    )


class SequencerProperties(Elaboratable):
    """For any operations and any block table, which may even change in every cycle.

    A measure of the work that is left falls in every cycle of an operation, so each operation ends
    within `longest_operation` cycles: no deadlock, no endless loop.
    Assumed: the output register of the program memory is 0 at power-up, as on the chip.
    """

    def __init__(self, sequencer: Sequencer) -> None:
        self.sequencer = sequencer

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.sequencer
        schedule = dut.schedule
        inside = Inside(dut)
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        pc, remaining = inside["pc"], inside["remaining"]
        index, thoughts = inside["pass_index"], inside["thoughts_left"]
        with m.If(Initial()):
            assume(m, dut.word.as_value() == 0)

        always(m, "the program counter stays within the program", pc < len(schedule.words))
        always(m, "so does the address of the next word", inside["pc_next"] < len(schedule.words))
        encoded = Array(Const(_encode(word), 20) for word in schedule.words)
        always(m, "the word belongs to the counter", dut.word.as_value() == encoded[pc])

        repeats = dut.word.loop == Loop.SELF
        stays = inside["pc_next"] == pc
        always(m, "a repeated word stays until its last", ~repeats | dut.last | stays)
        left_last = before(m, repeats & dut.last)
        always(m, "but no longer", ~left_last | (pc != before(m, pc)) & dut.first)

        part = [pc == 0, pc < schedule.passes, pc < schedule.logits]
        always(m, "no pass is begun outside the passes", (index == 0) | part[2] & ~part[1])
        always(m, "passes end", index < MOST_PASSES)

        # A number whose digits are: the part, thoughts, passes, cycles of this one.
        left = _left(schedule)
        cycles = Signal(range(max(a + b * MOST_REPEATS for a, b in left) + 1))
        with m.Switch(pc):
            for place, (fixed, each) in enumerate(left):
                with m.Case(place):
                    m.d.comb += cycles.eq(fixed + (remaining << each - 1 if each else 0))
        work = Signal(len(cycles) + 5 + 8 + 2)
        with m.If(part[1]):
            m.d.comb += work[-2:].eq(Mux(part[0], 0, 3))
        with m.Elif(part[2]):
            m.d.comb += work.eq(Cat(cycles, (MOST_PASSES - 1 - index)[:5], thoughts, Const(2, 2)))
        with m.Else():
            m.d.comb += work.eq(Cat(cycles, Const(1, 5 + 8 + 2) << 13))
        past = before(m, work)
        always(m, "work gets less in every cycle", (past == 0) | (work < past))
        always(m, "idle takes an operation", dut.i.ready == (part[0] & dut.enable))

        m.d.comb += Cover((past != 0) & part[0], "an operation ends")
        m.d.comb += Cover(part[2] & ~part[1] & dut.operation.logits, "a pass begins")
        return m
