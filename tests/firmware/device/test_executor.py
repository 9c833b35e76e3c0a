# SPDX-License-Identifier: MIT
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glintfpga.firmware.wire.messages import (
    Counters,
    Generate,
    decode_tokens,
    generate,
    message,
    prompt,
    score,
    set_baud,
)
from glintfpga.firmware.wire.protocol import Op, Reason, Status
from glintfpga.quant.numbers.logit_crc import logit_crc

EOS = 256


def tokens_of(bodies, vocab=257):
    return decode_tokens(bodies.get(Op.TOKENS, b""), vocab)


class TestRefusals:
    @pytest.mark.parametrize(
        ("asked", "status"),
        [
            (b"\x00\x00\x00", Status.UNKNOWN_OP),
            (b"\x0b\x02\x00ab", Status.UNKNOWN_OP),
            (b"\x10\x01\x00a", Status.UNKNOWN_OP),
            (b"\xff\xff\xff" + bytes(65535), Status.UNKNOWN_OP),
            (message(Op.RESET, b"x"), Status.BAD_LENGTH),
            (message(Op.ABORT, b"x"), Status.BAD_LENGTH),
            (message(Op.COUNTERS, b"x"), Status.BAD_LENGTH),
            (message(Op.GENERATE, bytes(14)), Status.BAD_LENGTH),
            (message(Op.GENERATE, bytes(16)), Status.BAD_LENGTH),
            (message(Op.SET_BAUD), Status.BAD_LENGTH),
            (message(Op.SET_BAUD, b"\0\0"), Status.BAD_LENGTH),
            (message(Op.SCORE), Status.BAD_LENGTH),
            (set_baud(5), Status.BAD_ARGUMENT),
            (message(Op.SCORE, b"\x02abc"), Status.BAD_ARGUMENT),
            (generate(1, temperature=1024), Status.BAD_ARGUMENT),
            (message(Op.GENERATE, Generate(count=1, flags=8).encode()), Status.BAD_ARGUMENT),
            (message(Op.LOAD), Status.BAD_LENGTH),
            (message(Op.LOAD, bytes(3)), Status.BAD_LENGTH),
            (message(Op.LOAD, bytes(5)), Status.BAD_LENGTH),
            (message(Op.LOAD_END, b"x"), Status.BAD_LENGTH),
            (message(Op.LOAD_PART), Status.NO_LOAD),
            (message(Op.LOAD_PART, bytes(60_000)), Status.NO_LOAD),
            (message(Op.LOAD_END), Status.NO_LOAD),
        ],
    )
    def test_status_and_next_command(self, bench, asked, status):
        bodies, done = bench.ask(asked)
        assert (done.op, done.status, done.reason, done.count) == (asked[0], status, 0, 0)
        assert not bodies
        assert bench.ask(message(Op.COUNTERS))[1].status == Status.OK

    def test_bad_token_keeps_those_before(self, make_bench):
        bench = make_bench(vocab=100, eos=None)
        _, done = bench.ask(message(Op.PROMPT, b"\x01\x63\x64\x02"))
        assert (done.status, done.count) == (Status.BAD_TOKEN, 2)
        assert bench.numerics.context == [1, 99]
        bodies, done = bench.ask(message(Op.SCORE, b"\0\x03\xff"))
        assert (done.status, done.count, len(bodies[Op.SCORES])) == (Status.BAD_TOKEN, 1, 4)

    def test_half_a_token(self, make_bench):
        bench = make_bench(vocab=300, eos=None)
        assert bench.ask(message(Op.PROMPT, b"\1\0\2"))[1].status == Status.BAD_LENGTH
        assert bench.ask(message(Op.SCORE, b"\0\1"))[1].status == Status.BAD_LENGTH
        assert bench.numerics.context == []


