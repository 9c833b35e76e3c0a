# SPDX-License-Identifier: MIT
import random

import pytest

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.messages import (
    decode_tokens,
    generate,
    message,
    prompt,
    score,
    set_baud,
    take_message,
)
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    FALLBACK_S,
    FLUSH_S,
    MAX_PAYLOAD,
    MESSAGE_HEADER,
    SHORT_PAYLOAD,
    Op,
    Status,
    frame_bytes,
    payload_limit,
)
from glintfpga.quant.blink.plan import PLAN12


def at_rate(bench, index):
    """Go to a rate, as the host and its line do."""
    if index:
        bench.ask(set_baud(index))
        bench.until(lambda: bench.device.baud_index == index)
        bench.host.payload_limit = payload_limit(BAUDS[index])


def collect_chunks(bench, asked, **pump):
    """Message bodies one by one until the DONE."""
    bench.send(asked)
    got = []
    for _ in range(20000):
        bench.pump(**pump)
        while (one := take_message(bench.held)) is not None:
            if one[0] == Op.DONE:
                return got
            got.append(one)
    raise AssertionError("no DONE")


class TestHello:
    def test_info(self, bench):
        info = bench.hello()
        facts = RowFacts.of(info)
        assert (facts.lanes, facts.plan) == (4, PLAN12)
        assert (info.clock_hz, info.baud_index) == (0, 0)
        assert info.image_header[:4] == b"GLNT" and info.image_crc == 0x12345678
        assert info.build_id == b"software"

    def test_twice_in_a_row(self, bench):
        assert bench.hello() == bench.hello()
        assert bench.ask(prompt(b"a", 257))[1].count == 1

    def test_it_ends_an_answer_and_keeps_the_context(self, bench):
        bench.ask(prompt(b"ab", 257))
        bench.send(generate(2**32 - 1) + prompt(b"never", 257))
        bench.wait(0.1)
        bench.hello()
        before = list(bench.numerics.context)
        bench.wait(0.1)
        assert bench.numerics.context == before and before[:2] == [*b"ab"]
        assert not bench.held
        bench.ask(prompt(b"c", 257))
        assert bench.numerics.context[len(before) :][-1] == ord("c")

    def test_within_a_prompt(self, bench):
        bench.send(prompt(b"abcdef", 257)[:-2])
        bench.wait(0.05)
        bench.hello()
        assert bytes(bench.numerics.context) == b"abcd"
        assert bench.ask(prompt(b"x", 257))[1].count == 1
        assert bytes(bench.numerics.context) == b"abcdx"


