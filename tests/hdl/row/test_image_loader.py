# SPDX-License-Identifier: MIT
import random
import struct
import zlib
from dataclasses import replace

import pytest
from amaranth.sim import Simulator

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.golden import GOLDEN_LANES
from glintfpga.firmware.blink.image_format import HEADER_BYTES, ROW_BYTES, Section
from glintfpga.hdl.primitives.memory import pack_row
from glintfpga.hdl.row.image_loader import ImageLoader
from glintfpga.hdl.row.load_port import READ_CYCLES
from glintfpga.quant.blink.limits import LIMITS
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.spec import ModelSpec
from support.models import random_image

TINY = ModelSpec(loops=2, lora_targets=("q",), hidden=9, vocab=5, window=12, eos=4)
WIDE = ModelSpec(loops=1, lora_targets=("q",), hidden=1, vocab=18, window=1, eos=None)


IMAGE_AT = 44  # of the field in the info: its type and length, the CRC, the header
CRC_AT = IMAGE_AT + 2
HEADER_AT = CRC_AT + 4


def image(spec=TINY, plan=PLAN12):
    return random_image(spec, plan, seed=3)


def sealed(data):
    """``data`` without its CRC, with a right one."""
    return data + zlib.crc32(data).to_bytes(4, "little")


def patched(data, at, form, *values):
    """An image with some fields changed and a right CRC."""
    body = bytearray(data[:-4])
    struct.pack_into(form, body, at, *values)
    return sealed(bytes(body))


def load(*bodies, stop_after=None, seed=0, limits=LIMITS):
    """Feed bodies; returns for each: ok, rows by (target, index), info bytes written."""
    dut = ImageLoader(DeviceConfig(), image_at=IMAGE_AT, limits=limits)
    rng = random.Random(seed)
    results = []

    async def bench(ctx):
        for body in bodies:
            rows, info, outcome = {}, {}, None
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            at = 0
            for cycle in range(40 * len(body) + 40):
                valid = at < len(body) and rng.random() < 0.7
                ctx.set(dut.i.valid, valid)
                ctx.set(dut.i.payload, body[at] if at < len(body) else 0)
                ctx.set(dut.end, at == len(body))
                ctx.set(dut.stop, cycle == stop_after)
                (
                    _,
                    _,
                    ready,
                    done,
                    ok,
                    valid_row,
                    target,
                    index,
                    row,
                    *wrote,
                ) = await ctx.tick().sample(
                    dut.i.ready,
                    dut.done,
                    dut.ok,
                    dut.load.valid,
                    dut.load.target,
                    dut.load.index,
                    dut.load.data,
                    dut.info.enable,
                    dut.info.address,
                    dut.info.data,
                )
                at += valid and ready
                if valid_row:
                    assert (target, index) not in rows
                    rows[target, index] = struct.unpack("<3h", row.to_bytes(6, "little"))
                if wrote[0]:
                    info[wrote[1]] = wrote[2]
                if done:
                    outcome = ok
                    break
                if cycle == stop_after:
                    break
            results.append((outcome, rows, info))
            ctx.set(dut.stop, 0)
            ctx.set(dut.end, 0)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    return results


def rows_of(model):
    return {
        (int(section), index): (*(int(number) for number in row),)
        for section in Section
        for index, row in enumerate(model.sections[section])
    }


@pytest.mark.parametrize("spec", [TINY, WIDE])
def test_good_images(spec):
    good = image(spec)
    ((ok, rows, info),) = load(good.data)
    assert ok and rows == rows_of(good)
    expected = dict(enumerate(good.header, HEADER_AT)) | dict(enumerate(good.data[-4:], CRC_AT))
    assert info == expected


def check(good, *, lanes=4, change=None):
    """Read ``good`` back from memories in which ``change`` was XORed: (ok, golden)."""
    dut = ImageLoader(DeviceConfig(lanes=lanes), image_at=IMAGE_AT)
    rows = {
        (section, index): pack_row(row, 16)
        for section in Section
        for index, row in enumerate(good.sections[section])
    }
    info = dict(enumerate(good.header, HEADER_AT)) | dict(enumerate(good.data[-4:], CRC_AT))
    for memory in (rows, info):
        if change and change[0] in memory:
            memory[change[0]] ^= change[1]
    outcome = []

    async def memories(ctx):
        late = [0] * (READ_CYCLES - 1)
        async for _, _, target, index, at, wrote, valid in ctx.tick().sample(
            dut.load.target, dut.load.index, dut.info.address, dut.info.enable, dut.load.valid
        ):
            assert not wrote and not valid
            late.append(rows.get((target, index), 0))
            ctx.set(dut.load.stored, late.pop(0))
            ctx.set(dut.info_stored, info.get(at, 0))

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)  # someone else's bytes
        await ctx.tick().repeat(5)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.check, 1)
        (ok,) = await ctx.tick().sample(dut.ok).until(dut.done)
        outcome.extend([ok, ctx.get(dut.golden)])

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.add_testbench(memories, background=True)
    sim.run()
    return tuple(outcome)


@pytest.mark.parametrize("lanes", [2, 4, 8])
def test_reads_back(lanes):
    good = image(WIDE)
    assert check(good, lanes=lanes) == (1, good.golden[GOLDEN_LANES.index(lanes)])