class TestContext:
    def test_prompt_and_score_append_and_reset_clears(self, bench):
        assert bench.ask(prompt(b"ab", 257))[1].count == 2
        assert bench.ask(prompt(b"", 257))[1].count == 0
        assert bench.ask(score(b"cd", 257))[1].count == 2
        assert bytes(bench.numerics.context) == b"abcd"
        bench.ask(message(Op.RESET))
        assert bench.numerics.context == []

    def test_reset_forgets_the_pending_token(self, bench):
        bench.ask(prompt(b"a", 257))
        bench.ask(generate(1))
        bench.ask(message(Op.RESET))
        bench.ask(prompt(b"b", 257))
        assert bytes(bench.numerics.context) == b"b"

    @pytest.mark.parametrize(("eos", "first"), [(EOS, EOS), (7, 7), (None, 0)])
    def test_empty_context_starts_with_eos(self, make_bench, eos, first):
        bench = make_bench(eos=eos)
        bench.ask(generate(1))
        assert bench.numerics.context == [first]

    @pytest.mark.quick
    def test_pending_token_enters_before_what_follows(self, bench):
        bench.ask(prompt(b"ab", 257))
        (token,) = tokens_of(bench.ask(generate(1))[0])
        assert bytes(bench.numerics.context) == b"ab"
        bench.ask(score(b"cd", 257))
        bench.ask(prompt(b"e", 257))
        assert bench.numerics.context == [*b"ab", token, *b"cde"]

    @settings(max_examples=25)
    @given(
        split=st.tuples(st.integers(0, 20), st.integers(0, 20)),
        temperature=st.sampled_from([0, 256, 1023]),
        words=st.binary(max_size=5),
    )
    def test_two_generates_equal_one(self, make_bench, split, temperature, words):
        answers = []
        for counts in (split, (sum(split),)):
            bench = make_bench(eos=None, vocab=40)
            bench.ask(prompt([byte % 40 for byte in words], 40))
            got = []
            for i, count in enumerate(counts):
                ask = generate(count, temperature=temperature, seed=None if i else 5)
                got += tokens_of(bench.ask(ask)[0], 40)
            bench.ask(prompt([0], 40))
            answers.append((got, bench.numerics.context))
        assert answers[0] == answers[1]
        got, context = answers[0]
        assert len(got) == sum(split)
        start = [byte % 40 for byte in words]
        assert context == (start or [0] * bool(got)) + got + [0]


