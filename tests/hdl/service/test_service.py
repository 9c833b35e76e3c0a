# SPDX-License-Identifier: MIT
import random
from dataclasses import replace

import pytest

from glintfpga.firmware.blink.golden import GOLDEN_TOKENS
from glintfpga.firmware.blink.image_format import Section
from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.frames import FrameSplitter, Hello, HelloReply, parse_frame
from glintfpga.firmware.wire.messages import (
    Counters,
    Done,
    decode_tokens,
    generate,
    load,
    message,
    prompt,
    score,
    set_baud,
)
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    SHORT_PAYLOAD,
    HelloFlag,
    Op,
    Reason,
    SelfTest,
    Status,
    frame_bytes,
    payload_limit,
)
from glintfpga.hdl.link_sizes import LARGE, SMALL
from support.service_bench import BYTE, Bench, oracle
from support.toy_core import GOLDEN, POWER_UP, START, STORED, ToyCore


def compare(commands, **model):
    expected, context, counters = oracle(commands, **model)
    bench = Bench(ToyCore(**model))

    async def script(ctx):
        for command, answer in zip(commands, expected, strict=True):
            assert await bench.ask(ctx, command) == answer
        bodies, _ = await bench.ask(ctx, message(Op.COUNTERS))
        got = Counters.decode(bodies[Op.COUNTED])
        assert got.total_cycles >= got.token_cycles
        assert replace(got, token_cycles=0, total_cycles=0, prefill_cycles=0) == counters

    bench.run(script)
    assert bench.core.numerics.context == context


def test_prompt_and_generate():
    compare(
        [
            prompt(b"hello", 257),
            generate(40, temperature=300, seed=2**63 + 5),
            generate(5),
            prompt(b"", 257),
            prompt(b"again", 257),
            generate(100, temperature=1023, crc=True),
            generate(0, seed=3),
            generate(3, temperature=256),
            message(Op.RESET),
            generate(4, seed=3, temperature=1000),
        ]
    )


def test_reasons_to_end():
    compare(
        [
            generate(9),  # EOS, pending
            generate(9, blank_line=True),  # x \n \n
            generate(9, blank_line=False),  # \n \n y EOS
            prompt(b"p", 257),
            generate(2, blank_line=True),  # \n \n at the same time as the count
            generate(1),  # EOS at the same time as the count
        ],
        script=[65, 256, 120, 10, 10, 10, 10, 121, 256, 10, 10, 256],
    )


@pytest.mark.parametrize(("vocab", "eos"), [(300, 299), (512, None), (40, 0)])
def test_other_vocabularies(vocab, eos):
    compare(
        [
            generate(3, crc=True),
            prompt([1, 2, vocab - 1], vocab),
            score([3], vocab, logits=True),
            generate(70, temperature=256, seed=1, crc=vocab < 512),
            message(Op.PROMPT, (5).to_bytes(1 + (vocab > 257), "little") + b"\xff\xff\xff\xff"),
            score([5], vocab),
        ],
        vocab=vocab,
        eos=eos,
    )


def test_score():
    compare(
        [
            score(b"abc", 257),
            generate(2),
            score(b"", 257),
            score(b"d", 257, logits=True),
            score(b"f" * 60, 257),
            generate(2),
        ]
    )


def test_refusals():
    compare(
        [
            message(Op.RESET, b"x"),
            message(Op.ABORT),
            message(Op.ABORT, b"12"),
            message(Op.COUNTERS, b"123"),
            message(Op.GENERATE, bytes(14)),
            message(Op.GENERATE, bytes(16)),
            message(Op.GENERATE, b"\1\0\0\0\0\4\0" + bytes(8)),
            message(Op.GENERATE, b"\1\0\0\0\0\0\x08" + bytes(8)),
            message(Op.SCORE),
            message(Op.SCORE, b"\2abc"),
            message(Op.SET_BAUD, b"\5"),
            message(Op.SET_BAUD, b"\1\1"),
            b"\0\3\0abc",
            b"\x0b\0\0",
            b"\x10\0\0",
            b"\xff\1\1" + bytes(257),
            generate(2),
        ]
    )


