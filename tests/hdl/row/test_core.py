# amaranth: UnusedElaboratable=no
# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.image_format import Section
from glintfpga.firmware.blink.latency import TO_OPERAND
from glintfpga.firmware.blink.schedule import Rows, token_cycles
from glintfpga.hdl.primitives.memory import pack_row
from glintfpga.hdl.row.core import Core
from glintfpga.hdl.row.load_port import READ_CYCLES
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.numbers.logit_crc import logit_crc
from glintfpga.quant.numbers.sampler import Sampler
from support.component_bench import Stalls, get, put, simulate
from support.models import random_image

all_lanes = pytest.mark.parametrize("lanes", [2, 4, 8])


def build(plan=PLAN12, seed=0, **sizes):
    spec = ModelSpec(**{"loops": 2, "vocab": 40, "window": 5, "eos": None, **sizes})
    return random_image(spec, plan, seed=seed)


def operation(token=0, *, enter=1, logits=1, sample=0):
    return {"id": token, "enter": enter, "logits": logits, "sample": sample}


class Pair:
    """A core and the reference of the model it holds, under the same operations."""

    def __init__(self, image, lanes, plan=PLAN12):
        self.core = Core(DeviceConfig(lanes=lanes, plan=plan), image=image)
        self.lanes = lanes
        self.noise = Sampler()
        self.stalls = Stalls(lanes)
        if image is not None:
            self.use(image)

    def use(self, image):
        self.reference = ReferenceModel(image.model, lanes=self.lanes)

    async def step(self, ctx, op, temperature=0, readback=True):
        core, reference = self.core, self.reference
        ctx.set(core.temperature, temperature)
        await put(ctx, core.i, op, stall=self.stalls())
        if op["enter"]:
            reference.enter(op["id"])
        if not op["logits"]:
            return None
        (logits,) = reference.logits()
        got = await get(ctx, core.o, stall=self.stalls())
        want = self.noise.sample(logits, temperature if op["sample"] else 0)
        assert got == {"id": want, "crc": logit_crc(logits)}
        if readback:
            seen = []
            for token in range(len(logits)):
                ctx.set(core.logits.id, token)
                await ctx.tick()
                seen.append(ctx.get(core.logits.value))
            assert seen == logits.tolist()
        return want

    async def clear(self, ctx):
        await self.idle(ctx)
        ctx.set(self.core.clear, 1)
        await ctx.tick()
        ctx.set(self.core.clear, 0)
        assert not ctx.get(self.core.idle)
        await self.idle(ctx)
        self.reference.reset()

    async def idle(self, ctx):
        while not ctx.get(self.core.idle):
            await ctx.tick()

    async def load(self, ctx, image):
        await self.idle(ctx)
        port = self.core.load
        ctx.set(port.valid, 1)
        for section in Section:
            for index, row in enumerate(image.sections[section]):
                ctx.set(port.target, section)
                ctx.set(port.index, index)
                ctx.set(port.data, pack_row(row, 16))
                await ctx.tick()
        ctx.set(port.valid, 0)
        self.use(image)
        await self.clear(ctx)


async def random_answers(ctx, pair, rng, steps):
    """Operations of every kind; the first tokens read all their logits back."""
    vocab = pair.reference.model.vocab
    for turn in range(steps):
        kind = rng.choice(["both", "enter", "logits"], p=[0.7, 0.2, 0.1])
        op = operation(
            int(rng.integers(vocab)), enter=int(kind != "logits"), logits=int(kind != "enter")
        )
        await pair.step(ctx, op, readback=turn < 2)


# lanes, plan, sizes: every lane count and plan, windows that fill groups and such that do not
CASES = [
    (2, PLAN12, {"loops": 1, "hidden": 1, "vocab": 33, "window": 1}),
    (2, PLAN9, {"hidden": 5, "vocab": 64, "window": 5, "thinking": 1}),
    (4, PLAN12, {"hidden": 6, "vocab": 70, "window": 8}),
    (4, PLAN12, {"loops": 1, "prelude": 1, "hidden": 16, "vocab": 33, "window": 3, "thinking": 2}),
    (4, PLAN9, {"loops": 1, "hidden": 9, "vocab": 48, "window": 24}),
    (8, PLAN12, {"loops": 1, "hidden": 16, "vocab": 65, "window": 20}),
    (8, PLAN9, {"loops": 1, "hidden": 4, "vocab": 33, "window": 3, "thinking": 1}),
]


