# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.blink.schedule import Count, Loop, Rows, build_schedule
from glintfpga.hdl.row.sequencer import Sequencer
from support.component_bench import Stalls, plain, simulate

all_lanes = pytest.mark.parametrize("lanes", [2, 4, 8])
SIZES = {"passes": 2, "score_groups": 5, "hidden_groups": 3, "logit_groups": 4, "thinking": 0}
ENTER = {"id": 7, "enter": 1, "logits": 0, "sample": 0}
BOTH = {"id": 300, "enter": 1, "logits": 1, "sample": 1}
LOGITS = {"id": 1, "enter": 0, "logits": 1, "sample": 0}


def expected(lanes, operation, sizes):
    """Of each cycle: word, its repetition, is it the last, group is issued, token advances."""
    source = build_schedule(lanes)
    passes = source.words[source.passes : source.logits]
    least = max(source.min_score_groups, sizes["score_groups"])

    def part(words, last=False):
        count, at = 0, 0
        turns = {
            Count.SCORE: least,
            Count.HIDDEN: sizes["hidden_groups"],
            Count.LOGIT: sizes["logit_groups"],
        }
        while at < len(words):
            word = words[at]
            count = turns.get(word.count, count)
            if word.loop == Loop.SELF:
                for turn in range(count):
                    issued = turn >= count - sizes["score_groups"]
                    yield word, turn, turn == count - 1, word.rows == Rows.SCORE and issued, False
            elif at + 1 < len(words) and words[at + 1].loop == Loop.PAIR:
                for turn in range(count):
                    yield word, turn, turn == count - 1, False, False
                    yield words[at + 1], turn, turn == count - 1, False, False
                at += 1
            else:
                yield word, None, True, False, word.pass_end and last
            at += 1

    turns = operation["enter"] + (sizes["thinking"] if operation["logits"] else 0)
    if operation["enter"]:
        yield source.words[source.embed], None, True, False, False
    for _ in range(turns):
        for index in range(sizes["passes"]):
            yield from part(passes, index == sizes["passes"] - 1)
    if operation["logits"]:
        yield from part(source.words[source.logits :])


def as_bits(word):
    return {name: int(getattr(word, name)) for name in word.__dataclass_fields__}


async def run(ctx, dut, operation, sizes, stall=0):
    for name, value in sizes.items():
        ctx.set(getattr(dut, name), value)
    assert ctx.get(dut.idle)
    ctx.set(dut.i.payload, operation)
    ctx.set(dut.i.valid, 1)
    for _ in range(stall):
        await ctx.tick()
        assert ctx.get(dut.idle)
        assert not ctx.get(dut.i.ready)
    ctx.set(dut.enable, 1)
    assert ctx.get(dut.i.ready)
    await ctx.tick()
    ctx.set(dut.i.valid, 0)
    ctx.set(dut.enable, 0)
    for word, index, is_last, issued, advance in expected(dut.lanes, operation, sizes):
        assert not ctx.get(dut.idle)
        assert not ctx.get(dut.i.ready)
        assert plain(ctx.get(dut.word)) == as_bits(word)
        assert plain(ctx.get(dut.operation)) == operation
        assert ctx.get(dut.score) == issued
        assert ctx.get(dut.advance) == advance
        assert ctx.get(dut.last) == is_last
        if index is not None:
            assert ctx.get(dut.index) == index
            if word.loop == Loop.SELF:
                assert ctx.get(dut.first) == (index == 0)
        await ctx.tick()
    assert ctx.get(dut.idle)
    assert ctx.get(dut.word).as_bits() == 0


@all_lanes
class TestSequencer:
    def test_operations_one_after_another(self, lanes):
        dut, stalls = Sequencer(lanes=lanes), Stalls(lanes)

        async def testbench(ctx):
            for operation in (ENTER, BOTH, LOGITS, ENTER, ENTER, LOGITS, LOGITS, BOTH, BOTH):
                await run(ctx, dut, operation, SIZES, stalls())

        simulate(dut, testbench)

    @pytest.mark.parametrize("thinking", [1, 3])
    def test_thinking(self, lanes, thinking):
        dut = Sequencer(lanes=lanes)

        async def testbench(ctx):
            for operation in (ENTER, BOTH, LOGITS, BOTH, ENTER, LOGITS):
                await run(ctx, dut, operation, SIZES | {"thinking": thinking})

        simulate(dut, testbench)

    @pytest.mark.quick
    def test_sizes(self, lanes):
        dut = Sequencer(lanes=lanes)

        async def testbench(ctx):
            for passes, score, hidden, logit in (
                (1, 1, 1, 1),
                (16, 2, 1, 2),
                (3, 3, 2, 64),
                (2, 4, 8, 256),
                (1, 128, 1, 3),
            ):
                sizes = {
                    "passes": passes,
                    "score_groups": score,
                    "hidden_groups": hidden,
                    "logit_groups": logit,
                    "thinking": 0,
                }
                await run(ctx, dut, BOTH, sizes)
                await run(ctx, dut, ENTER, sizes)

        simulate(dut, testbench)
