# SPDX-License-Identifier: MIT
import json

import pytest

from glintfpga.quant.errors import InputError
from glintfpga.quant.spec import ModelSpec
from glintfpga.train.config import Stage, TrainConfig


def test_json_gives_the_same_config():
    config = TrainConfig(
        spec=ModelSpec(window=12),
        stages=(
            Stage(lineages=3, tokens=10, rate=1e-2),
            Stage(lineages=1, tokens=9, rate=1, plan=9),
        ),
        seed=7,
        minutes=2.5,
    )
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert TrainConfig.from_json({}) == TrainConfig()


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
        ([], "must be a JSON object"),
    ],
)
def test_wrong_configs_are_refused(data, reason):
    with pytest.raises(InputError, match=reason):
        TrainConfig.from_json(data)


def test_later_stages_have_no_more_lineages():
    few, many = Stage(lineages=1, tokens=5, rate=0.1), Stage(lineages=2, tokens=5, rate=0.1)
    with pytest.raises(InputError, match="cannot continue 2 lineages of 1"):
        TrainConfig(stages=(few, many))


def test_scaled_keeps_the_sum_and_drops_lineages_that_would_be_short():
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
