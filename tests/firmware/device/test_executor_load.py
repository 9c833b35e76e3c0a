# SPDX-License-Identifier: MIT
"""LOAD, LOAD_PART and LOAD_END: an image in as many messages as the host likes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.firmware.wire.messages import (
    encode_tokens,
    generate,
    load,
    message,
    prompt,
    score,
    set_baud,
)
from glintfpga.firmware.wire.protocol import Op, Status
from support.load_cases import END, begin, part

IMAGE = b"good" + (300).to_bytes(2, "little") + b"rest"
SIZE = len(IMAGE)
OK = Status.OK


def statuses(bench, *messages):
    return [bench.ask(one)[1].status for one in messages]


def has_wide_tokens(bench):
    return bench.ask(message(Op.PROMPT, encode_tokens([299], 300)))[1].count == 1


class TestGood:
    def test_in_one_part(self, bench):
        bench.ask(prompt(b"abc", 257))
        assert bench.load(IMAGE) == [OK] * 3
        assert has_wide_tokens(bench)
        assert bench.hello().flags == 1

    @given(st.lists(st.integers(0, SIZE - 1), max_size=6))
    def test_in_any_parts(self, make_bench, cuts):
        bench = make_bench()
        cuts = [0, *sorted(cuts), SIZE]
        pieces = [part(IMAGE[at:end]) for at, end in pairwise(cuts)]
        assert statuses(bench, begin(SIZE), *pieces, END) == [OK] * (2 + len(pieces))
        assert has_wide_tokens(bench)

    @pytest.mark.quick
    def test_each_message_has_its_done(self, bench):
        bench.send(b"".join(load(IMAGE, part=4)))
        done = [bench.answer()[1] for _ in range(5)]
        assert [each.op for each in done] == [Op.LOAD, *[Op.LOAD_PART] * 3, Op.LOAD_END]
        assert {(each.status, each.reason, each.count) for each in done} == {(OK, 0, 0)}

    def test_the_context_is_empty_and_the_noise_goes_on(self, make_bench):
        answers = []
        for loads in (False, True):
            bench = make_bench(vocab=300, eos=None)
            bench.ask(generate(3, temperature=1023, seed=5))
            if loads:
                assert bench.load(IMAGE, part=3)[-1] == OK
            bench.ask(message(Op.RESET))
            bench.ask(prompt([7], 300))
            answers.append(bench.ask(generate(8, temperature=1023))[0])
        assert answers[0] == answers[1]

    def test_there_is_no_model_before_the_end(self, bench):
        assert statuses(bench, begin(SIZE)) == [OK]
        assert bench.ask(generate(1))[1].status == Status.NO_MODEL
        assert statuses(bench, part(IMAGE)) == [OK]
        assert bench.ask(generate(1))[1].status == Status.NO_MODEL
        assert statuses(bench, END) == [OK]
        assert bench.ask(generate(1))[1].status == OK

    def test_other_commands_may_come_between(self, bench):
        between = [message(Op.COUNTERS), set_baud(0), message(Op.LOAD, b"x"), bytes([11, 0, 0])]
        told = []
        for one in (begin(SIZE), part(IMAGE[:3]), part(IMAGE[3:]), END):
            told += statuses(bench, one, *between)
        assert told == [OK, OK, OK, Status.BAD_LENGTH, Status.UNKNOWN_OP] * 4
        assert has_wide_tokens(bench)

    def test_another_load_begins_again(self, bench):
        assert statuses(bench, begin(99), part(b"junk"), begin(SIZE), part(IMAGE)) == [OK] * 4
        assert statuses(bench, begin(SIZE), part(IMAGE), END) == [OK] * 3
        assert has_wide_tokens(bench)


class TestBad:
    def test_it_leaves_no_model(self, bench):
        assert bench.hello().flags == 3
        assert bench.load(b"bad") == [OK, Status.BAD_IMAGE, Status.NO_LOAD]
        info = bench.hello()
        assert (info.flags, info.image_crc, info.image_header) == (0, 0, b"")
        for asked in (
            message(Op.RESET),
            prompt(b"a", 257),
            generate(1),
            score(b"a", 257),
            message(Op.ABORT),
        ):
            assert bench.ask(asked)[1].status == Status.NO_MODEL
        assert bench.ask(message(Op.COUNTERS))[1].status == OK
        assert bench.ask(set_baud(0))[1].status == OK
        assert bench.load(IMAGE) == [OK] * 3
        assert bench.ask(generate(3))[1].count == 3

    def test_it_shows_with_the_last_byte(self, bench):
        told = bench.load(b"bad image", part=4)
        assert told == [OK, OK, OK, Status.BAD_IMAGE, Status.NO_LOAD]

    def test_what_follows_a_failed_load(self, bench):
        assert statuses(bench, begin(3), part(b"bad")) == [OK, Status.BAD_IMAGE]
        assert statuses(bench, part(b""), part(b"x"), END) == [Status.NO_LOAD] * 3

    @pytest.mark.parametrize("missing", [1, SIZE])
    def test_bytes_missing(self, bench, missing):
        pieces = [part(IMAGE[:-missing])] * (missing < SIZE)
        assert statuses(bench, begin(SIZE), *pieces) == [OK] * (1 + len(pieces))
        assert statuses(bench, END, END) == [Status.BAD_LENGTH, Status.NO_LOAD]
        assert bench.hello().flags == 0

    @pytest.mark.parametrize("cut", [0, 4, SIZE - 1])
    def test_more_bytes_than_announced(self, bench, cut):
        told = statuses(bench, begin(SIZE), part(IMAGE[:cut]), part(IMAGE[cut:] + b"x"), END)
        assert told == [OK, OK, Status.BAD_LENGTH, Status.NO_LOAD]
        assert bench.hello().flags == 0

    def test_more_bytes_of_a_bad_image(self, bench):
        told = statuses(bench, begin(3), part(b"bad image"), END)
        assert told == [OK, Status.BAD_IMAGE, Status.NO_LOAD]

    def test_a_part_behind_the_last_byte(self, bench):
        """The load is not open any more; the image waits for its end."""
        assert statuses(bench, begin(SIZE), part(IMAGE), part(b"x")) == [OK, OK, Status.NO_LOAD]
        assert statuses(bench, END) == [OK]
        assert has_wide_tokens(bench)

    def test_no_image_is_empty(self, bench):
        assert statuses(bench, begin(0), part(b""), part(b"x"), END) == [OK, *[Status.NO_LOAD] * 3]
        assert bench.hello().flags == 0

    def test_an_end_is_good_for_one_model(self, bench):
        assert bench.load(IMAGE) == [OK] * 3
        assert statuses(bench, END, part(b"x")) == [Status.NO_LOAD] * 2
        assert has_wide_tokens(bench)

    @pytest.mark.parametrize("sent", [1, 2, 3])
    def test_a_hello_within_a_load_leaves_no_model(self, bench, sent):
        messages = load(IMAGE, part=SIZE // 2)
        assert statuses(bench, *messages[:sent]) == [OK] * sent
        assert bench.hello().flags == 0
        assert statuses(bench, part(b"x"), END) == [Status.NO_LOAD] * 2

    def test_a_hello_within_a_part(self, bench):
        bench.send(begin(SIZE) + part(IMAGE)[:-1])
        bench.wait(0.01)
        assert bench.hello().flags == 0
        assert statuses(bench, END) == [Status.NO_LOAD]

    def test_a_hello_within_the_size_changes_nothing(self, bench):
        bench.send(begin(SIZE)[:-1])
        bench.wait(0.01)
        assert bench.hello().flags == 3


class TestOtherDevices:
    def test_without_a_model_at_power_up(self, make_bench):
        bench = make_bench(model=None)
        assert bench.hello().flags == 0
        assert bench.ask(generate(1))[1].status == Status.NO_MODEL

    def test_refused(self, make_bench):
        bench = make_bench(load=None)
        assert bench.load(IMAGE) == [Status.UNSUPPORTED, Status.NO_LOAD, Status.NO_LOAD]
        assert bench.ask(generate(3))[1].count == 3


def test_an_image_that_no_software_device_keeps_is_refused_with_its_first_part(bench):
    huge = begin(2**26 + 1)
    assert statuses(bench, huge, part(b"good"), END) == [OK, Status.BAD_IMAGE, Status.NO_LOAD]
