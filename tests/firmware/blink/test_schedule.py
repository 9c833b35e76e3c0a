# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.blink.schedule import (
    NORM,
    Count,
    Loop,
    Rows,
    ScheduleWord,
    build_schedule,
    step_cycles,
    token_cycles,
)
from glintfpga.quant.blink.spec import ModelSpec

LANES = (2, 4, 8)
all_lanes = pytest.mark.parametrize("lanes", LANES)


def play(lanes, *, passes, score_groups, hidden_groups, logit_groups):
    """Words of one token in the order in which a sequencer plays them."""
    source = build_schedule(lanes)
    at = source.embed
    remaining, left = 0, passes
    counts = {
        Count.SCORE: max(score_groups, source.min_score_groups),
        Count.HIDDEN: hidden_groups,
        Count.LOGIT: logit_groups,
    }
    while True:
        word = source.words[at]
        yield word
        if word.end:
            return
        if word.count:
            remaining = counts[word.count] - 1
        if word.loop and remaining:
            remaining -= 1
            at -= word.loop == Loop.PAIR
        elif word.pass_end and (left := left - 1):
            at = source.passes
        else:
            at += 1


# (lanes, window): cycles of blink at the first position and with a full window
BLINK = {
    (2, 8): (526, 542),
    (4, 8): (442, 442),
    (8, 8): (392, 392),
    (2, 24): (526, 606),
    (4, 24): (442, 466),
    (8, 24): (392, 392),
    (2, 256): (526, 1534),
    (4, 256): (442, 930),
    (8, 256): (392, 624),
}


class TestCycles:
    @pytest.mark.parametrize(("lanes", "window"), BLINK)
    def test_blink(self, lanes, window):
        spec = ModelSpec(window=window)
        first, full = BLINK[lanes, window]
        assert token_cycles(spec, lanes, 1) == first
        assert token_cycles(spec, lanes, window) == full
        assert token_cycles(spec, lanes, 10 * window) == full

    @all_lanes
    def test_sum_of_the_steps(self, lanes):
        for spec in (ModelSpec(), ModelSpec(prelude=1, hidden=16, vocab=512, thinking=3)):
            for position in (1, 5, 100):
                steps = step_cycles(spec, lanes, position)
                assert sum(steps.values()) == token_cycles(spec, lanes, position)
                assert min(steps.values()) > 0
        assert list(steps) == ["embed", "norm and q, k, v", "attention", "feed-forward", "logits"]

    @all_lanes
    @pytest.mark.parametrize("hidden", [1, 4, 5, 16])
    @pytest.mark.parametrize("vocab", [2, 16, 17, 257, 512])
    def test_equal_the_words_played(self, lanes, hidden, vocab):
        spec = ModelSpec(loops=3, hidden=hidden, vocab=vocab, window=30, eos=None)
        for position in (1, 2, 8, 9, 29, 30, 31):
            words = list(
                play(
                    lanes,
                    passes=3,
                    score_groups=-(-min(position, 30) // lanes),
                    hidden_groups=-(-hidden // lanes),
                    logit_groups=-(-vocab // 16) * 16 // lanes,
                )
            )
            # The idle word between two tokens is part of a token.
            assert len(words) + 1 == token_cycles(spec, lanes, position)

    @all_lanes
    def test_thinking_runs_the_passes_again(self, lanes):
        def cycles(thinking):
            return token_cycles(ModelSpec(thinking=thinking), lanes, 100)

        assert cycles(2) - cycles(1) == cycles(1) - cycles(0)
        assert cycles(1) - cycles(0) == sum(
            step_cycles(ModelSpec(), lanes, 100)[step]
            for step in ("norm and q, k, v", "attention", "feed-forward")
        )

    def test_budgets(self):
        assert token_cycles(ModelSpec(window=24), 4, 24) <= 480
        assert token_cycles(ModelSpec(window=256), 4, 256) <= 1050


@all_lanes
class TestWords:
    def test_parts(self, lanes):
        source = build_schedule(lanes)
        assert source.lanes == lanes
        assert source.words[0] == ScheduleWord()
        assert (source.embed, source.passes) == (1, 2)
        assert source.words[source.embed] == ScheduleWord(x_embed=True)
        assert source.passes < source.logits < len(source.words) <= 64

    def test_one_of_each_landmark(self, lanes):
        source = build_schedule(lanes)
        parts = {
            "embed": source.words[1 : source.passes],
            "pass": source.words[source.passes : source.logits],
            "logits": source.words[source.logits :],
        }
        for name, part in parts.items():
            assert [i for i, w in enumerate(part) if w.pass_end] == (
                [len(part) - 1] if name == "pass" else []
            )
            assert [i for i, w in enumerate(part) if w.end] == (
                [len(part) - 1] if name == "logits" else []
            )
            strobes = (sum(w.x_attention for w in part), sum(w.x_ffn for w in part))
            assert strobes == ((1, 1) if name == "pass" else (0, 0))
        assert sum(w.fetch for w in parts["pass"]) == 3

    def test_every_repeated_word_follows_its_count(self, lanes):
        words = build_schedule(lanes).words
        kinds = {Count.SCORE: Rows.SCORE, Count.HIDDEN: Rows.GATE, Count.LOGIT: Rows.LOGIT}
        seen = []
        for word, following in zip(words, words[1:], strict=False):
            if word.count:
                assert word.clear
                assert following.rows == kinds[word.count]
                seen.append(word.count)
            if word.loop == Loop.PAIR:
                assert word.rows == Rows.UP
        assert seen == [Count.SCORE, Count.HIDDEN, Count.LOGIT]
        loops = [(word.rows, word.loop) for word in words if word.loop]
        assert loops == [
            (Rows.SCORE, Loop.SELF),
            (Rows.UP, Loop.PAIR),
            (Rows.LOGIT, Loop.SELF),
        ]

    def test_projections_fill_the_lanes(self, lanes):
        source = build_schedule(lanes)
        words = source.words[source.passes : source.logits]
        issued = [(w.rows, w.offset, w.part) for w in words if Rows.K <= w.rows <= Rows.V]
        parts = 2 if lanes == 2 else 1
        want = [
            (rows, matrix * 8 // lanes + part, part)
            for matrix, rows in enumerate((Rows.K, Rows.Q, Rows.V))
            for part in range(parts)
        ]
        assert issued == want

    def test_norm_is_ready_for_each_first_group(self, lanes):
        source = build_schedule(lanes)
        words = source.words[source.passes : source.logits]
        attention = next(i for i, w in enumerate(words) if w.x_attention)
        first_k = next(i for i, w in enumerate(words) if w.rows == Rows.K)
        gate = next(i for i, w in enumerate(words) if w.rows == Rows.GATE)
        logit = next(i for i, w in enumerate(source.words[source.logits :]) if w.rows == Rows.LOGIT)
        # x is new after x_attention; a word's operand is at the multipliers two cycles later.
        assert first_k + 2 == NORM
        assert gate + 2 == attention + 1 + NORM
        assert logit + 2 == NORM

    @pytest.mark.quick
    def test_loop_embedding_holds_while_the_first_norm_reads_it(self, lanes):
        source = build_schedule(lanes)
        words = source.words[source.passes : source.logits]
        assert [i for i, w in enumerate(words) if w.loop_embedding] == [0, 1, 2, 3]