def test_no_model():
    bench = Bench(ToyCore(vocab=0), info=RowFacts().hello(image_header=b"\7" * 96))

    async def script(ctx):
        assert bench.host.info == RowFacts().hello(self_test=SelfTest.NO_MODEL)
        for command in (message(Op.RESET), prompt(b"a", 257), score(b"a", 257), generate(1)):
            refused = Done(op=command[0], status=Status.NO_MODEL)
            assert await bench.ask(ctx, command) == ({}, refused)
        assert (await bench.ask(ctx, message(Op.ABORT)))[1].status == Status.NO_MODEL
        assert (await bench.ask(ctx, message(Op.COUNTERS)))[1].status == Status.OK

    bench.run(script)


def test_abort():
    bench = Bench(ToyCore(script=[65] * 100_000, cycles=300))

    async def script(ctx):
        await bench.send(ctx, generate(2**32 - 1))
        await bench.serve(ctx, 3000)
        await bench.send(ctx, message(Op.ABORT) + prompt(b"x", 257))
        bodies, done = await bench.answer(ctx)
        tokens = decode_tokens(bodies[Op.TOKENS], 257)
        assert done == Done(op=Op.GENERATE, reason=Reason.ABORT, count=len(tokens))
        assert await bench.answer(ctx) == ({}, Done(op=Op.ABORT))
        assert await bench.answer(ctx) == ({}, Done(op=Op.PROMPT, count=1))
        assert bench.core.numerics.context == [256, *tokens, ord("x")]
        # Right behind the command: no token at all.
        await bench.send(ctx, generate(9) + message(Op.ABORT))
        assert (await bench.answer(ctx))[1].reason in (Reason.ABORT, Reason.COUNT)
        await bench.answer(ctx)

    bench.run(script)


def test_a_slow_token_is_sent_within_two_milliseconds():
    bench = Bench(ToyCore(cycles=4500))

    async def script(ctx):
        await bench.send(ctx, generate(4, temperature=0))
        sizes = []
        while (got := await bench.next_message(ctx))[0] != Op.DONE:
            sizes.append(len(got[1]))
        assert sum(sizes) == 4 and len(sizes) > 1

    bench.run(script)


def test_hello_ends_anything_and_keeps_the_context():
    bench = Bench(ToyCore(cycles=100))
    rng = random.Random(4)

    async def script(ctx):
        commands = [
            generate(2**32 - 1, seed=9, temperature=256),
            prompt(b"abcdefghijklmnopqrst", 257),
            score(b"uvwxyz" * 20, 257, logits=True),
            generate(2**32 - 1),
            message(Op.COUNTERS) * 5,
            b"".join(load(bytes(500))),
        ]
        for nonce, command in enumerate(commands, 2):
            await bench.send(ctx, command + bytes(rng.randrange(3)))
            await bench.serve(ctx, rng.randrange(900))
            await bench.open(ctx, nonce)
            await bench.serve(ctx, 100)
            assert not bench.held
            before = list(bench.core.numerics.context)
            if nonce == len(commands) + 1:
                assert not bench.host.info.flags & HelloFlag.MODEL
                break
            assert (await bench.ask(ctx, prompt(b"!", 257)))[1] == Done(op=Op.PROMPT, count=1)
            context = bench.core.numerics.context
            assert context[: len(before)] == before
            assert len(context) - len(before) in (1, 2) and context[-1] == ord("!")

    bench.run(script)


@pytest.mark.quick
def test_set_baud():
    bench = Bench(ToyCore())

    async def script(ctx):
        await bench.send(ctx, set_baud(3) + prompt(b"a", 257))
        assert await bench.answer(ctx) == ({}, Done(op=Op.SET_BAUD))
        assert await bench.answer(ctx) == ({}, Done(op=Op.PROMPT, count=1))
        assert ctx.get(bench.dut.baud) == 3
        assert (await bench.open(ctx, 2)).baud_index == 3

    bench.run(script)


