# SPDX-License-Identifier: MIT
import json
import os
import shutil

import pytest

from glintfpga.quant.blink.checkpoint import read_checkpoint
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.quant.files.lock import locked
from glintfpga.train.engine.shape import Shape
from glintfpga.train.optimizer.adam import Adam
from glintfpga.train.optimizer.basis import eigenbases_of
from glintfpga.train.run.config import Stage, TrainConfig
from glintfpga.train.run.model_files import read_model
from glintfpga.train.run.replica import Replica
from glintfpga.train.run.run import Run
from glintfpga.train.run.run_log import RunLog, Tails, read_sources
from glintfpga.train.run.worker import Sources, run_replica, score_checkpoint

CONFIG = TrainConfig(
    spec=ModelSpec(loops=1, hidden=2, window=4),
    stages=(
        Stage(lineages=3, tokens=8192, rate=1e-2),
        Stage(lineages=2, tokens=8192, rate=5e-3),
        Stage(lineages=1, tokens=4096, rate=1e-3, plan=12),
    ),
    length=32,
)


@pytest.fixture
def sources(corpus_of, sentences, tmp_path):
    """A corpus of 300 documents, three of which are held out."""
    path, _ = corpus_of(one=[sentences(seed) for seed in range(300)])
    return Sources(manifest=path, folder=None, cache=tmp_path / "cache")


def stage_by_stage(folder, sources):
    """A run without processes: what `Run.go` hands out, one after another."""
    run = Run(folder, CONFIG, sources)
    scores = {}
    for stage in range(3):
        members = run._members(stage, scores)
        scores[stage] = {index: run_replica(folder, index, stage, sources) for index in members}
    return scores


def test_a_run_keeps_the_best_and_repeats_bit_by_bit(sources, tmp_path):
    run = Run(tmp_path / "a", CONFIG, sources)
    seen = []
    best = run.go(workers=2, progress=seen.append)
    scores = run.scores()
    assert scores == stage_by_stage(tmp_path / "b", sources)
    assert [len(scores[stage]) for stage in range(3)] == [3, 2, 1]
    assert set(scores[1]) == set(sorted(scores[0], key=scores[0].get)[:2])
    assert min(scores[1].values()) < min(scores[0].values()) < 5.0
    (winner,) = scores[2]
    found = read_checkpoint(best)
    again = read_checkpoint(tmp_path / "b" / "checkpoints" / f"2-{winner:02d}.safetensors")
    assert all((found.tensors[name] == again.tensors[name]).all() for name in found.tensors)
    assert json.loads(found.note)["tokens"] == 20480
    assert seen[-1].total == CONFIG.tokens == seen[-1].tokens
    assert run.log.machine()["seconds"] > 0
    assert run.log.curves()[winner][-1]["tokens"] == 20480
    # A second start has nothing to do but to say the same.
    (best.parent / "best.safetensors").unlink()
    assert (
        Run(tmp_path / "a", CONFIG, sources).go().read_bytes()
        == (tmp_path / "a" / "checkpoints" / f"2-{winner:02d}.safetensors").read_bytes()
    )


def test_a_shape_for_software_trains_and_thinks(sources, tmp_path):
    pytest.importorskip("torch")
    shape = Shape(
        dim=8, heads=2, embedding_rank=4, loops=2, lora_rank=2, lora_targets=("q",), hidden=8,
        vocab=257, window=8, prelude=1, coda=1, thinking=1, eos=256,
    )  # fmt: skip
    config = TrainConfig(
        spec=shape, stages=(Stage(lineages=1, tokens=16 * 8 * 40, rate=0.1),), length=8, penalty=0
    )
    short = Sources(manifest=sources.manifest, folder=None, cache=sources.cache,
                    selection=(tmp_path / "text.txt",))  # fmt: skip
    (tmp_path / "text.txt").write_text("a cat sees the house under the old bridge. " * 13)
    Run(tmp_path / "a", config, short)
    score = run_replica(tmp_path / "a", 0, 0, short)
    model = read_model(tmp_path / "a" / "checkpoints" / "0-00.safetensors")
    assert model.spec == shape
    assert json.loads(model.note)["tokens"] == 16 * 8 * 40
    assert score < 5.0  # ln 257 is 5.55


def test_lost_scores_are_found_again(sources, tmp_path):
    scores = stage_by_stage(tmp_path / "a", sources)
    for index in scores[0]:
        assert run_replica(tmp_path / "a", index, 0, sources) == scores[0][index]
    (winner,) = scores[2]
    checkpoint = tmp_path / "a" / "checkpoints" / f"2-{winner:02d}.safetensors"
    assert score_checkpoint(checkpoint, CONFIG, sources) == scores[2][winner]


