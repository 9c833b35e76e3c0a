# SPDX-License-Identifier: MIT
import json

import pytest

from glintfpga.quant.blink.spec import LORA_TARGETS, ModelSpec
from glintfpga.quant.blink.spec import PRESETS as CHIP_PRESETS
from glintfpga.quant.errors import InputError
from glintfpga.train.engine.shape import Shape, for_chip
from glintfpga.train.run.config import TrainConfig
from glintfpga.train.run.presets import PRESETS, preset_config

SPECS = [
    *CHIP_PRESETS.values(),
    ModelSpec(thinking=3, prelude=2, coda=1, lora_rank=2, lora_targets=LORA_TARGETS),
]


@pytest.mark.parametrize("spec", SPECS)
def test_dimension_three_is_a_model_for_the_chip(spec):
    shape = Shape.of(spec)
    assert shape.spec() == for_chip(shape) == for_chip(spec) == spec
    assert shape.tensor_shapes() == spec.tensor_shapes()
    assert shape.param_count == spec.param_count


@pytest.mark.parametrize("name", ["glimmer", "glint"])
def test_larger_ones_are_not(name):
    with pytest.raises(InputError, match="the chip has 3 dimensions and one head, not"):
        for_chip(PRESETS[name].spec)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"heads": 5}, "heads must divide dim 16, but are 5"),
        ({"dim": 0}, "dim must be a whole number from 1"),
        ({"loops": True}, "loops must be"),
        ({"window": 1e3}, "window must be"),
        ({"hidden": None}, "hidden must be"),
        ({"lora_targets": ["x"]}, "lora_targets must be taken from q, k"),
        ({"lora_targets": 3}, "lora_targets must be taken from q, k"),
        ({"width": 3}, "wrong shape .*width"),
    ],
)
def test_wrong_sizes_are_refused(changed, reason):
    sizes = PRESETS["glimmer"].spec.to_json()
    with pytest.raises(InputError, match=reason):
        Shape.from_json({**sizes, **changed})


def test_a_config_keeps_its_shape():
    for config in PRESETS.values():
        again = TrainConfig.from_json(json.loads(json.dumps(config.to_json())))
        assert again == config and type(again.spec) is type(config.spec)


def test_presets_are_named_in_one_place():
    assert preset_config("glint") is PRESETS["glint"]
    assert {name: PRESETS[name].spec for name in CHIP_PRESETS} == CHIP_PRESETS
    with pytest.raises(InputError, match="unknown preset 'glit': use one of blink, .*, glint"):
        preset_config("glit")
