# SPDX-License-Identifier: MIT
import pytest

from glintfpga.quant.errors import InputError
from glintfpga.quant.spec import PRESETS as CHIP_PRESETS
from glintfpga.quant.spec import ModelSpec
from glintfpga.train.shape import PRESETS, Shape, shape_of


@pytest.mark.parametrize("spec", [*CHIP_PRESETS.values(), ModelSpec(thinking=3, prelude=2)])
def test_dimension_three_is_a_model_for_the_chip(spec):
    assert Shape.of(spec).spec() == spec


@pytest.mark.parametrize("name", PRESETS)
def test_larger_ones_are_not(name):
    with pytest.raises(InputError, match="the chip has 3 dimensions and one head, not"):
        PRESETS[name].spec()


def test_heads_divide():
    sizes = {**PRESETS["glimmer"].__dict__, "heads": 5}
    with pytest.raises(InputError, match="heads must divide dim 16, but are 5"):
        Shape(**sizes)


def test_names():
    assert shape_of("glint") is PRESETS["glint"]
    assert shape_of("blink") == Shape.of(ModelSpec())
    with pytest.raises(InputError, match="unknown preset 'nothing'"):
        shape_of("nothing")
