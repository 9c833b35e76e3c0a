# SPDX-License-Identifier: MIT
import random
from dataclasses import replace

import pytest

from glintfpga.firmware.blink.golden import GOLDEN_TOKENS
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.image_format import HEADER_BYTES
from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.messages import Done, generate, load, message, prompt, set_baud
from glintfpga.firmware.wire.protocol import HelloFlag, Op, SelfTest, Status
from support.load_cases import END, begin, part
from support.models import hash_model
from support.service_bench import Bench, oracle
from support.toy_core import GOLDEN, START, ToyCore

IMAGE = START.data
SIZE = len(IMAGE)
NO_MODEL = RowFacts().hello(image_header=bytes(HEADER_BYTES))
BYTE = 3  # cycles that a byte takes on the line
ASK = generate(2, temperature=256, seed=5, crc=True)


def model_of(data):
    Image.from_bytes(data)
    return hash_model()


def statuses(commands):
    """Of the gateware; its answers must be those of the software device."""
    expected, _, _ = oracle(commands, load=model_of)
    bench = Bench(ToyCore(), byte=BYTE)
    got = []

    async def script(ctx):
        for command in commands:
            got.append(await bench.ask(ctx, command))

    bench.run(script)
    assert got == expected
    return [done.status for _, done in got]


def changed(at, bit=1):
    data = bytearray(IMAGE)
    data[at] ^= bit
    return bytes(data)


def test_many_parts():
    """The model answers as one that came in one part, which it does again right behind."""
    rng = random.Random(1)
    cuts = sorted(rng.sample(range(1, SIZE), 12))
    cuts = [0, 1, 2, *cuts, SIZE - 1, SIZE]
    parts = [part(IMAGE[at:end]) for at, end in zip(cuts, cuts[1:])]
    commands = [begin(SIZE), *parts, END, ASK, *load(IMAGE), ASK, *load(IMAGE, part=200), ASK]
    assert set(statuses(commands)) == {Status.OK}


def test_empty_parts_change_nothing():
    empty = part(b"")
    commands = [begin(SIZE), empty, part(IMAGE[:99]), empty, part(IMAGE[99:]), END, ASK]
    assert set(statuses(commands)) == {Status.OK}
    # Behind the last byte there is nothing to add to, not even nothing.
    assert statuses([begin(SIZE), part(IMAGE), empty, END, ASK])[2:] == [
        Status.NO_LOAD,
        Status.OK,
        Status.OK,
    ]


@pytest.mark.parametrize("size", [1, pytest.param(96, marks=pytest.mark.slow), 101, SIZE - 1])
def test_a_size_too_small(size):
    """With its last byte, whether the part ends there, goes on, or has all the rest."""
    commands = []
    for cut, end in ((0, size), (0, size + 1), (0, size + 60), (0, SIZE), (size - 1, size + 60)):
        before = part(IMAGE[:cut])
        commands += [begin(size), before, part(IMAGE[cut:end]), part(b"x"), END]
    found = statuses([*commands, ASK])
    refused = [Status.BAD_IMAGE, Status.NO_LOAD, Status.NO_LOAD]
    assert found == [Status.OK, Status.OK, *refused] * 5 + [Status.NO_MODEL]


def test_a_size_too_big():
    """At the latest with the last byte; the loader knows with the last of a whole image."""
    bench = Bench(ToyCore(), byte=BYTE)

    async def script(ctx):
        for size in (SIZE + 1, 65536 + SIZE, 2**32 - 1):
            assert (await bench.ask(ctx, begin(size)))[1].status == Status.OK
            assert (await bench.ask(ctx, part(IMAGE[:300])))[1].status == Status.OK
            assert (await bench.ask(ctx, part(IMAGE[300:])))[1].status == Status.BAD_IMAGE
            assert (await bench.ask(ctx, part(b"x")))[1].status == Status.NO_LOAD
            assert (await bench.ask(ctx, END))[1].status == Status.NO_LOAD
            assert (await bench.ask(ctx, ASK))[1].status == Status.NO_MODEL

    bench.run(script)


