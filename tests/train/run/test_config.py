# SPDX-License-Identifier: MIT
import json
from dataclasses import replace

import pytest

from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from glintfpga.train.run.config import Stage, TrainConfig


def test_json_gives_the_same_config():
    config = TrainConfig(
        spec=ModelSpec(window=12),
        stages=(
            Stage(lineages=3, tokens=10, rate=1e-2),
            Stage(lineages=1, tokens=9, rate=1, plan=9),
        ),
        seed=7,
        mixture=(("one.txt", 0.5), ("two.txt", 2)),
        minutes=2.5,
    )
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert TrainConfig.from_json({}) == TrainConfig()


@pytest.mark.quick
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"speed": 1}, "unknown field 'speed'"),
        ({"seed": -1}, "seed must be"),
        ({"seed": True}, "seed must be"),
        ({"stages": []}, "needs a stage"),
        ({"stages": 3}, "stages must be a list"),
        ({"stages": [{"lineages": 1}]}, "wrong training config .*tokens"),
        ({"stages": [{"lineages": 1, "tokens": 5, "rate": 0.1, "plan": 12}]}, "must be float"),
        ({"spaced": float("nan")}, "spaced must be"),
        ({"mixture": ["one.txt"]}, "mixture must be an object"),
        ({"mixture": {"one.txt": 0}}, "the share of 'one.txt' in the mixture must be"),
        ({"mixture": {"one.txt": "half"}}, "the share of 'one.txt' in the mixture must be"),
        ([], "must be a JSON object"),
    ],
)
def test_wrong_configs_are_refused(data, reason):
    with pytest.raises(InputError, match=reason):
        TrainConfig.from_json(data)


def test_later_stages_have_no_more_replicas():
    few, many = Stage(lineages=1, tokens=5, rate=0.1), Stage(lineages=2, tokens=5, rate=0.1)
    with pytest.raises(InputError, match="cannot continue 2 lineages of 1"):
        TrainConfig(stages=(few, many))


def test_scaled_keeps_the_sum_and_drops_replicas_that_would_be_short():
    config = TrainConfig()
    for tokens in (10**7, 10**9, 10**11):
        assert config.scaled(tokens).tokens == pytest.approx(tokens, rel=0.02)
    assert config.scaled(config.tokens) == config
    assert [stage.lineages for stage in config.scaled(10**7).stages] == [4, 4, 1, 1]
    assert all(stage.tokens >= 16 * 128 for stage in config.scaled(1).stages)


def test_lasting_takes_about_so_long():
    for workers in (1, 2, 7):
        config = TrainConfig().lasting(180, tokens_per_s=1e6, workers=workers)
        assert config.seconds(tokens_per_s=1e6, workers=workers) == pytest.approx(180, rel=0.02)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_recipe_is_a_config_without_what_is_the_runs_own(tmp_path, wrapped):
    config = TrainConfig(seed=9, kept=0.5, mixture=(("one.txt", 1.0),))
    used = replace(config, corpus="ab" * 32, minutes=3.0, unreviewed=True)
    path = tmp_path / "config.json"
    data = used.to_json()
    path.write_text(json.dumps({"name": "a", "config": data} if wrapped else data))
    assert TrainConfig.recipe(path) == config


def test_recipes_that_do_not_stand_alone_or_cannot_be_read(tmp_path):
    path = tmp_path / "config.json"
    with pytest.raises(InputError, match="cannot read"):
        TrainConfig.recipe(path)
    path.write_text(json.dumps(TrainConfig(start="ab" * 32).to_json()))
    with pytest.raises(InputError, match="config.json: it went on from another model: give"):
        TrainConfig.recipe(path)
    path.write_text("[1]")
    with pytest.raises(InputError, match="config.json: "):
        TrainConfig.recipe(path)