@pytest.mark.parametrize("fault", [None, "row", "header", "crc", "golden"])
def test_self_test_at_power_up(fault):
    """A failed one leaves hello, LOAD, COUNTERS and SET_BAUD."""
    stored = dict(STORED)
    stored[Section.SUM, 1] ^= 1 << 40 if fault == "row" else 0
    header = bytearray(START.header)
    header[50] ^= fault == "header"
    info = replace(
        POWER_UP,
        image_header=bytes(header),
        image_crc=START.crc ^ (1 if fault == "crc" else 0),
    )
    bench = Bench(ToyCore(stored=stored, golden=GOLDEN ^ (fault == "golden")), info=info)

    async def script(ctx):
        said = bench.host.info
        if fault is None:
            assert said == replace(info, self_test=SelfTest.PASSED)
            assert (await bench.ask(ctx, prompt(b"a", 257)))[1].status == Status.OK
            return
        bad = SelfTest.TOKEN_FAILED if fault == "golden" else SelfTest.MEMORY_FAILED
        assert said == RowFacts().hello(self_test=bad)
        assert ctx.get(bench.dut.self_test) == bad and not ctx.get(bench.dut.model)
        for command in (message(Op.RESET), prompt(b"a", 257), score(b"a", 257), generate(1)):
            assert (await bench.ask(ctx, command))[1].status == Status.NO_MODEL
        assert (await bench.ask(ctx, message(Op.COUNTERS)))[1].status == Status.OK
        assert (await bench.ask(ctx, set_baud(0)))[1].status == Status.OK

    bench.run(script)
    assert bench.core.tested == (0 if fault in ("row", "header", "crc") else GOLDEN_TOKENS)


@pytest.mark.parametrize(
    ("sizes", "index", "byte", "times"),
    [
        pytest.param(LARGE, 0, 16, 1600, id="short"),
        pytest.param(LARGE, 1, 8, 8500, id="long"),
        pytest.param(SMALL, 1, 8, 3000, id="small", marks=pytest.mark.slow),
    ],
)
def test_keeps_the_wire_busy_when_the_model_outruns_it(sizes, index, byte, times):
    bench = Bench(ToyCore(script=[65] * 100_000, cycles=6), byte=byte, sizes=sizes)

    async def script(ctx):
        await bench.ask(ctx, set_baud(index))
        while ctx.get(bench.dut.baud) != index:
            await bench.serve(ctx)
        bench.host.payload_limit = payload_limit(BAUDS[index])
        # Five bytes a token where the wire is faster.
        await bench.send(ctx, generate(2**32 - 1, crc=bool(index)))
        longest = frame_bytes(bench.longest(ctx))
        await bench.serve(ctx, 300 + 2 * longest)
        bench.wire.clear()
        await bench.serve(ctx, times)
        frames = FrameSplitter().feed(bytes(bench.wire).partition(b"\0")[2])
        loaded = sum(len(frame) + 1 for frame in frames if parse_frame(frame).payload)
        assert loaded >= 0.95 * times - 2 * longest
        assert max(map(len, frames)) > 0.9 * longest
        assert len(bench.wire) >= 0.99 * times
        assert bench.host.dropped == 0

    bench.run(script)


@pytest.mark.parametrize("seed", range(3))
def test_answers_hello_at_once_after_any_garbage(seed):
    commands = [message(Op.RESET), prompt(b"chat", 257), generate(5, temperature=300, seed=seed)]
    expected, _, _ = oracle(commands)
    bench = Bench(ToyCore(cycles=40))
    rng = random.Random(seed)

    async def script(ctx):
        for nonce in (2, 3):
            await bench.send(ctx, generate(2**32 - 1) if seed else b"")
            await bench.serve(ctx, rng.randrange(300))
            dut = bench.dut
            for _ in range(rng.randrange(500)):
                bench.to_device[:] = rng.choice([rng.randbytes(1), b"\0", Hello(99).encode()[:2]])
                ctx.set(dut.rx.error, rng.random() < 0.1)
                await bench.serve(ctx)
            ctx.set(dut.rx.error, 0)
            # The first byte comes when the frame on the wire is over.
            start = bench.cycle
            await bench.open(ctx, nonce)
            reply = len(HelloReply(nonce, bench.info).encode())
            assert bench.cycle - start < BYTE * (2 * frame_bytes(SHORT_PAYLOAD) + 10 + reply) + 400
            assert [await bench.ask(ctx, command) for command in commands] == expected

    bench.run(script)
