# SPDX-License-Identifier: MIT
"""``glintfpga merge``."""

import json
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glintfpga.host.commands import options
from glintfpga.host.console.text import one_line

if TYPE_CHECKING:
    from glintfpga.train.merge.tournament import Bracket

__all__ = ["command"]

_log = logging.getLogger("glintfpga")
_COLUMNS = "{:<9} {:<17} {:>5} {:>13}  {}"


@click.command("merge")
@click.argument("run", type=options.PATH, metavar="RUN_DIR")
@click.option(
    "--top",
    type=click.IntRange(2, 16),
    default=4,
    show_default=True,
    metavar="N",
    help="Checkpoints whose pairs are merged.",
)
@click.option(
    "--limit",
    "limit_s",
    type=click.FloatRange(0.1),
    default=120.0,
    show_default=True,
    metavar="S",
    help="Seconds that scoring one checkpoint may take.",
)
@click.option(
    "--workers", type=click.IntRange(1, 1024), metavar="N", help="Processes; default: all cores."
)
@options.sources
@options.json_output
@options.verbosity
def command(
    run: Path,
    top: int,
    limit_s: float,
    workers: int | None,
    manifest: Path | None,
    folder: Path | None,
    selection: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Play a tournament of the checkpoints of a training in RUN_DIR.

    The best are merged in pairs, merges that beat them stay, until a round brings nothing better.
    Scores are of the texts that chose in training, in the numbers of its last stage. Writes
    RUN_DIR/merge: bracket.json, bracket.svg and champion.safetensors.

    \b
    glintfpga merge runs/blink
    """
    from glintfpga.host.console.progress import counting
    from glintfpga.host.files.named import write_bytes
    from glintfpga.host.training.bracket import bracket_picture
    from glintfpga.host.training.corpus_and_scores import cores, find_sources
    from glintfpga.quant.errors import InputError
    from glintfpga.train.engine.shape import for_chip
    from glintfpga.train.merge.score_worker import score_command
    from glintfpga.train.merge.tournament import play
    from glintfpga.train.run.config import TrainConfig
    from glintfpga.train.run.run_log import write_sources

    checkpoints = sorted((run / "checkpoints").glob("*.safetensors"))
    if not checkpoints:
        raise InputError(f"there is no checkpoint in {str(run / 'checkpoints')!r}: train first")
    for_chip(TrainConfig.read(run / "config.json").spec)
    if manifest is not None or selection:
        write_sources(run, find_sources(manifest, folder, selection))
    place = run / "merge"
    with counting("tournament", 1) as show:
        bracket = play(
            checkpoints,
            lambda path: score_command(run, path),
            place,
            top=top,
            limit_s=limit_s,
            workers=workers or cores(),
            progress=lambda number, done, wanted: show(
                done / wanted, f"round {number}, {done} of {wanted} scored", phase=str(number)
            ),
        )
    write_bytes(place / "bracket.svg", bracket_picture(bracket).encode())
    if as_json:
        click.echo(json.dumps(bracket.to_json(), indent=2))
    else:
        _show(bracket, _judged_by(run))
    _log.info("%s: the winner; %s: the bracket", *(
        place / name for name in ("champion.safetensors", "bracket.svg")
    ))  # fmt: skip


def _judged_by(run: Path) -> str:
    """What the scores of a run's checkpoints are of, and in which numbers."""
    from glintfpga.train.run.config import TrainConfig
    from glintfpga.train.run.run_log import read_sources

    config, sources = TrainConfig.read(run / "config.json"), read_sources(run)
    names = [one_line(name) for name, _ in sources.texts(sources.corpus(config.kept))]
    mean = "the geometric mean over " if len(names) > 1 else "over "
    return f"{mean}{', '.join(names)} ({'fixed' if config.stages[-1].plan else 'float'})"


def _show(bracket: "Bracket", judged_by: str) -> None:
    click.echo(_COLUMNS.format("name", "parents", "t", "nats per byte", "outcome"))
    for number in sorted({entry.round for entry in bracket.entries}):
        click.echo(f"round {number}" if number else "trained")
        entries = [entry for entry in bracket.entries if entry.round == number]
        for entry in sorted(entries, key=lambda e: math.inf if e.score is None else e.score):
            click.echo(
                _COLUMNS.format(
                    one_line(entry.name),
                    one_line(" + ".join(entry.parents)),
                    "" if entry.t is None else entry.t,
                    "-" if entry.score is None else f"{entry.score:.6f}",
                    "winner" if entry.name == bracket.winner else entry.outcome,
                )
            )
    best = bracket[bracket.winner]
    assert best.score is not None
    click.echo(
        f"winner: {one_line(best.name)}, byte perplexity {math.exp(best.score):.4f}, {judged_by}"
    )