def test_more_bytes_than_the_size():
    """Behind a good image: BAD_LENGTH, and the load is over; behind a bad one BAD_IMAGE."""
    commands = []
    for more in (1, 300):
        commands += [begin(SIZE), part(IMAGE[:50]), part(IMAGE[50:] + bytes(more)), END]
    found = statuses([*commands, ASK, begin(SIZE), part(changed(SIZE - 1) + b"x"), END])
    refused = [Status.OK, Status.OK, Status.BAD_LENGTH, Status.NO_LOAD]
    assert found == refused * 2 + [*(Status.NO_MODEL, Status.OK, Status.BAD_IMAGE, Status.NO_LOAD)]


def test_an_image_of_no_bytes():
    commands = [begin(0), part(b"x"), END, ASK, begin(0), END, begin(0), part(b""), *load(IMAGE)]
    assert statuses(commands) == [
        *(Status.OK, Status.NO_LOAD, Status.NO_LOAD, Status.NO_MODEL),
        *(Status.OK, Status.NO_LOAD, Status.OK, Status.NO_LOAD),
        *(Status.OK, Status.OK, Status.OK),
    ]


def test_the_end_too_early():
    commands = []
    for came in (0, 1, 96, SIZE - 1):
        commands += [begin(SIZE), part(IMAGE[:came]), END, part(IMAGE[came:]), END]
    refused = [Status.OK, Status.OK, Status.BAD_LENGTH, Status.NO_LOAD, Status.NO_LOAD]
    assert statuses([*commands, ASK]) == refused * 4 + [Status.NO_MODEL]


def test_no_load_is_open():
    """The model stays, with its context: nothing was begun."""
    commands = [prompt(b"a", 257), part(IMAGE), END, ASK, *load(IMAGE), END, part(b""), ASK]
    assert statuses(commands) == [
        *(Status.OK, Status.NO_LOAD, Status.NO_LOAD, Status.OK),
        *(Status.OK, Status.OK, Status.OK, Status.NO_LOAD, Status.NO_LOAD, Status.OK),
    ]


def test_commands_between_the_parts():
    """There is no model for them; those of a wrong length do not touch the load."""
    between = [
        *(message(Op.ABORT), message(Op.RESET), prompt(b"a", 257), ASK, set_baud(9)),
        *(message(Op.LOAD, b"123"), message(Op.LOAD, b"12345"), message(Op.LOAD_END, b"x")),
        *(b"\x0b\1\0x", set_baud(0)),
    ]
    commands = [begin(SIZE), part(IMAGE[:70]), *between, part(IMAGE[70:]), *between, END, ASK]
    found = statuses(commands)
    bad = [Status.NO_MODEL] * 4 + [Status.BAD_ARGUMENT] + [Status.BAD_LENGTH] * 3
    bad += [Status.UNKNOWN_OP, Status.OK]
    assert found == [Status.OK] * 2 + bad + [Status.OK] + bad + [Status.OK] * 2


def test_another_load_begins_again():
    commands = []
    for came in (0, 1, 70, 200, SIZE):
        commands += [begin(SIZE), part(IMAGE[:came])]
    assert set(statuses([*commands, *load(IMAGE, part=300), ASK])) == {Status.OK}


def test_a_wrong_crc():
    """Found with the last byte; the load after it is a good one."""
    commands = []
    for at in (HEADER_BYTES + 20, SIZE - 5, SIZE - 1):
        bad = changed(at)
        commands += [begin(SIZE), part(bad[:-1]), part(bad[-1:]), END, ASK]
    refused = [Status.OK, Status.OK, Status.BAD_IMAGE, Status.NO_LOAD, Status.NO_MODEL]
    assert statuses([*commands, *load(IMAGE), ASK]) == refused * 3 + [Status.OK] * 4


