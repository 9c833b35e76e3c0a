# SPDX-License-Identifier: MIT
import json
from dataclasses import replace

import numpy as np
import pytest

from glintfpga.quant.blink.checkpoint import read_checkpoint, write_checkpoint
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from glintfpga.train.data.manifest import Manifest, describe, write_manifest
from glintfpga.train.engine.kernel import Kernel
from glintfpga.train.engine.parameters import checkpoint_of, flatten, initial
from glintfpga.train.run.config import Stage, TrainConfig
from glintfpga.train.run.finetune import START, keep_start, starting_vector, tuning_config
from glintfpga.train.run.run import Run
from glintfpga.train.run.worker import Sources, run_replica, score_checkpoint

SPEC = ModelSpec(loops=1, hidden=2, window=4)


@pytest.fixture
def start(tmp_path):
    """A random model."""
    path = tmp_path / "base.safetensors"
    write_checkpoint(path, checkpoint_of(SPEC, initial(SPEC, np.random.default_rng(3))))
    return path


@pytest.fixture
def sources(tmp_path):
    """Six thousand dialogues of one exchange, sixty of which are held out."""
    roles = ("user", "assistant")
    rows = [
        {"messages": [{"role": role, "content": f"{role} {n % 7}?"} for role in roles]}
        for n in range(6000)
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    source = describe(tmp_path, path, licence="", origin="", added_by="")
    write_manifest(tmp_path / "m.json", Manifest(folder=tmp_path, sources=(source,)))
    return Sources(manifest=tmp_path / "m.json", folder=None, cache=tmp_path / "cache")


def config_of(start, tokens=1 << 17):
    config = tuning_config(start)
    stages = (
        Stage(lineages=1, tokens=tokens, rate=1e-2),
        Stage(lineages=1, tokens=4096, rate=1e-3, plan=12),
    )
    spec = replace(config.spec, chat=True)
    return replace(config, spec=spec, stages=stages, spaced=0.0, length=32)


def test_the_shape_is_that_of_the_start(start):
    config = tuning_config(start)
    assert config.spec == SPEC
    assert [stage.plan for stage in config.stages] == [None, 12]
    assert TrainConfig.from_json(config.to_json()) == config


def test_a_run_goes_on_from_the_start(start, sources, tmp_path):
    config = config_of(start)
    run = Run(tmp_path / "run", config, sources)
    keep_start(run.folder, start)
    before = score_checkpoint(start, config, sources)
    start.unlink()  # the run has a copy
    best = run.go()
    found = read_checkpoint(best)
    assert found.spec == replace(SPEC, chat=True)
    after = score_checkpoint(best, config, sources)
    assert after < before - 1
    assert json.loads(found.note)["tokens"] == (1 << 17) + 4096


def test_one_small_step_hardly_leaves_the_start(start, sources, tmp_path):
    config = config_of(start, tokens=1)
    Run(tmp_path / "run", config, sources)
    keep_start(tmp_path / "run", start)
    run_replica(tmp_path / "run", 0, 0, sources)
    after = read_checkpoint(tmp_path / "run" / "checkpoints" / "0-00.safetensors")
    moved = flatten(SPEC, after.tensors) - flatten(SPEC, read_checkpoint(start).tensors)
    assert 0 < np.abs(moved).max() < 1e-3


def test_the_end_of_an_answer_is_learned(start, sources, tmp_path):
    Run(tmp_path / "run", config_of(start, tokens=1 << 20), sources)
    keep_start(tmp_path / "run", start)
    run_replica(tmp_path / "run", 0, 0, sources)
    ids = np.array([[256, *b"user 3?\nassistant 3?", 256]], np.uint16)
    engine = Kernel(SPEC)
    surprise = [
        engine.losses(flatten(SPEC, read_checkpoint(path).tensors), ids)[0, -1]
        for path in (start, tmp_path / "run" / "checkpoints" / "0-00.safetensors")
    ]
    assert surprise[1] < 1.5 < 3 < surprise[0]


def test_the_start_must_be_there_and_the_same(start, tmp_path):
    config = tuning_config(start)
    with pytest.raises(InputError, match=f"cannot read .*{START}"):
        starting_vector(tmp_path, config)
    keep_start(tmp_path, start)
    tensors = read_checkpoint(start).tensors
    assert np.array_equal(starting_vector(tmp_path, config), flatten(SPEC, tensors))
    with pytest.raises(InputError, match="is not the model that the run started from"):
        starting_vector(tmp_path, replace(config, start="0" * 64))


@pytest.mark.quick
def test_another_turn_is_refused(start):
    write_checkpoint(start, replace(read_checkpoint(start), rope_radians_per_token=0.5))
    with pytest.raises(InputError, match=r"turns by 0.5 radians per token.*another model"):
        tuning_config(start)
