# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.scorers import FloatScorer
from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.quant.evaluation.perplexity import windows
from glintfpga.train.data.difficulty import difficulties, easiest, shipped_scorer

PLAIN = "The people of the town were at the river in the morning, and then they went home."


@pytest.fixture(scope="module")
def checkpoint():
    return shipped_scorer()


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
    ("share", "kept"), [(0.4, {1, 4}), (0.001, {1}), (1, {0, 1, 2, 3, 4}), (0.8, {0, 1, 3, 4})]
)
def test_share(manifest, checkpoint, tmp_path, share, kept):
    if share == 0.001:
        found = difficulties(manifest, checkpoint)
        kept = {int(np.argmin(found))}
    assert easiest(manifest, checkpoint, share=share, cache=tmp_path).kept == kept


def test_name_says_what_was_used(manifest, checkpoint, tmp_path):
    other = Checkpoint(
        spec=checkpoint.spec,
        tensors={**checkpoint.tensors, "norm.final": checkpoint.tensors["norm.final"] * 2},
    )
    names = {
        easiest(manifest, model, share=share, cache=tmp_path).name
        for model in (checkpoint, other)
        for share in (0.4, 0.5)
    }
    assert len(names) == 4


@pytest.mark.quick
@pytest.mark.parametrize("share", [0, -1, 1.01, float("nan")])
def test_wrong_share(manifest, checkpoint, tmp_path, share):
    with pytest.raises(InputError, match="above 0 and at most 1,"):
        easiest(manifest, checkpoint, share=share, cache=tmp_path)


def test_the_ranking_is_made_once_for_all_shares(manifest, checkpoint, tmp_path, monkeypatch):
    told = []
    easiest(manifest, checkpoint, share=0.4, cache=tmp_path, progress=lambda *now: told.append(now))
    assert told[-1][0] == told[-1][1] > 0
    (file,) = (tmp_path / "difficulty").iterdir()
    np.testing.assert_array_equal(np.load(file), difficulties(manifest, checkpoint))
    with monkeypatch.context() as patch:
        patch.setattr("glintfpga.train.data.difficulty.difficulties", None)
        assert easiest(manifest, checkpoint, share=0.8, cache=tmp_path).kept == {0, 1, 3, 4}
    # A damaged one is made again.
    file.write_bytes(file.read_bytes()[:-5])
    assert easiest(manifest, checkpoint, share=0.8, cache=tmp_path).kept == {0, 1, 3, 4}
    assert len(np.load(file)) == 5


def test_a_cache_that_cannot_be_written(manifest, checkpoint, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match="cannot keep the ranking"):
        easiest(manifest, checkpoint, share=0.4, cache=tmp_path / "file")
