# SPDX-License-Identifier: MIT
"""The shapes of ``train --preset``, each with the way it is trained.

glimmer and glint are for software only: the chip's lanes have three dimensions.
"""

from glintfpga.quant.blink.spec import LORA_TARGETS
from glintfpga.quant.blink.spec import PRESETS as CHIP_PRESETS
from glintfpga.quant.errors import InputError
from glintfpga.train.engine.shape import Shape
from glintfpga.train.run.config import Stage, TrainConfig

__all__ = ["PRESETS", "preset_config"]

_GLIMMER = Shape(
    dim=16, heads=4, embedding_rank=None, hidden=28, vocab=257, window=64, eos=256,
    prelude=1, loops=4, coda=1, lora_rank=1, lora_targets=("q", "k", "v", "o"), thinking=0,
)  # fmt: skip
_GLINT = Shape(
    dim=128, heads=4, embedding_rank=32, hidden=384, vocab=257, window=256, eos=256,
    prelude=2, loops=6, coda=1, lora_rank=8, lora_targets=LORA_TARGETS, thinking=0,
)  # fmt: skip

PRESETS = {
    **{name: TrainConfig(spec=spec) for name, spec in CHIP_PRESETS.items()},
    "glimmer": TrainConfig(
        spec=_GLIMMER,
        stages=(Stage(lineages=1, tokens=100_000_000, rate=1e-2, final=0.01),),
        penalty=0.0,
    ),
    "glint": TrainConfig(
        spec=_GLINT,
        stages=(Stage(lineages=1, tokens=300_000_000, rate=2e-3, final=0.01),),
        length=256,
        penalty=0.0,
    ),
}
"""``blink`` has 1,087 parameters, ``blink-two-loop`` 1,081, ``glimmer`` 11,905, ``glint`` 989,089.

The last two train one replica: seeds of larger models differ less, and one takes all cores.
"""


def preset_config(name: str) -> TrainConfig:
    """Return what a preset trains, or raise ``InputError`` that lists the names."""
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}: use one of {', '.join(PRESETS)}")
    return PRESETS[name]
