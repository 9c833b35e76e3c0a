# SPDX-License-Identifier: MIT
from dataclasses import replace

import pytest

from glintfpga.quant.blink.limits import LANES, LIMITS, Limits, check_fits, check_lanes
from glintfpga.quant.blink.spec import PRESETS, ModelSpec
from glintfpga.quant.errors import InputError


@pytest.mark.parametrize("spec", PRESETS.values())
def test_presets_fit(spec):
    check_fits(spec)


def test_the_largest_fits():
    check_fits(
        ModelSpec(prelude=4, coda=4, hidden=16, vocab=512, window=256, lora_rank=16, thinking=127)
    )


@pytest.mark.quick
@pytest.mark.parametrize(
    ("sizes", "what"),
    [
        ({"prelude": 4, "coda": 5}, "number of passes of 17 exceeds the device's limit of 16"),
        ({"hidden": 17}, "hidden size of 17 exceeds the device's limit of 16"),
        ({"vocab": 513}, "vocabulary of 513 exceeds the device's limit of 512"),
        ({"window": 257}, "window of 257 exceeds the device's limit of 256"),
        ({"lora_rank": 17}, "LoRA rank of 17 exceeds the device's limit of 16"),
        ({"thinking": 128}, "thinking of 128 exceeds the device's limit of 127"),
    ],
)
def test_larger_ones_do_not(sizes, what):
    with pytest.raises(InputError, match=f"the model's {what}: use a smaller model"):
        check_fits(replace(ModelSpec(), **sizes))


def test_a_device_may_hold_less():
    check_fits(ModelSpec(window=32), LIMITS)
    with pytest.raises(InputError, match="window of 32 exceeds the device's limit of 16"):
        check_fits(ModelSpec(window=32), Limits(window=16))


@pytest.mark.parametrize("lanes", [0, 1, 3, 16])
def test_no_device_has_so_many_lanes(lanes):
    assert lanes not in LANES
    with pytest.raises(InputError, match=rf"lanes must be one of \(2, 4, 8\), not {lanes}"):
        check_lanes(lanes)
