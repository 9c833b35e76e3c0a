# SPDX-License-Identifier: MIT
import math
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glintfpga.quant.blink.checkpoint import Checkpoint, read_checkpoint
from glintfpga.quant.blink.quantize import quantize
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.scorers import FixedScorer, FloatScorer
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.losses import Passage, losses, pieces
from support.models import seeded_model
from support.table_scorer import TableScorer

SHIPPED = resources.files("glintfpga.train").joinpath("release/blink-base/model.safetensors")
TABLE = np.log(np.random.default_rng(3).dirichlet(np.ones(256), 256))
MODEL = TableScorer(TABLE)


def by_hand(passage):
    text, first = passage.text, passage.first
    return sum(-TABLE[text[i - 1], text[i]] for i in range(first, len(text)))


passages = st.builds(Passage, text=st.binary(max_size=40), first=st.integers(1, 10))


@given(st.lists(passages, max_size=8), st.integers(1, 4))
def test_sums_of_passages(some, batch):
    found = losses(MODEL, some, batch=batch)
    assert found == pytest.approx([by_hand(passage) for passage in some], abs=1e-7)


@pytest.mark.quick
@given(st.permutations(list(b"abcdefghijklmnop")))
def test_equal_terms_tie_whatever_their_order(letters):
    unigram = TableScorer(np.broadcast_to(TABLE[0], (256, 256)))
    first, second = losses(
        unigram, [Passage(text=b"-abcdefghijklmnop"), Passage(text=b"-" + bytes(letters))]
    )
    assert first == second


def test_progress_rises_to_the_end():
    seen = []
    some = [Passage(text=bytes(n)) for n in (5, 1, 9, 3, 0)]
    losses(MODEL, some, batch=2, progress=lambda *call: seen.append(call))
    done, totals = zip(*seen)
    assert list(done) == sorted(set(done))
    assert set(totals) == {done[-1]} == {2 * 8 + 2 * 2}


def test_nothing_before_the_first_byte():
    with pytest.raises(ValueError, match="nothing before it"):
        losses(MODEL, [Passage(text=b"ab", first=0)])


def test_byte_outside_the_vocabulary():
    class Small(TableScorer):
        def step(self, ids):
            return super().step(ids)[:, :100]

    with pytest.raises(InputError, match="byte 200 is outside the vocabulary of 100 ids"):
        losses(Small(TABLE), [Passage(text=bytes([1, 200]))])


def test_fixed_scores_the_integers_of_the_reference():
    model, _ = quantize(read_checkpoint(SHIPPED))
    text = b"The cat sat"
    logits = ReferenceModel(model, lanes=2).score(np.array(list(text[:-1]))) / 256
    chosen = logits[np.arange(10), list(text[1:])]
    bits = np.log2(np.exp2(logits).sum(axis=1)) - chosen
    (found,) = losses(FixedScorer(model, lanes=2), [Passage(text=text)])
    assert found == pytest.approx(math.log(2) * bits.sum(), rel=1e-9)


def tiny(seed, **sizes):
    spec = ModelSpec(**{"loops": 2, "hidden": 2, "window": 4, **sizes})
    return seeded_model(spec, seed=seed, edges=0.0)


@pytest.mark.parametrize("lanes", [2, 4, 8])
@pytest.mark.parametrize("window", [1, 3, 8])
def test_pieces_of_fixed_numbers_have_the_same_losses(lanes, window, monkeypatch):
    """The cut models see the same integers: losses of every piece are equal, to the last bit."""
    monkeypatch.setattr("glintfpga.quant.evaluation.losses._SHORTEST_PIECE", 100)
    model = FixedScorer(tiny(7, window=window), lanes=lanes)
    text = np.random.default_rng(1).integers(0, 256, 800, np.uint8).tobytes()
    parts = pieces(model, Passage(text=text))
    assert len(parts) > 2
    edges = 1 + np.cumsum([0, *(part.scored for part in parts)])
    ends = [Passage(text=text[:stop], first=start) for start, stop in zip(edges, edges[1:])]
    assert ends[-1].text == text
    assert losses(model, parts).tolist() == losses(model, ends).tolist()


def test_the_reach_is_needed_and_the_period_too():
    """With one byte less, or one position off, the last byte is seen in another way."""
    model = FixedScorer(tiny(7, window=3), lanes=4)
    rng = np.random.default_rng(1)

    def same(start, before):
        texts = rng.integers(0, 256, (300, start + before + 1), np.uint8)
        whole = [Passage(text=row.tobytes(), first=start + before) for row in texts]
        cut = [Passage(text=row[start:].tobytes(), first=before) for row in texts]
        return losses(model, whole).tolist() == losses(model, cut).tolist()

    assert same(model.period, model.reach)
    assert not same(model.period, model.reach - 1)
    assert not same(model.period + 1, model.reach)


@settings(max_examples=20)
@given(st.integers(1, 5000), st.integers(1, 6))
def test_pieces_cover_each_byte_once(length, first):
    text = np.arange(length).astype("<u4").tobytes()[:length]
    parts = pieces(MODEL, Passage(text=text, first=first))
    scored = b"".join(part.text[part.first :] for part in parts)
    assert scored == text[first:]


def test_float_pieces_have_the_same_losses():
    model = FloatScorer(read_checkpoint(SHIPPED))
    text = np.random.default_rng(1).integers(32, 127, 1500, np.uint8).tobytes()
    parts = pieces(model, Passage(text=text))
    assert len(parts) == 2
    assert losses(model, parts).sum() == pytest.approx(
        losses(model, [Passage(text=text)])[0], rel=1e-12
    )


def test_thinking_reaches_everything():
    checkpoint = read_checkpoint(SHIPPED)
    spec = ModelSpec(**{**vars(checkpoint.spec), "thinking": 1})
    model = FloatScorer(Checkpoint(spec=spec, tensors=checkpoint.tensors))
    assert model.reach is None
    whole = Passage(text=bytes(9000))
    assert pieces(model, whole) == [whole]
