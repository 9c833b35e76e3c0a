# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.blink.latency import (
    K_WRITE,
    NORM,
    ROTATED,
    SCORE_X,
    SQUARE,
    TO_OPERAND,
    V_WRITE,
    VALUE,
)
from glintfpga.firmware.blink.layout import logit_rows
from glintfpga.firmware.blink.schedule import (
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
    (2, 8): (376, 392),
    (4, 8): (310, 310),
    (8, 8): (294, 294),
    (2, 24): (376, 456),
    (4, 24): (310, 342),
    (8, 24): (294, 302),
    (2, 256): (376, 1384),
    (4, 256): (310, 806),
    (8, 256): (294, 534),
}


class TestCycles:
    @pytest.mark.parametrize(("lanes", "window"), BLINK)
    def test_blink(self, lanes, window):
        spec = ModelSpec(window=window)
        first, full = BLINK[lanes, window]
        assert token_cycles(spec, lanes, 1) == first
        assert token_cycles(spec, lanes, window) == full
        assert token_cycles(spec, lanes, 10 * window) == full

    def test_two_loops(self):
        spec = ModelSpec(loops=2, window=8)
        assert {lanes: token_cycles(spec, lanes, 8) for lanes in LANES} == {2: 158, 4: 112, 8: 108}

    @pytest.mark.parametrize(
        ("lanes", "order"),
        [
            (2, [Rows.K, Rows.Q, Rows.V]),
            (4, [Rows.Q, Rows.K, Rows.V]),
            (8, [Rows.Q, Rows.K, Rows.V]),
        ],
    )
    def test_q_comes_first_unless_the_scores_wait_for_the_lanes(self, lanes, order):
        words = build_schedule(lanes).words
        assert [w.rows for w in words if Rows.K <= w.rows <= Rows.V and not w.part] == order

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
                    logit_groups=-(-vocab // 16) * 16 // logit_rows(lanes),
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
        assert token_cycles(ModelSpec(window=24), 4, 24) <= 345
        assert token_cycles(ModelSpec(window=256), 4, 256) <= 810


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
            (rows, (rows - Rows.K) * 8 // lanes + part, part)
            for rows in dict.fromkeys(rows for rows, _, _ in issued)
            for part in range(parts)
        ]
        assert issued == want
        assert sorted(rows for rows, _, part in issued if not part) == [Rows.K, Rows.Q, Rows.V]
        assert source.first_rows == issued[0][0]
        # One after another, with no cycle between them.
        first = next(i for i, w in enumerate(words) if w.rows)
        assert all(word.rows for word in words[first : first + 3 * parts])

    def test_norm_is_ready_for_each_first_group(self, lanes):
        source = build_schedule(lanes)
        words = source.words[source.passes : source.logits]
        attention = next(i for i, w in enumerate(words) if w.x_attention)
        first = next(i for i, w in enumerate(words) if w.rows)
        gate = next(i for i, w in enumerate(words) if w.rows == Rows.GATE)
        logit = next(i for i, w in enumerate(source.words[source.logits :]) if w.rows == Rows.LOGIT)
        # x is new after x_attention.
        assert first + TO_OPERAND == NORM
        assert gate + TO_OPERAND == attention + 1 + NORM
        assert logit + TO_OPERAND == NORM

    @pytest.mark.quick
    def test_loop_embedding_holds_while_the_first_norm_reads_it(self, lanes):
        source = build_schedule(lanes)
        words = source.words[source.passes : source.logits]
        assert [i for i, w in enumerate(words) if w.loop_embedding] == list(range(SQUARE + 2))

    def test_one_part_at_most_in_a_cycle(self, lanes):
        """No word takes the place of another: each kind of group is there, once."""
        words = build_schedule(lanes).words
        parts = 2 if lanes == 2 else 1
        want = dict.fromkeys((Rows.SCORE, Rows.GATE, Rows.UP, Rows.LOGIT), 1)
        want |= dict.fromkeys((Rows.K, Rows.Q, Rows.V), parts)
        assert {rows: sum(w.rows == rows for w in words) for rows in want} == want


class Attention:
    """Cycles of a pass up to the last SCORE word, with as few groups as a window may have."""

    def __init__(self, lanes, groups=1):
        source = build_schedule(lanes)
        words = source.words[source.passes : source.logits]
        self.parts = 2 if lanes == 2 else 1
        self.start = {
            rows: next(i for i, w in enumerate(words) if w.rows == rows)
            for rows in (Rows.K, Rows.Q, Rows.V, Rows.SCORE)
        }
        self.score = self.start[Rows.SCORE]
        self.last_score = self.score + max(groups, source.min_score_groups) - 1
        self.least = source.min_score_groups
        self.words = words


@all_lanes
class TestAttention:
    def test_score_finds_the_rotated_q_at_the_multipliers(self, lanes):
        """In the cycle in which q gets there: it is not kept for later."""
        at = Attention(lanes)
        assert at.score + TO_OPERAND == at.start[Rows.Q] + ROTATED

    def test_score_finds_its_place_free(self, lanes):
        """q is computed as early as that allows."""
        at = Attention(lanes)
        projections = [at.start[rows] + at.parts - 1 for rows in (Rows.K, Rows.Q, Rows.V)]
        assert at.score > max(projections)
        assert sum(w.rows == Rows.SCORE for w in at.words) == 1
        # Q one turn earlier would have put SCORE where another group is.
        first = min(at.start[rows] for rows in (Rows.K, Rows.Q, Rows.V))
        assert first == NORM - TO_OPERAND
        assert at.start[Rows.Q] == first or at.score - at.parts <= max(projections)

    def test_newest_key_and_value_are_there_for_the_last_score(self, lanes):
        """Fewest cycles of SCORE: with one less, K or V' would come too late."""
        at = Attention(lanes)
        key = at.start[Rows.K] + ROTATED
        # The bank has V' a cycle after its write: the cycle in which it is read, one before p.
        value = at.start[Rows.V] + V_WRITE + at.parts - 1
        assert key <= at.last_score + TO_OPERAND
        assert value < at.last_score + VALUE
        if at.least > 1:
            assert key == at.last_score + TO_OPERAND or value + 1 == at.last_score + VALUE

    def test_newest_key_is_kept_until_it_is_used(self, lanes):
        """Even in the longest window, before the next key: it is a pass later."""
        at = Attention(lanes, groups=256 // lanes)
        next_pass = at.last_score + len(at.words) - at.score
        assert at.start[Rows.K] + ROTATED <= at.last_score + TO_OPERAND
        assert next_pass + at.start[Rows.K] + K_WRITE > at.last_score + TO_OPERAND

    @pytest.mark.parametrize("groups", [1, 2, 3, 32])
    def test_x_is_new_after_the_last_score(self, lanes, groups):
        at = Attention(lanes, groups)
        repeats = at.last_score - at.score
        attention = next(i for i, w in enumerate(at.words) if w.x_attention)
        assert attention + repeats == at.last_score + SCORE_X

    def test_block_table_is_fetched_before_it_is_taken(self, lanes):
        words = Attention(lanes).words
        fetches = [i for i, w in enumerate(words) if w.fetch]
        assert fetches == list(range(fetches[0], fetches[0] + 3))
        assert fetches[-1] < len(words) - 1
