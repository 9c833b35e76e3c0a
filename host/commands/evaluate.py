# SPDX-License-Identifier: MIT
"""``glintfpga eval``."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glintfpga.host.commands import options

if TYPE_CHECKING:
    from glintfpga.quant.evaluation.rows import Score
    from glintfpga.quant.evaluation.scorer import Scorer

__all__ = ["command"]

_log = logging.getLogger("glintfpga")
_COLUMNS = "{:<22} {:<17} {:<21} {:>9} {:>8} {:>9}"


@click.command("eval")
@click.argument("model", type=options.MODEL)
@click.option(
    "--numerics",
    type=click.Choice(["float", "fixed"]),
    default="fixed",
    show_default=True,
    help="fixed: the integers of the chip, bit by bit.",
)
@click.option(
    "--data",
    type=options.PATH,
    metavar="DIR",
    default=Path("data/eval"),
    show_default=True,
    help="Folder with .txt and .jsonl files (also .xz), or one such file.",
)
@click.option("--fetch", is_flag=True, help="First fetch the public sets DIR lacks (network).")
@click.option(
    "-n",
    "--bytes",
    "limit",
    type=click.IntRange(2),
    metavar="N",
    help="First N bytes only of a text.",
)
@options.plan("Bits of fixed numbers")
@options.lanes_of("Lanes of the device whose fixed numbers are meant; results depend on it.")
@options.json_output
@options.verbosity
def command(
    model: Path,
    numerics: str,
    data: Path,
    fetch: bool,
    limit: int | None,
    plan: int | None,
    lanes: int,
    as_json: bool,
) -> None:
    """Measure a model on WikiText-2, BLiMP, ARC-Easy or any text; needs no device, no PyTorch.

    MODEL is a .safetensors checkpoint, a .glint image (fixed only) or the name of a shipped model.
    A text gives its byte perplexity in windows of 256 bytes, whose first is not scored, and as one
    piece; WikiText pages that of lm-evaluation-harness; sentence pairs and questions accuracies.
    Fixed numbers of a checkpoint are also held beside the float ones, over the windows of a text:
    at how many bytes another one is likeliest, and the mean KL divergence.

    \b
    glintfpga eval blink-base --fetch
    glintfpga eval blink-base --data wikitext2-test.txt.xz
    """
    from glintfpga.host.console.progress import counting
    from glintfpga.host.console.text import one_line
    from glintfpga.quant.evaluation.fetch import fetch_sets
    from glintfpga.quant.evaluation.sets import find_sets, read_set

    if numerics == "float":
        options.refuse_given(
            "floats have none; leave it out, or say --numerics fixed.", "plan", "lanes"
        )
    scorer, beside = _scorers(model, numerics, plan, lanes)
    if fetch:
        with counting("fetching", 1) as show:
            fetch_sets(data, progress=lambda done, total: show(done / total))
    rows: list[Score] = []
    for path in find_sets(data):
        with counting(path.name, 1) as show:
            found = read_set(path, limit=limit)
            if found.problem:
                _log.warning("%s: %s", one_line(path.name), found.problem)
            for score in found.score(
                scorer,
                numerics=numerics,
                beside=beside,
                progress=lambda done, total: show(done / total),
            ):
                if not (as_json or rows):
                    print(_COLUMNS.format("benchmark", "form", "metric", "value", "±", "n"))
                rows.append(score)
                if not as_json:
                    print(_line(score), flush=True)
    if as_json:
        facts: dict[str, object] = {"model": str(model), "numerics": numerics}
        if numerics == "fixed":
            facts["lanes"] = lanes
        click.echo(json.dumps(facts | {"rows": [score.to_json() for score in rows]}, indent=2))


def _scorers(
    model: Path, numerics: str, plan: int | None, lanes: int
) -> "tuple[Scorer, Scorer | None]":
    """What is scored and, where integers have a checkpoint, the float model beside them."""
    from glintfpga.host.models import image_of, is_image, read_float_model
    from glintfpga.quant.blink.scorers import FixedScorer, FloatScorer

    if numerics == "float":
        return FloatScorer(read_float_model(model)), None
    fixed = FixedScorer(image_of(model, plan=plan).model, lanes=lanes)
    return fixed, None if is_image(model) else FloatScorer(read_float_model(model))


def _line(score: "Score") -> str:
    from glintfpga.host.console.text import one_line

    return _COLUMNS.format(
        one_line(score.benchmark),
        score.form,
        score.metric,
        f"{score.value:.4f}",
        score.error_text(4),
        score.n,
    )
