# SPDX-License-Identifier: MIT
"""The config of a training: from options, a file, or a run that was begun."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glintfpga.host.console.progress import counting
from glintfpga.host.console.text import counted
from glintfpga.quant.errors import InputError

if TYPE_CHECKING:
    from glintfpga.train.engine.choice import Engine
    from glintfpga.train.run.config import TrainConfig

__all__ = ["adopt_stages", "config_for", "engine_for", "planned", "sized", "speed_text"]

_log = logging.getLogger("glintfpga")


def engine_for(config: "TrainConfig", workers: int) -> "tuple[Engine, TrainConfig]":
    """The engine that trains this config, and the config that it can train.

    Where that is PyTorch, for lack of a compiler or because of the shape, quantized stages are
    left out.
    """
    from glintfpga.train.engine.choice import open_engine
    from glintfpga.train.engine.kernel import Kernel

    with counting("loading what trains"):
        # As many threads as each replica will have, so that its speed can be measured.
        threads = max(1, workers // config.stages[0].lineages)
        engine = open_engine(config.spec, threads=threads)
    float_stages = tuple(stage for stage in config.stages if stage.plan is None)
    if isinstance(engine, Kernel) or float_stages == config.stages:
        return engine, config
    _log.info("without the kernel there is no quantized stage")
    return engine, replace(config, stages=float_stages)


def adopt_stages(run: Path, config: "TrainConfig") -> "TrainConfig | None":
    """The config of the run in this folder if it was begun for the same minutes, else None.

    The minutes were turned into tokens when it began.
    """
    from glintfpga.train.run.config import TrainConfig

    path = run / "config.json"
    if config.minutes is None or not path.exists():
        return None
    found = TrainConfig.read(path)
    same_plan = found.stages[-1].plan == config.stages[-1].plan
    return found if same_plan and replace(config, stages=found.stages) == found else None


def config_for(
    preset: str, start: Path | None, recipe: Path | None, **sizes: int | None
) -> "TrainConfig":
    """The config of a file, of a preset, or for what goes on from ``start``, with those ``sizes``
    that are given."""
    from glintfpga.host.models import find_model
    from glintfpga.train.engine.shape import Shape
    from glintfpga.train.run.config import TrainConfig
    from glintfpga.train.run.finetune import tuning_config
    from glintfpga.train.run.presets import preset_config

    if recipe is not None:
        config = TrainConfig.recipe(recipe)
    else:
        config = preset_config(preset) if start is None else tuning_config(find_model(start))
    given: dict[str, Any] = {name: size for name, size in sizes.items() if size is not None}
    if isinstance(config.spec, Shape):
        _log.info(
            "%s is for software only: no stage in the chip's numbers, nothing to build", preset
        )
    return replace(config, spec=replace(config.spec, **given))


def planned(config: "TrainConfig", plan: str | None) -> "TrainConfig":
    """The config with another plan in its quantized stages, or without these.

    Raises ``InputError`` for a plan where there are none.
    """
    if plan is None:
        return config
    if plan != "none" and all(stage.plan is None for stage in config.stages):
        raise InputError(
            f"no stage of this training is in the chip's numbers: leave out --plan {plan}"
        )
    stages = [
        stage if stage.plan is None else replace(stage, plan=int(plan))
        for stage in config.stages
        if stage.plan is None or plan != "none"
    ]
    return replace(config, stages=tuple(stages))


def sized(config: "TrainConfig", place: Path, tokens: int | None, workers: int) -> "TrainConfig":
    """The config with its tokens; those of ``minutes`` are fixed when a run begins."""
    from glintfpga.train.run.throughput import measured_throughput

    engine, config = engine_for(config, workers)
    if tokens is not None:
        return config.scaled(tokens)
    if config.minutes is None:
        return config
    begun = adopt_stages(place, config)
    if begun is not None:
        return begun
    with counting("measuring the speed"):
        speed = measured_throughput(engine, config)
    lasting = config.lasting(60 * config.minutes, tokens_per_s=speed, workers=workers)
    _log.info(
        "%s for one replica (measured): %.4g million tokens in %s",
        speed_text(speed),
        lasting.tokens / 1e6,
        counted(config.minutes, "minute"),
    )
    return lasting


def speed_text(tokens_per_s: float) -> str:
    """Tokens per second, for people."""
    if tokens_per_s < 1e5:
        return f"{tokens_per_s:,.0f} tokens/s"
    return f"{tokens_per_s / 1e6:.2f} M tokens/s"
