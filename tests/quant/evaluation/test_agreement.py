# SPDX-License-Identifier: MIT
import math
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.blink.checkpoint import read_checkpoint
from glintfpga.quant.blink.quantize import quantize
from glintfpga.quant.blink.scorers import FixedScorer, FloatScorer
from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.agreement import windows_beside
from glintfpga.quant.evaluation.perplexity import windows
from support.table_scorer import TableScorer

SHIPPED = resources.files("glintfpga.train").joinpath("release/blink-base/model.safetensors")
RNG = np.random.default_rng(5)
EXACT, OTHER = RNG.dirichlet(np.ones(256), (2, 256))


def by_hand(text):
    """Share of flips in percent and mean divergence in thousandths, a position at a time."""
    seen = [
        byte
        for start in range(0, len(text), 256)
        for byte in text[start : start + 256][:-1]
    ]  # fmt: skip
    flips = [int(OTHER[byte].argmax() != EXACT[byte].argmax()) for byte in seen]
    kl = [
        sum(p * math.log(p / q) for p, q in zip(EXACT[byte], OTHER[byte]) if p > 0)
        for byte in seen
    ]  # fmt: skip
    return 100 * sum(flips) / len(seen), 1000 * sum(kl) / len(seen)


@pytest.mark.quick
@given(st.binary(min_size=2, max_size=600))
def test_by_hand(text):
    # Logits may be off by a constant.
    fixed, exact = TableScorer(np.log(OTHER) + 7), TableScorer(np.log(EXACT))
    perplexity, flips, divergence = windows_beside(fixed, exact, text, benchmark="b")
    assert perplexity == windows(fixed, text, benchmark="b", numerics="fixed")
    assert (flips.metric, divergence.metric) == ("arg max differs, %", "KL, 1e-3 nats")
    assert (flips.value, divergence.value) == pytest.approx(by_hand(text))
    assert flips.n == divergence.n == perplexity.n
    assert {row.numerics for row in (perplexity, flips, divergence)} == {"fixed"}


def test_a_model_agrees_with_itself():
    same = TableScorer(np.log(EXACT))
    _, flips, divergence = windows_beside(same, same, bytes(range(256)) * 3, benchmark="b")
    assert (flips.value, flips.stderr) == (0.0, 0.0)
    assert divergence.value == pytest.approx(0.0, abs=1e-9)


def test_one_window_tells_of_no_spread():
    fixed, exact = TableScorer(np.log(OTHER)), TableScorer(np.log(EXACT))
    rows = windows_beside(fixed, exact, b"a text", benchmark="b")
    assert [row.stderr for row in rows] == [None] * 3
    rows = windows_beside(fixed, exact, RNG.bytes(600), benchmark="b")
    assert all(row.stderr > 0 for row in rows)


def test_nothing_to_score():
    same = TableScorer(np.log(EXACT))
    with pytest.raises(InputError, match="nothing to score"):
        windows_beside(same, same, b"x", benchmark="b")


def test_the_shipped_model_is_near_its_float_model():
    checkpoint = read_checkpoint(SHIPPED)
    model, _ = quantize(checkpoint)
    text = b"The history of the town begins with a market that was held beside the river. " * 12
    fixed, exact = FixedScorer(model, lanes=4), FloatScorer(checkpoint)
    _, flips, divergence = windows_beside(fixed, exact, text, benchmark="b")
    assert 0 < flips.value < 15
    assert 0 < divergence.value < 20