def test_unreadable_images_are_refused():
    bench = Bench(ToyCore(), byte=BYTE)

    async def script(ctx):
        for body in (b"GLNT", bytes(400), changed(0), changed(4)):
            start, whole, end = load(body)
            assert await bench.ask(ctx, start) == ({}, Done(op=Op.LOAD))
            bad = Done(op=Op.LOAD_PART, status=Status.BAD_IMAGE)
            assert await bench.ask(ctx, whole) == ({}, bad)
            none = Done(op=Op.LOAD_END, status=Status.NO_LOAD)
            assert await bench.ask(ctx, end) == ({}, none)
        assert (await bench.ask(ctx, generate(1)))[1].status == Status.NO_MODEL

    bench.run(script)


def test_a_session_that_ends_between_the_parts():
    """Or within one, or within LOAD: there is no model, no image in the hello, and no load."""
    bench = Bench(ToyCore(), byte=BYTE)
    rng = random.Random(3)
    whole = begin(SIZE) + part(IMAGE[:150]) + part(IMAGE[150:])
    sent = [7, 7 + 3 + 100, 7 + 3 + 150, len(whole) - 1, len(whole)]

    async def script(ctx):
        for nonce, size in enumerate(sent, 2):
            await bench.send(ctx, whole[:size])
            while bench.host.unacked:
                await bench.serve(ctx)
            await bench.serve(ctx, rng.randrange(60, 200))
            said = await bench.open(ctx, nonce)
            assert said == RowFacts().hello(self_test=SelfTest.NO_MODEL)
            # What comes is no part of the message before.
            for command in (part(IMAGE[150:]), END):
                refused = Done(op=command[0], status=Status.NO_LOAD)
                assert await bench.ask(ctx, command) == ({}, refused)
            assert (await bench.ask(ctx, ASK))[1].status == Status.NO_MODEL
        for command in load(IMAGE, part=100):
            assert (await bench.ask(ctx, command))[1].status == Status.OK
        assert (await bench.ask(ctx, ASK))[1].status == Status.OK

    bench.run(script)


def test_a_session_that_ends_before_the_size_keeps_the_model():
    bench = Bench(ToyCore(), byte=BYTE)

    async def script(ctx):
        before = bench.host.info
        await bench.send(ctx, begin(SIZE)[:-1])
        await bench.serve(ctx, 100)
        assert await bench.open(ctx, 2) == before
        assert (await bench.ask(ctx, ASK))[1].status == Status.OK

    bench.run(script)


@pytest.mark.parametrize("golden", [GOLDEN, GOLDEN ^ 1 << 31])
def test_the_self_test(golden):
    """The DONE of LOAD_END and a HELLO in between wait for it."""
    bench = Bench(ToyCore(golden=golden), info=NO_MODEL, byte=BYTE)
    right = golden == GOLDEN
    result = SelfTest.PASSED if right else SelfTest.TOKEN_FAILED
    *before, end = load(IMAGE, part=400)

    async def script(ctx):
        for nonce in range(2, 5):
            for command in before:
                assert await bench.ask(ctx, command) == ({}, Done(op=command[0]))
            assert not bench.core.tested
            await bench.send(ctx, end)
            if nonce == 3:
                while not bench.core.tested:
                    await bench.serve(ctx)
                assert not bench.held
            else:
                status = Status.OK if right else Status.SELF_TEST
                assert await bench.answer(ctx) == ({}, Done(op=Op.LOAD_END, status=status))
            said = await bench.open(ctx, nonce)
            assert said.self_test == result and bench.core.tested == GOLDEN_TOKENS
            wanted = RowFacts().hello(self_test=result)
            if right:
                image = {"image_header": START.header, "image_crc": START.crc}
                wanted = replace(wanted, flags=HelloFlag.MODEL, **image)
            assert said == wanted
        status = Status.OK if right else Status.NO_MODEL
        assert (await bench.ask(ctx, generate(1)))[1].status == status

    bench.run(script)
