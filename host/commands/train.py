# SPDX-License-Identifier: MIT
"""``glintfpga train``."""

import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from glintfpga.host.commands import options
from glintfpga.host.training.recipe import config_for, planned, sized, speed_text
from glintfpga.quant.blink.plan import DEFAULT_PLAN, PLANS

if TYPE_CHECKING:
    from glintfpga.host.console.progress import Progress
    from glintfpga.train.run.config import TrainConfig
    from glintfpga.train.run.run import Run, RunStatus

__all__ = ["command"]

_log = logging.getLogger("glintfpga")
_REPORT_S = 5.0
FILES = (
    *("best.safetensors", "start.safetensors", "loss.svg"),
    *("sources.json", "scores.json", "machine.json", "merge"),
)
"""Files that a training writes into its folder, besides config.json."""


@click.command("train")
@click.option(
    "--preset",
    metavar="NAME",
    help="Shape: blink (default) or blink-two-loop; glimmer or glint, which no chip runs.",
)
@click.option(
    "--start",
    type=options.MODEL,
    metavar="MODEL",
    help="Train on from this one, for a shorter time; its shape stays.",
)
@click.option(
    "--config",
    "recipe",
    type=options.PATH,
    metavar="FILE",
    help="Shape, stages and mixture of another run: its config.json, or a release's eval.json.",
)
@click.option("--minutes", type=click.FloatRange(0.01, 1e6), metavar="M", help="About so long.")
@click.option("--tokens", type=click.IntRange(1, 10**13), metavar="N", help="About so many in all.")
@click.option(
    "--out", type=options.PATH, metavar="RUN", help="Folder; default: runs/PRESET or MODEL-tuned."
)
@options.sources
@click.option("-s", "--seed", type=click.IntRange(0, 2**63 - 1), metavar="N", help="Default: 0.")
@click.option("--window", type=click.IntRange(1, 256), metavar="W", help="Bytes attention sees.")
@click.option(
    "--thinking",
    type=click.IntRange(0, 16),
    metavar="N",
    help="Feed the last state back in so often before each byte (in PyTorch, slow).",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 4096),
    metavar="N",
    help="Sequences a step; fewer take less memory.",
)
@click.option(
    "--kept",
    type=click.FloatRange(0.01, 1),
    metavar="SHARE",
    help="Train on this share of the documents, those blink-base finds easiest.",
)
@click.option(
    "--plan",
    type=click.Choice([*map(str, PLANS), "none"]),
    help=f"Bits of the numbers that the last stage trains in, {DEFAULT_PLAN.code} by default; "
    "none: float to the end.",
)
@click.option(
    "--workers", type=click.IntRange(1, 1024), metavar="N", help="Processes; default: all cores."
)
@click.option("--unreviewed", is_flag=True, help="Take text that data check refuses.")
@options.verbosity
def command(
    preset: str | None,
    start: Path | None,
    recipe: Path | None,
    minutes: float | None,
    tokens: int | None,
    out: Path | None,
    manifest: Path | None,
    folder: Path | None,
    selection: tuple[Path, ...],
    seed: int | None,
    window: int | None,
    thinking: int | None,
    batch: int | None,
    kept: float | None,
    plan: str | None,
    workers: int | None,
    unreviewed: bool,
) -> None:
    """Train a model; a shape of the chip needs g++ and no PyTorch.

    Many short starts, the best of them longer, the best for long, then a little in the device's
    own numbers. After Ctrl-C or a power cut the same command goes on where it was. Writes
    RUN/best.safetensors and RUN/loss.svg. Other shapes, --thinking, and machines without g++ need
    the extra glintfpga[torch].

    \b
    glintfpga train --preset blink --minutes 3
    glintfpga train --tokens 1000000000 --manifest text.json --out runs/mine
    glintfpga train --start blink-base --manifest dialogues.json --out runs/instruct
    """
    from glintfpga.host.files.outputs import check_folder
    from glintfpga.host.models import find_model, title_of
    from glintfpga.host.training.corpus_and_scores import (
        cores,
        find_sources,
        open_streams,
        reviewed,
    )
    from glintfpga.train.run.finetune import keep_start
    from glintfpga.train.run.run import Run

    if minutes is not None and tokens is not None:
        raise click.UsageError("Give --minutes or --tokens, not both.")
    if start is not None and (preset, window, thinking) != (None, None, None):
        raise click.UsageError("The shape is that of --start: leave out the other options for it.")
    if recipe is not None and (preset, start) != (None, None):
        raise click.UsageError("The shape is that of --config: leave out --preset and --start.")
    config = config_for(preset or "blink", start, recipe, window=window, thinking=thinking)
    place = out or Path("runs") / (f"{title_of(start)}-tuned" if start else preset or "blink")
    check_folder(place, record="config.json", files=FILES, what="a training")
    workers = workers or cores()
    sources = find_sources(manifest, folder, selection)
    passed = reviewed(sources, named=manifest is not None, unreviewed=unreviewed)
    config = replace(
        planned(config, plan),
        batch=batch or config.batch,
        kept=kept or config.kept,
        seed=config.seed if seed is None else seed,
    )
    corpus = open_streams(sources, config.kept)
    config = replace(
        config,
        spec=replace(config.spec, chat=config.spec.chat or sources.hold_dialogues),
        **({} if len(corpus.spaced) else _unspaced(config)),
        unreviewed=not passed,
        corpus=corpus.digest,
        minutes=minutes,
    )
    run = Run(place, sized(config, place, tokens, workers), sources)
    if start is not None:
        keep_start(run.folder, find_model(start))
    best = _watched(run, workers)
    _draw(run)
    _print_scores(run, best)


