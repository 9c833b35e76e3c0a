# SPDX-License-Identifier: MIT
import math
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.blink.calibrate import sampled_text
from glintfpga.quant.blink.checkpoint import read_checkpoint
from glintfpga.quant.blink.quantize import quantize
from glintfpga.quant.blink.scorers import FixedScorer, FloatScorer
from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.perplexity import Page, continuous, per_page_byte, windows
from support.table_scorer import TableScorer

SHIPPED = resources.files("glintfpga.train").joinpath("release/blink-base/model.safetensors")
NEXT = TableScorer(np.where(np.eye(256, k=1) + np.eye(256, k=-255), math.log(4), 0.0))
"""Gives byte t + 1 four times the weight of any other."""

NAMES = {"benchmark": "b", "numerics": "float"}


def surprise(a, b):
    return math.log(259 / (4 if (a + 1) % 256 == b else 1))


def sums(text):
    return sum(surprise(a, b) for a, b in zip(text, text[1:]))


@given(st.binary(min_size=2, max_size=1200))
def test_windows(text):
    cut = [text[first : first + 256] for first in range(0, len(text), 256)]
    row = windows(NEXT, text, **NAMES)
    assert row.n == len(text) - len(cut)
    assert row.value == pytest.approx(math.exp(sum(map(sums, cut)) / row.n), rel=1e-8)


@given(st.binary(min_size=1, max_size=1200))
def test_continuous(text):
    row = continuous(NEXT, text, **NAMES)
    assert row.n == len(text)
    assert row.value == pytest.approx(math.exp(sums(b"\n" + text) / row.n), rel=1e-8)


def test_per_page_byte():
    pages = [Page(text=b"abc", raw_bytes=5), Page(text=b"", raw_bytes=2)]
    row = per_page_byte(NEXT, pages, **NAMES)
    assert row.n == 7
    assert row.value == pytest.approx(math.exp(sums(b"\nabc") / 7), rel=1e-8)


def test_error_of_equal_windows_is_nothing():
    assert windows(NEXT, bytes(range(256)) * 4, **NAMES).stderr == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("text", [b"one text", bytes(256), bytes(257)])
def test_one_window_tells_of_no_spread(text):
    """Of 257 bytes the second window has nothing to score."""
    assert windows(NEXT, text, **NAMES).stderr is None
    assert windows(NEXT, bytes(258), **NAMES).stderr is not None


@pytest.mark.quick
def test_error_is_that_of_the_mean_of_windows():
    rng = np.random.default_rng(0)
    text = b"".join(bytes(range(256)) if odd else bytes(256) for odd in rng.integers(0, 2, 25))
    row = windows(NEXT, text, **NAMES)
    parts = [text[i : i + 256] for i in range(0, len(text), 256)]
    values = [windows(NEXT, part, **NAMES).value for part in parts]
    assert row.stderr == pytest.approx(row.value * np.std(np.log(values), ddof=1) / 5)


@pytest.mark.parametrize("text", [b"", b"x"])
def test_nothing_to_score(text):
    with pytest.raises(InputError, match="nothing to score"):
        windows(NEXT, text, **NAMES)
    with pytest.raises(InputError, match="nothing to score"):
        continuous(NEXT, text[1:], **NAMES)
    with pytest.raises(InputError, match="nothing to score"):
        per_page_byte(NEXT, [], **NAMES)


def test_row():
    row = windows(NEXT, b"abc", **NAMES).to_json()
    assert list(row) == [
        "benchmark", "form", "numerics", "metric", "value", "stderr", "n", "protocol",
    ]  # fmt: skip
    assert row["n"] == 2


def test_fixed_is_within_one_percent_of_float():
    checkpoint = read_checkpoint(SHIPPED)
    model, _ = quantize(checkpoint)
    ids = sampled_text(checkpoint)[:128]
    text = bytes(np.where(ids < 256, ids, 10).ravel().tolist())
    exact = windows(FloatScorer(checkpoint), text, **NAMES)
    fixed = windows(FixedScorer(model, lanes=4), text, **NAMES)
    assert fixed.n == exact.n
    assert fixed.value == pytest.approx(exact.value, rel=0.01)
    assert fixed.value != exact.value
