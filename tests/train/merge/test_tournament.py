# SPDX-License-Identifier: MIT
import json
import sys
import time

import numpy as np
import pytest

from glintfpga.quant.blink.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from glintfpga.train.merge.tournament import play, scored_in_time

SPEC = ModelSpec(loops=1, hidden=2, vocab=4, eos=None)

# Distance of the first number of the embedding from 3, in tenths; without NumPy, to start fast.
JUDGE = """
import json, struct, sys, time
data = open(sys.argv[1], "rb").read()
size = int.from_bytes(data[:8], "little")
start = json.loads(data[8:8 + size])["embedding"]["data_offsets"][0]
(value,) = struct.unpack_from("<f", data, 8 + size + start)
if value > 50:
    time.sleep(60)
if value < 0:
    sys.exit("negative")
print(round(abs(value - 3), 1))
"""


def score_command(path):
    return [sys.executable, "-I", "-S", "-c", JUDGE, str(path)]


@pytest.fixture
def checkpoints(tmp_path):
    """Models that differ in the first number of their embedding."""

    def make(*values):
        rng = np.random.default_rng(1)
        tensors = {name: rng.normal(0, 0.1, shape) for name, shape in SPEC.tensor_shapes().items()}
        paths = []
        for index, value in enumerate(values):
            tensors = {name: array.copy() for name, array in tensors.items()}
            tensors["embedding"][:, 0] = value
            tensors["embedding"][1:, 1] = 0.01
            paths.append(tmp_path / f"c{index}.safetensors")
            write_checkpoint(paths[-1], Checkpoint(spec=SPEC, tensors=tensors))
        return paths

    return make


def test_merges_that_beat_the_best_stay_and_are_merged_again(checkpoints, tmp_path):
    paths = checkpoints(1.0, 7.0, 10.0)
    told = []
    bracket = play(
        paths,
        score_command,
        tmp_path / "m",
        top=3,
        workers=2,
        progress=lambda *now: told.append(now),
    )
    best = min(entry.score for entry in bracket.entries)
    winner = bracket[bracket.winner]
    assert winner.score == best < 0.5
    assert winner.round >= 2 and len(winner.parents) == 2
    assert all(
        entry.score < 2.0
        for entry in bracket.entries
        if entry.outcome == "kept" and entry.round == 1
    )
    assert (0, 3, 3) in told and (1, 9, 9) in told
    # The last round brought nothing.
    last = max(entry.round for entry in bracket.entries)
    assert all(entry.outcome == "out" for entry in bracket.entries if entry.round == last)
    champion = read_checkpoint(tmp_path / "m" / "champion.safetensors")
    assert abs(champion.tensors["embedding"][0, 0] - 3) == pytest.approx(best, abs=0.06)
    assert json.loads((tmp_path / "m" / "bracket.json").read_text()) == json.loads(
        json.dumps(bracket.to_json())
    )
    assert {entry["fate"] for entry in bracket.to_json()["entries"]} == {"field", "out", "kept"}


def test_without_a_better_merge_the_best_checkpoint_wins(checkpoints, tmp_path):
    bracket = play(checkpoints(3.0, 5.0, 20.0), score_command, tmp_path / "m", top=2)
    assert bracket.winner == "c0"
    assert [entry.outcome for entry in bracket.entries] == ["field", "field", "out"] + ["out"] * 3


def test_hung_and_failing_scores_are_recorded_and_play_goes_on(checkpoints, tmp_path):
    began = time.monotonic()
    bracket = play(
        checkpoints(3.0, 60.0, -1.0, 4.0), score_command, tmp_path / "m", limit_s=1.5, workers=4
    )
    assert time.monotonic() - began < 30
    assert bracket.winner == "c0"
    assert bracket["c1"].outcome == "hung: killed after 1.5 s"
    assert bracket["c2"].outcome == "failed: negative"
    assert (bracket["c1"].score, bracket["c2"].score) == (None, None)
    assert not any({"c1", "c2"} & set(entry.parents) for entry in bracket.entries)


def test_nothing_to_merge(checkpoints, tmp_path):
    with pytest.raises(InputError, match=r"could be scored \(failed: negative\)"):
        play(checkpoints(-1.0, -2.0), score_command, tmp_path / "m")
    with pytest.raises(InputError, match="there is none"):
        play([], score_command, tmp_path / "m")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("print('nan')", "failed: the score is nan"),
        ("print('good')", "failed: no score but 'good"),
        ("raise SystemExit(3)", "failed: exit code 3"),
    ],
)
def test_scores_that_are_none(code, reason):
    score, why = scored_in_time([sys.executable, "-I", "-S", "-c", code], 20)
    assert score is None
    assert why.startswith(reason)