@pytest.mark.parametrize(("lanes", "plan", "sizes"), CASES)
def test_equals_the_reference_under_stalls(lanes, plan, sizes):
    pair = Pair(build(plan, **sizes), lanes, plan)

    async def testbench(ctx):
        await random_answers(ctx, pair, np.random.default_rng(lanes), sizes["window"] + 6)

    simulate(pair.core, testbench)


@pytest.mark.slow
@all_lanes
@pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")
@pytest.mark.parametrize("seed", range(6))
def test_random_shapes(lanes, plan, seed):
    rng = np.random.default_rng(100 * lanes + seed)
    window = int(rng.choice([1, 2, 3, 5, 7, 8, 9, 16, 23, 24, 40]))
    image = build(
        plan,
        seed,
        loops=int(rng.integers(1, 4)),
        hidden=int(rng.integers(1, 17)),
        vocab=int(rng.integers(2, 71)),
        window=window,
        thinking=int(rng.integers(0, 3)),
    )
    pair = Pair(image, lanes, plan)

    async def testbench(ctx):
        await random_answers(ctx, pair, rng, 2 * window + 10)
        await pair.clear(ctx)
        await random_answers(ctx, pair, rng, 10)

    simulate(pair.core, testbench, limit=10**6)


@pytest.mark.slow
@all_lanes
def test_longest_window(lanes):
    pair = Pair(build(loops=1, vocab=16, window=256), lanes)
    rng = np.random.default_rng(lanes)

    async def testbench(ctx):
        for _ in range(270):
            await pair.step(ctx, operation(int(rng.integers(16))), readback=False)

    simulate(pair.core, testbench, limit=10**6)


@all_lanes
def test_cycles_of_a_token(lanes):
    image = build(loops=1, hidden=5, vocab=33, window=9)
    core = Core(DeviceConfig(lanes=lanes), image=image)
    taken = []

    async def source(ctx):
        ctx.set(core.o.ready, 1)
        ctx.set(core.i.payload, operation(3))
        ctx.set(core.i.valid, 1)
        cycle = 0
        async for *_, ready in ctx.tick().sample(core.i.ready):
            cycle += 1
            if ready:
                taken.append(cycle)
            if len(taken) == 12:
                break

    simulate(core, source)
    between = np.diff(taken).tolist()
    spec = image.model.spec
    assert between == [token_cycles(spec, lanes, position) for position in range(1, 12)]


@all_lanes
@pytest.mark.parametrize("window", [1, 9])
def test_newest_key_is_used_in_the_last_group_alone(lanes, window):
    """In the lane of its slot, once a pass; the row that is used is the row that is written."""
    positions, loops = 2 * window + 3, 2
    core = Core(
        DeviceConfig(lanes=lanes), image=build(loops=loops, hidden=1, vocab=2, window=window)
    )
    last_groups, used, rows, written, done = [], [], [], [], []

    async def source(ctx):
        for _ in range(positions):
            await put(ctx, core.i, operation(1, logits=0))
        while not ctx.get(core.idle):
            await ctx.tick()
        done.append(True)

    async def monitor(ctx):
        cycle = 0
        while not done:
            sequencer = core._sequencer
            if ctx.get(sequencer.word).rows == Rows.SCORE and ctx.get(sequencer.last):
                assert ctx.get(sequencer.score)
                last_groups.append(cycle)
            for index, lane in enumerate(core._lanes):
                if ctx.get(lane.use_newest):
                    used.append((cycle, index))
                    rows.append(ctx.get(lane.newest_k))
                if ctx.get(lane.dot_write):
                    written.append((index, ctx.get(lane.dot_row)))
            cycle += 1
            await ctx.tick()

    simulate(core, source, monitor)
    slots = np.repeat(np.arange(positions) % window, loops).tolist()
    assert used == [
        (cycle + TO_OPERAND, slot % lanes) for cycle, slot in zip(last_groups, slots, strict=True)
    ]
    assert written == [(index, row) for (_, index), row in zip(used, rows, strict=True)]
    assert len(set(rows)) > positions  # every position and pass has its own