class TestGenerate:
    def test_eos_ends_and_is_no_byte(self, make_bench):
        bench = make_bench(script=[65, 66, EOS])
        bodies, done = bench.ask(generate(10))
        assert tokens_of(bodies) == [65, 66]
        assert (done.status, done.reason, done.count) == (Status.OK, Reason.EOS, 2)
        bench.ask(prompt(b"x", 257))
        assert bench.numerics.context == [EOS, 65, 66, EOS, 120]

    def test_eos_as_the_last_one_counts_as_eos(self, make_bench):
        bench = make_bench(script=[65, EOS])
        assert bench.ask(generate(1))[1].reason == Reason.COUNT
        bodies, done = bench.ask(generate(1))
        assert (bodies, done.reason, done.count) == ({}, Reason.EOS, 0)

    def test_blank_line(self, make_bench):
        script = [10, 65, 10, 10, 66]
        bodies, done = make_bench(script=script).ask(generate(5, blank_line=True))
        assert tokens_of(bodies) == [10, 65, 10, 10]
        assert (done.reason, done.count) == (Reason.BLANK_LINE, 4)
        bodies, done = make_bench(script=script).ask(generate(5))
        assert tokens_of(bodies) == script
        assert make_bench(script=script).ask(generate(4, blank_line=True))[1].reason == 2

    def test_newlines_do_not_add_up_over_commands(self, make_bench):
        bench = make_bench(script=[10, 10, 10])
        bench.ask(generate(1, blank_line=True))
        assert bench.ask(generate(1, blank_line=True))[1].reason == Reason.COUNT

    def test_zero_changes_nothing_but_the_seed(self, bench):
        bodies, done = bench.ask(generate(0, seed=9))
        assert (bodies, done.status, done.count) == ({}, Status.OK, 0)
        assert bench.numerics.context == []
        assert bench.ask(message(Op.COUNTERS))[1].status == Status.OK

    def test_seed_repeats_the_noise(self, bench):
        answers = []
        for seed in (5, 5, None):
            bench.ask(message(Op.RESET))
            answers.append(bench.ask(generate(30, temperature=1023, seed=seed))[0])
        assert answers[0] == answers[1] != answers[2]

    @pytest.mark.parametrize(("vocab", "size"), [(256, 5), (300, 6)])
    def test_crcs(self, make_bench, vocab, size):
        bench = make_bench(vocab=vocab, eos=None)
        bodies, done = bench.ask(generate(100, crc=True))
        assert len(bodies[Op.TOKENS]) == size * 100
        again = make_bench(vocab=vocab, eos=None).numerics
        again.enter(0)
        for i in range(0, size * 100, size):
            entry = bodies[Op.TOKENS][i : i + size]
            logits = again.logits()
            token = int.from_bytes(entry[:-4], "little")
            assert token == np.argmax(logits)
            assert int.from_bytes(entry[-4:], "little") == logit_crc(logits)
            again.enter(token)

    def test_two_byte_tokens(self, make_bench):
        bench = make_bench(vocab=300, eos=299, script=[256, 298, 0, 299])
        assert bench.ask(prompt([299, 256], 300))[1].count == 2
        bodies, done = bench.ask(generate(9))
        assert tokens_of(bodies, 300) == [256, 298, 0]
        assert done.reason == Reason.EOS

    def test_abort(self, bench):
        bench.send(generate(2**32 - 1))
        bench.wait(0.05)
        bench.send(message(Op.ABORT))
        bodies, done = bench.answer()
        assert (done.op, done.reason) == (Op.GENERATE, Reason.ABORT)
        assert done.count == len(tokens_of(bodies)) > 10
        _, done = bench.answer()
        assert (done.op, done.status) == (Op.ABORT, Status.OK)
        bench.ask(prompt(b"x", 257))
        assert bench.numerics.context == [EOS, *tokens_of(bodies), 120]

    def test_abort_with_nothing_to_abort(self, bench):
        assert bench.ask(message(Op.ABORT))[1].status == Status.OK

    def test_abort_behind_another_command_waits(self, bench):
        bench.send(generate(50) + prompt(b"x", 257) + message(Op.ABORT))
        answers = [bench.answer()[1] for _ in range(3)]
        assert [done.op for done in answers] == [Op.GENERATE, Op.PROMPT, Op.ABORT]
        assert (answers[0].reason, answers[0].count) == (Reason.COUNT, 50)


class TestScore:
    @pytest.mark.parametrize("vocab", [16, 257, 512])
    @pytest.mark.parametrize("logits", [False, True])
    def test_positions(self, make_bench, vocab, logits):
        bench = make_bench(vocab=vocab, eos=None)
        ids = [1, 15, 0] * 4
        bodies, done = bench.ask(score(ids, vocab, logits=logits))
        assert (done.status, done.count) == (Status.OK, 12)
        again = make_bench(vocab=vocab, eos=None).numerics
        expected = b""
        for token in ids:
            again.enter(token)
            expected += logit_crc(again.logits()).to_bytes(4, "little")
            expected += again.logits().astype("<i4").tobytes() * logits
        assert bodies[Op.SCORES] == expected

    def test_long(self, bench):
        ids = [i % 256 for i in range(5000)]
        bodies, done = bench.ask(score(ids, 257))
        assert done.count == 5000 and len(bodies[Op.SCORES]) == 20000


class TestCounters:
    def test_they_count(self, make_bench):
        bench = make_bench(script=[65, 66, EOS])
        bench.ask(prompt(b"abc", 257))
        bench.ask(score(b"de", 257))
        bodies, _ = bench.ask(message(Op.COUNTERS))
        counters = Counters.decode(bodies[Op.COUNTED])
        assert counters == Counters(prefill_tokens=5, tokens=0)
        bench.ask(generate(10))
        bodies, _ = bench.ask(message(Op.COUNTERS))
        assert Counters.decode(bodies[Op.COUNTED]) == bench.device.counters
        assert bench.device.counters.prefill_tokens == 5