def test_a_missing_state_does_not_start_anew(sources, tmp_path):
    Run(tmp_path / "a", CONFIG, sources)
    with pytest.raises(InputError, match=r"00.safetensors' is missing: start the run anew"):
        run_replica(tmp_path / "a", 0, 1, sources)


def test_a_folder_belongs_to_one_config_and_one_process(sources, tmp_path):
    Run(tmp_path / "a", CONFIG, sources)
    other = TrainConfig(stages=(Stage(lineages=1, tokens=1, rate=0.1),))
    with pytest.raises(InputError, match="other settings: name another folder"):
        Run(tmp_path / "a", other, sources)
    run = Run(tmp_path / "a", CONFIG, sources)
    with locked(tmp_path / "a" / "lock", what="another"):
        with pytest.raises(InputError, match=f"is going on already, in process {os.getpid()}: "):
            run.go()
    with pytest.raises(EnvironmentProblem, match="cannot write"):
        Run(tmp_path / "a" / "config.json", CONFIG, sources)


def test_an_error_in_a_process_comes_back_and_the_rest_is_saved(sources, tmp_path):
    run = Run(tmp_path / "a", CONFIG, sources)
    (tmp_path / "a" / "state" / "00.safetensors").write_bytes(b"rubbish")
    with pytest.raises(InputError, match=r"damaged state .*00.safetensors.*delete it"):
        run.go(workers=2)
    shutil.rmtree(tmp_path / "a" / "checkpoints")
    (tmp_path / "a" / "state" / "00.safetensors").unlink()
    with pytest.raises((InputError, EnvironmentProblem), match="cannot write"):
        run.go(workers=1)


def test_a_small_corpus_is_judged_by_itself(corpus_of, sentences, tmp_path):
    path, _ = corpus_of(one=[sentences(seed, lines=20) for seed in range(4)])
    sources = Sources(manifest=path, folder=None, cache=tmp_path / "cache")
    ((name, text),) = sources.texts(sources.corpus(1.0))
    assert name == "the text it was trained on"
    assert len(text) > 1000
    chosen = Sources(
        manifest=path, folder=None, cache=tmp_path / "cache", selection=(path.parent / "one.txt",)
    )
    assert [(name, len(text)) for name, text in chosen.texts(chosen.corpus(1.0))] == [
        ("one.txt", (path.parent / "one.txt").stat().st_size)
    ]


def test_sources_are_noted(sources, tmp_path):
    Run(tmp_path / "a", CONFIG, sources)
    assert read_sources(tmp_path / "a") == sources
    (tmp_path / "a" / "sources.json").write_text("{}")
    with pytest.raises(InputError, match="is damaged"):
        read_sources(tmp_path / "a")


@pytest.mark.quick
def test_damaged_scores_are_refused(tmp_path):
    for text in ("[]", '{"0": 1}', '{"0": {"x": 1}}', "{", '{"0": {"0": NaN}}'):
        (tmp_path / "scores.json").write_text(text)
        with pytest.raises(InputError, match=r"scores.json.*delete it"):
            RunLog(tmp_path).scores()


def test_curves_leave_out_what_was_done_twice_and_what_was_cut(tmp_path):
    (tmp_path / "state").mkdir()
    lines = [
        json.dumps({"stage": 0, "stage_tokens": at, "tokens": at, "loss": at / 100})
        for at in (100, 200, 300, 200, 250)
    ]
    lines[2] = lines[2][:20]
    (tmp_path / "state" / "07.log").write_text("\n".join(lines))
    points = RunLog(tmp_path).curves()[7]
    assert [point["tokens"] for point in points] == [100, 200, 250]


def test_retreats_are_told_once(tmp_path):
    (tmp_path / "state").mkdir()
    path = tmp_path / "state" / "03.log"
    line = {"stage": 0, "stage_tokens": 5, "tokens": 5, "loss": None}
    path.write_text(json.dumps({**line, "caution": 0.5}) + "\n")
    tails = Tails(RunLog(tmp_path), [3])
    assert tails.retreats() == {}
    path.write_text(path.read_text() + json.dumps({**line, "caution": 0.25}) + "\n")
    assert tails.last()[0]["caution"] == 0.25
    assert tails.retreats() == {3: 0.25}
    assert tails.retreats() == {}


def test_states_are_replicas(sources, tmp_path):
    stage_by_stage(tmp_path / "a", sources)
    replica = Replica.load(
        tmp_path / "a" / "state" / "01.safetensors",
        Adam(count=CONFIG.spec.param_count, bases=eigenbases_of(CONFIG.spec)),
    )
    assert replica.steps > 0
