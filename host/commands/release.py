# SPDX-License-Identifier: MIT
"""``glintfpga release``."""

import logging
from pathlib import Path

import click

from glintfpga.host.commands import options

__all__ = ["command"]

FILES = (
    *("README.md", "model.safetensors", "model.glint", "infer.py", "train-log.json"),
    *("loss.svg", "bracket.svg"),
)
"""Files of a release, besides eval.json."""

_log = logging.getLogger("glintfpga")


@click.command("release")
@click.argument("run", type=options.PATH, metavar="RUN_DIR")
@click.option("--name", required=True, metavar="NAME", help="Name of the model, as blink-base.")
@click.option(
    "--model",
    type=options.PATH,
    metavar="PATH",
    help="Checkpoint; default: the winner of the tournament, else the best of the training.",
)
@click.option(
    "--data",
    type=options.PATH,
    metavar="DIR",
    help="Evaluation sets, as for eval; without them the card has no scores.",
)
@click.option(
    "--out",
    type=options.PATH,
    metavar="DIR",
    default=Path("train/release"),
    show_default=True,
    help="Where the folder NAME goes.",
)
@options.verbosity
def command(run: Path, name: str, model: Path | None, data: Path | None, out: Path) -> None:
    """Make a release of a training in RUN_DIR: weights, image, scores, model card.

    Scores the checkpoint on all sets in float and as the chip counts; every number of the card
    is in eval.json or the training's config.

    \b
    glintfpga release runs/blink --name blink-base --data data/eval
    """
    from glintfpga.host.console.progress import counting
    from glintfpga.host.console.text import counted, one_line
    from glintfpga.host.files.outputs import check_folder
    from glintfpga.host.models import warn_of
    from glintfpga.quant.blink.checkpoint import read_checkpoint
    from glintfpga.quant.blink.scorers import FixedScorer, FloatScorer
    from glintfpga.quant.evaluation.rows import Score
    from glintfpga.quant.evaluation.scorer import Scorer
    from glintfpga.quant.evaluation.sets import find_sets, read_set
    from glintfpga.train.release.publish import champion_of, image_of_release, release
    from glintfpga.train.run.config import TrainConfig

    folder = out / name
    check_folder(folder, record="eval.json", files=FILES, what="a release")
    config = TrainConfig.read(run / "config.json")
    checkpoint = model or champion_of(run)
    with counting(f"quantizing {checkpoint}"):
        image, report = image_of_release(checkpoint, config)
    warn_of(report, checkpoint)
    exact = FloatScorer(read_checkpoint(checkpoint))
    scorers: dict[str, tuple[Scorer, Scorer | None]] = {
        "float": (exact, None),
        "fixed": (FixedScorer(image.model, lanes=config.lanes), exact),
    }
    rows: list[Score] = []
    for path in [] if data is None else find_sets(data):
        found = read_set(path)
        if found.problem:
            _log.warning("%s: %s", one_line(path.name), found.problem)
        for numerics, (scorer, beside) in scorers.items():
            with counting(f"{path.name}, {numerics}", 1) as show:
                rows += found.score(
                    scorer,
                    numerics=numerics,
                    beside=beside,
                    progress=lambda done, total: show(done / total),
                )
    pictures = [run / "loss.svg", run / "merge" / "bracket.svg"]
    with counting("writing samples"):
        release(
            run,
            folder,
            name=name,
            checkpoint=checkpoint,
            image=image,
            rows=rows,
            pictures=pictures,
        )
    _log.info("%s: from %s, %s", folder / "README.md", checkpoint, counted(len(rows), "row"))
