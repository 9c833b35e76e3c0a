# SPDX-License-Identifier: MIT
from importlib import resources

import numpy as np
import pytest

from glintfpga.quant.checkpoint import Checkpoint, read_checkpoint
from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.perplexity import windows
from glintfpga.quant.evaluation.scorers import FloatScorer
from glintfpga.train.data.difficulty import difficulties, easiest

PLAIN = "The people of the town were at the river in the morning, and then they went home."
SHIPPED = resources.files("glintfpga.train").joinpath("release/blink-base/model.safetensors")


@pytest.fixture(scope="module")
def checkpoint():
    return read_checkpoint(SHIPPED)


@pytest.fixture
def manifest(corpus_of):
    return corpus_of(a=["#!QZJX@@%%~~^^|{}" * 9, PLAIN * 9], b=["x", "Ж" * 99, PLAIN])[1]


def test_plain_prose_is_easiest(manifest, checkpoint):
    found = difficulties(manifest, checkpoint)
    assert found[2] == np.inf
    assert max(found[1], found[4]) < min(found[0], found[3])
    row = windows(FloatScorer(checkpoint), PLAIN.encode(), benchmark="", numerics="float")
    assert found[4] == pytest.approx(np.log(row.value))


@pytest.mark.parametrize(
    ("percent", "kept"), [(40, {1, 4}), (0.1, {1}), (100, {0, 1, 2, 3, 4}), (80, {0, 1, 3, 4})]
)
def test_share(manifest, checkpoint, percent, kept):
    if percent == 0.1:
        found = difficulties(manifest, checkpoint)
        kept = {int(np.argmin(found))}
    assert easiest(manifest, checkpoint, percent=percent).kept == kept


def test_name_says_what_was_used(manifest, checkpoint):
    other = Checkpoint(
        spec=checkpoint.spec,
        tensors={**checkpoint.tensors, "norm.final": checkpoint.tensors["norm.final"] * 2},
    )
    names = {
        easiest(manifest, model, percent=percent).name
        for model in (checkpoint, other)
        for percent in (40, 50)
    }
    assert len(names) == 4


@pytest.mark.parametrize("percent", [0, -1, 101, float("nan")])
def test_wrong_share(manifest, checkpoint, percent):
    with pytest.raises(InputError, match="above 0 and at most 100"):
        easiest(manifest, checkpoint, percent=percent)