@pytest.mark.parametrize(
    "where",
    [
        HEADER_AT,
        HEADER_AT + 36,
        HEADER_AT + 95,
        CRC_AT,
        CRC_AT + 3,
        (Section.CONFIG, 0),
        (Section.TABLE, 2),
        (Section.DOT, 47),
        (Section.SUM, 0),
        (Section.EMBED, 17),
        (Section.ROPE, 0),
    ],
)
def test_reads_back_something_else(where):
    bit = random.Random(repr(where)).randrange(8 if isinstance(where, int) else 48)
    assert check(image(WIDE), change=(where, 1 << bit))[0] == 0


def test_one_after_another():
    good = image()
    broken = good.data[:200] + bytes([good.data[200] ^ 1]) + good.data[201:]
    outcomes = [ok for ok, _, _ in load(good.data, broken, good.data, good.data[:300], good.data)]
    assert outcomes == [1, 0, 1, 0, 1]


def test_length():
    data = image().data
    bodies = [data[:n] for n in (0, 1, 95, 96, 97, 102, len(data) - 4, len(data) - 1)]
    outcomes = [ok for ok, _, _ in load(*bodies, data + b"\0", data)]
    assert outcomes == [0] * 9 + [1]


@pytest.mark.quick
def test_a_stop_gives_up():
    data = image().data
    for cycle in (3, 200, 400):
        (first, second) = load(data, data, stop_after=cycle)
        assert first[0] is None and second[0] is None


HEADER_FAULTS = {
    "magic": (0, "<4s", b"GLMT"),
    "magic 2": (0, "<4s", b"GLNX"),
    "version": (4, "<H", 1),
    "header bytes": (6, "<H", 97),
    "hidden 0": (11, "<B", 0),
    "hidden 17": (11, "<B", 17),
    "plan": (15, "<B", 9),
    "vocab 1": (16, "<H", 1),
    "vocab 513": (16, "<H", 513),
    "window 0": (18, "<H", 0),
    "window 257": (18, "<H", 257),
    "eos": (20, "<H", 5),
    "rope numerator": (22, "<H", 1024),
    "rope fraction": (22, "<HH", 44, 44),
    "rope denominator": (24, "<H", 1025),
    "passes 0": (26, "<H", 0),
    "passes 17": (26, "<H", 17),
    "DOT rows 0": (28, "<H", 0),
    "DOT rows": (28, "<H", 4097),
    "SUM rows": (30, "<H", 4097),
    "EMBED rows": (32, "<H", 6),
    "ROPE rows": (34, "<H", 45),
    "reserved": (48, "<B", 1),
    "reserved, last": (63, "<B", 1),
    "other passes": (26, "<H", 1),
    "other hidden": (11, "<B", 8),
    "other DOT rows": (28, "<H", 8),
}
CONFIG_AT = HEADER_BYTES
TABLE_AT = HEADER_BYTES + 3 * ROW_BYTES
ROW_FAULTS = {
    "out base": (CONFIG_AT, "<H", 512),
    "out base, large": (CONFIG_AT, "<H", 0xFFFF),
    "vocab": (CONFIG_AT + 2, "<H", 6),
    "logit shift": (CONFIG_AT + 4, "<H", 1 << 4),
    "window": (CONFIG_AT + 6, "<H", 11),
    "rope numerator": (CONFIG_AT + 8, "<H", 1),
    "rope denominator": (CONFIG_AT + 10, "<H", 1),
    "eos": (CONFIG_AT + 12, "<H", 3),
    "passes": (CONFIG_AT + 14, "<H", 1),
    "zero": (CONFIG_AT + 16, "<H", 1),
    "qkv base": (TABLE_AT, "<H", 510),
    "gate base": (TABLE_AT + 2, "<H", 509),
    "down base": (TABLE_AT + 4, "<H", 511),
    "kv base": (TABLE_AT + 6, "<H", 511),
    "attention shifts": (TABLE_AT + 8, "<H", 0x1000),
    "hidden": (TABLE_AT + 10, "<H", 7 << 12),
    "second pass, kv base": (TABLE_AT + 3 * ROW_BYTES + 6, "<H", 511),
}
ALLOWED = {
    "largest out base": (CONFIG_AT, "<H", 511),
    "largest qkv base": (TABLE_AT, "<H", 509),
    "largest gate base": (TABLE_AT + 2, "<H", 508),
    "largest down base": (TABLE_AT + 4, "<H", 510),
    "largest kv base": (TABLE_AT + 6, "<H", 510),
    "thinking": (CONFIG_AT + 4, "<H", 0xFF0F),
}


def test_faults_with_a_right_crc():
    data = image().data
    faults = [*HEADER_FAULTS.items(), *ROW_FAULTS.items()]
    results = load(*(patched(data, *fault) for _, fault in faults))
    assert [name for (name, _), (ok, _, _) in zip(faults, results, strict=True) if ok] == []


def test_limits_themselves_are_allowed():
    data = image().data
    results = load(*(patched(data, *change) for change in ALLOWED.values()))
    assert [ok for ok, _, _ in results] == [1] * len(ALLOWED)


def test_the_largest_vocabulary():
    data = image(ModelSpec(loops=1, lora_targets=("q",), hidden=1, vocab=512, window=256)).data
    fits, too_far = (patched(data, CONFIG_AT, "<H", 512 - 64 + n) for n in (0, 1))
    assert [ok for ok, _, _ in load(fits, too_far)] == [1, 0]


def test_another_plan_is_refused():
    ((ok, rows, _),) = load(image(plan=PLAN9).data)
    assert not ok and not rows


def test_smaller_limits():
    good = image().data
    for limits in (replace(LIMITS, hidden=4), replace(LIMITS, window=8)):
        assert load(good, limits=limits)[0][0] == 0