def _unspaced(config: "TrainConfig") -> dict[str, Any]:
    """Dialogues have a spacing of their own only."""
    stages = tuple(replace(stage, spaced=None) for stage in config.stages)
    return {"spaced": 0.0, "mixture": (), "stages": stages}


def _watched(run: "Run", workers: int) -> Path:
    from glintfpga.host.console.progress import counting

    with counting(f"training in {run.folder}", run.config.tokens) as show:
        return run.go(workers=workers, progress=_TrainProgress(show, len(run.config.stages)))


class _TrainProgress:
    """Shows the progress of the run, and its speed over the last seconds."""

    def __init__(self, show: "Progress", stages: int, clock: Callable[[], float] = time.monotonic):
        self._show = show
        self._stages = stages
        self._clock = clock
        self._since: tuple[float, int] | None = None
        self._speed = math.nan

    def __call__(self, status: "RunStatus") -> None:
        for index, factor in status.retreats.items():
            _log.warning(
                "the loss of replica %d was no number: it is back at its last save, with %g of "
                "its learning rate",
                index,
                factor,
            )
        now = self._clock()
        if self._since is None:
            self._since = now, status.tokens
        elapsed, done = now - self._since[0], status.tokens - self._since[1]
        if elapsed >= _REPORT_S:
            self._speed = done / elapsed
            self._since = now, status.tokens
        parts = [f"stage {status.stage + 1} of {self._stages}"]
        parts += [] if math.isnan(status.loss) else [f"loss {status.loss:.3f}"]
        parts += [] if math.isnan(self._speed) else [speed_text(self._speed)]
        self._show(status.tokens, ", ".join(parts), phase=str(status.stage))


def _draw(run: "Run") -> None:
    from glintfpga.host.files.named import write_bytes
    from glintfpga.host.training.curves import curves_picture

    picture = curves_picture(run.log.curves())
    if picture is not None:
        write_bytes(run.folder / "loss.svg", picture.encode())
        _log.info("%s: the loss", run.folder / "loss.svg")


def _print_scores(run: "Run", best: Path) -> None:
    """Print the eval lines of the best checkpoint."""
    from glintfpga.host.console.text import one_line
    from glintfpga.host.training.corpus_and_scores import scored
    from glintfpga.quant.blink.spec import ModelSpec
    from glintfpga.quant.files.text import read_text
    from glintfpga.train.run.model_files import read_model

    model = read_model(best)
    texts: dict[str, bytes] = {}
    # Without the ends of its exchanges a dialogue is another text.
    of_dialogues = isinstance(model.spec, ModelSpec) and model.spec.chat
    if not of_dialogues:
        name, ids = run.sources.texts(run.sources.corpus(run.config.kept))[0]
        texts[name] = bytes(ids[ids < 256].astype("u1"))
    texts |= {path.name: read_text(path) for path in run.sources.selection}
    plan = run.config.stages[-1].plan
    tokens = json.loads(model.note)["tokens"]
    click.echo(f"{one_line(str(best))}: {model.spec.param_count:,} parameters, {tokens:,} tokens")
    for score in scored(best, texts, plan=plan, lanes=run.config.lanes):
        click.echo(
            f"{one_line(score.benchmark)}, {score.numerics}: byte perplexity {score.value:.3f} "
            f"± {score.error_text(3)} over {score.n:,} bytes"
        )
    if of_dialogues:
        _print_dialogue_scores(run, best)


def _print_dialogue_scores(run: "Run", best: Path) -> None:
    """Print the perplexity of the run and of what it went on from, ends of answers included.

    It is over what chooses checkpoints: held-out dialogues and, where some are named, texts.
    """
    from glintfpga.train.run.finetune import START
    from glintfpga.train.run.worker import score_checkpoint

    numerics = "fixed" if run.config.stages[-1].plan else "float"
    compared = {"before": run.folder / START} if run.config.start else {}
    for when, path in {**compared, "now": best}.items():
        value = math.exp(score_checkpoint(path, run.config, run.sources))
        click.echo(f"held-out dialogues, perplexity an id, {numerics}, {when}: {value:.3f}")