class TestChunks:
    @pytest.mark.parametrize(
        ("vocab", "crc", "unit"), [(256, False, 1), (256, True, 5), (300, False, 2), (300, True, 6)]
    )
    @pytest.mark.parametrize("index", [0, 1, 4])
    def test_full_ones(self, make_bench, vocab, crc, unit, index):
        bench = make_bench(vocab=vocab, eos=None)
        at_rate(bench, index)
        count = 400 if index == 0 else 4000
        chunks = collect_chunks(bench, generate(count, crc=crc), steps=10_000)
        sizes = [len(body) for _, body in chunks]
        most = payload_limit(BAUDS[index]) - MESSAGE_HEADER
        assert set(sizes[:-1]) == {most // unit * unit}
        assert sum(sizes) == count * unit

    def test_old_ones(self, bench):
        chunks = collect_chunks(bench, generate(20), seconds=1.01 * FLUSH_S)
        assert [len(body) for _, body in chunks] == [1] * 20

    @pytest.mark.parametrize(("index", "longest"), [(0, 188), (1, 1996)])
    def test_scores_are_cut_at_words(self, bench, index, longest):
        at_rate(bench, index)
        chunks = collect_chunks(bench, score(b"abc", 257, logits=True), steps=1000)
        assert [len(body) % 4 for _, body in chunks] == [0] * len(chunks)
        assert max(len(body) for _, body in chunks) == longest


class TestBaud:
    def test_switch_waits_for_the_ack(self, bench):
        bench.send(set_baud(4) + message(Op.COUNTERS))
        silent = bench.now
        for _ in range(5):
            assert bench.device.poll(silent) is not None
            assert bench.device.baud_index == 0
        assert bench.answer()[1].op == Op.SET_BAUD
        assert bench.answer()[1].status == Status.OK
        assert bench.device.baud_index == 4

    def test_frames_grow_with_the_rate_and_shrink_with_the_fall_back(self, make_bench):
        bench = make_bench(vocab=256, eos=None)

        feed, seen = bench.host.feed, []

        def watched(data, now):
            seen.extend(map(len, data.split(b"\0")))
            feed(data, now)

        def longest():
            seen.clear()
            bench.ask(score(b"abcdef", 256, logits=True))
            return max(seen)

        bench.host.feed = watched
        short, long = frame_bytes(SHORT_PAYLOAD) - 1, frame_bytes(MAX_PAYLOAD) - 1
        assert longest() <= short
        at_rate(bench, 3)
        assert short < longest() <= long
        bench.device.fall_back()
        assert longest() <= short

    def test_fall_back(self, bench):
        bench.ask(set_baud(2))
        bench.until(lambda: bench.device.baud_index == 2)
        bench.device.poll(bench.now + FALLBACK_S - 0.01)
        assert bench.device.baud_index == 2
        bench.device.poll(bench.now + FALLBACK_S + 0.01)
        assert bench.device.baud_index == 0

    def test_no_fall_back_within_an_answer(self, bench):
        bench.ask(set_baud(2))
        bench.until(lambda: bench.device.baud_index == 2)
        bench.send(generate(1000))
        for i in range(30):
            bench.device.poll(bench.now + i * 0.1)
        assert bench.device.baud_index == 2

    @pytest.mark.quick
    def test_fall_back_cancels_a_switch(self, bench):
        bench.send(set_baud(3))
        for i in range(30):
            bench.device.poll(bench.now + i * 0.1)
        assert bench.answer()[1].status == Status.OK
        bench.wait(0.01)
        assert bench.device.baud_index == 0

    def test_hello_cancels_a_switch(self, bench):
        bench.send(set_baud(3))
        bench.device.poll(bench.now)
        assert bench.hello().baud_index == 0
        bench.wait(0.01)
        assert bench.device.baud_index == 0


class TestSlowHost:
    def test_an_unread_answer_waits_in_the_ring(self, make_bench):
        bench = make_bench(vocab=256, eos=None)
        bench.send(generate(6000, crc=True))
        for _ in range(3000):
            bench.now += 0.0005
            bench.device.feed(bench.host.poll(bench.now), bench.now)
            bench.host.feed(bench.device.poll(bench.now, steps=9), bench.now)
        # Both ends hold a ring of 8,192 bytes, and the device a message more, of 5 bytes a token.
        assert len(bench.numerics.context) < 3500
        bodies, done = bench.answer()
        assert done.count * 5 == len(bodies[Op.TOKENS]) == 30_000

    def test_commands_queue_up(self, bench):
        bench.send(b"".join(prompt(bytes([i]), 257) for i in range(100)))
        for _ in range(100):
            assert bench.answer()[1].count == 1
        assert bench.numerics.context == list(range(100))


@pytest.mark.parametrize("seed", range(4))
def test_a_noisy_line_changes_nothing(make_bench, seed):
    answers = []
    for rate in (0, 0.003):
        rng = random.Random(seed)
        bench = make_bench(vocab=300, eos=None)
        feed = bench.device.feed, bench.host.feed

        def noisy(target, rng=rng, rate=rate):
            def carry(data, now):
                bad = (byte ^ (rng.random() < rate) << rng.randrange(8) for byte in data)
                target(bytes(bad), now)

            return carry

        bench.device.feed, bench.host.feed = map(noisy, feed)
        got = [bench.ask(prompt([i % 300 for i in range(500)], 300))]
        got.append(bench.ask(generate(200, temperature=256, seed=seed, crc=True)))
        got.append(bench.ask(score([299, 0, 256], 300, logits=True)))
        answers.append(got)
    assert answers[0] == answers[1]
    assert len(decode_tokens(answers[0][1][0][Op.TOKENS], 300)) == 600