@pytest.mark.parametrize(("lanes", "plan"), [(2, PLAN12), (4, PLAN12), (4, PLAN9), (8, PLAN12)])
def test_rows_are_read_back(lanes, plan):
    """Exactly, `READ_CYCLES` after they are asked for, and without a trace."""
    image = build(plan, loops=2, hidden=3, vocab=17, window=3)
    pair = Pair(image, lanes, plan)

    async def testbench(ctx):
        port = pair.core.load
        await pair.step(ctx, operation(5), readback=False)
        await pair.idle(ctx)
        ctx.set(port.read, 1)
        for section in reversed(Section):
            for index, row in enumerate(image.sections[section]):
                ctx.set(port.target, section)
                ctx.set(port.index, index)
                await ctx.tick().repeat(READ_CYCLES)
                assert ctx.get(port.stored) == pack_row(row, 16), (section, index)
        ctx.set(port.read, 0)
        await pair.step(ctx, operation(6), readback=False)

    simulate(pair.core, testbench)


class TestState:
    @pytest.mark.quick
    def test_clear_empties_the_context(self):
        pair = Pair(build(loops=1), 8)

        async def testbench(ctx):
            for _ in range(2):
                for token in (5, 6, 7):
                    await pair.step(ctx, operation(token), readback=False)
                await pair.clear(ctx)

        simulate(pair.core, testbench)

    def test_logits_without_a_token(self):
        pair = Pair(build(), 2)

        async def testbench(ctx):
            await pair.step(ctx, operation(9, logits=0))
            for _ in range(2):
                await pair.step(ctx, operation(enter=0), readback=False)
            await pair.step(ctx, operation(1), readback=False)

        simulate(pair.core, testbench)

    @pytest.mark.parametrize("lanes", [2, 4])
    def test_sampling(self, lanes):
        pair = Pair(build(loops=1, vocab=33), lanes)

        async def testbench(ctx):
            token = 1
            for seed in (None, 1 << 63 | 5):
                if seed is not None:
                    await put(ctx, pair.core.seed, seed)
                    pair.noise.reseed(seed)
                for temperature in (256, 0, 1023, 205):
                    # A scored position between two sampled ones takes nothing from the stream.
                    await pair.step(ctx, operation(enter=0), temperature, readback=False)
                    op = operation(token, sample=1)
                    token = await pair.step(ctx, op, temperature, readback=False)

        simulate(pair.core, testbench)

    @pytest.mark.parametrize(("lanes", "first"), [(2, "another model"), (4, None), (8, None)])
    def test_load(self, lanes, first):
        image = build(seed=3, loops=1, hidden=11, vocab=50, window=3, thinking=1, eos=49)
        pair = Pair(build(seed=4) if first else None, lanes)

        async def testbench(ctx):
            if first:
                await pair.step(ctx, operation(3), readback=False)
            await pair.load(ctx, image)
            assert ctx.get(pair.core.facts.eos) == 49
            assert ctx.get(pair.core.facts.vocab) == 50
            for token in (4, 5, 6, 49):
                await pair.step(ctx, operation(token), readback=token == 4)

        simulate(pair.core, testbench)


class TestParameters:
    def test_attributes(self):
        image = build()
        core = Core(DeviceConfig(lanes=8), image=image)
        assert (core.lanes, core.plan, core.image) == (8, PLAN12, image)

    def test_plan(self):
        with pytest.raises(ValueError, match="image must be of plan 9, not 12"):
            Core(DeviceConfig(plan=PLAN9), image=build())
