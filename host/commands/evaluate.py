# SPDX-License-Identifier: MIT
"""``glintfpga eval``."""

import json
from collections.abc import Callable
from pathlib import Path

import click

from glintfpga.host.commands import options

__all__ = ["command"]


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
    type=options.MODEL,
    metavar="DIR",
    default=Path("data/eval"),
    show_default=True,
    help="Folder with .txt or .txt.xz files, or one such file.",
)
@click.option("--bytes", "limit", type=click.IntRange(2), metavar="N", help="First N bytes only.")
@click.option(
    "--plan",
    type=click.Choice(["12", "9"]),
    callback=lambda ctx, param, value: value and int(value),
    help="Bits of fixed numbers; default: those of a .glint model, else 12.",
)
@options.lanes
@options.json_output
@options.verbosity
def command(
    model: Path,
    numerics: str,
    data: Path,
    limit: int | None,
    plan: int | None,
    lanes: int,
    as_json: bool,
) -> None:
    """Measure the byte perplexity of a model on texts; needs neither a device nor PyTorch.

    MODEL is a .safetensors checkpoint, a .glint image (fixed only) or the name of a shipped model.
    The text is cut into windows of 256 bytes; the first byte of each is not scored.

    \b
    glintfpga eval blink-base --data wikitext2-test.txt.xz
    """
    from glintfpga.host.models import image_of, read_float_model
    from glintfpga.host.progress import counting
    from glintfpga.quant.evaluate import FixedScorer, Scorer, byte_perplexity, read_text
    from glintfpga.quant.float_model import FloatModel

    scorer: Scorer
    if numerics == "float":
        scorer = FloatModel(read_float_model(model))
    else:
        scorer = FixedScorer(image_of(model, plan=plan).model, lanes=lanes)
    rows = []
    for path in _texts(data):
        text = read_text(path)[:limit]
        with counting(path.name, 1) as show:
            score = byte_perplexity(
                scorer,
                text,
                benchmark=path.name.removesuffix(".xz").removesuffix(".txt"),
                numerics=numerics,
                progress=_share(show),
            )
        rows.append(score)
        if not as_json:
            click.echo(
                f"{score.benchmark}: byte perplexity {score.value:.4f} "
                f"± {score.stderr:.4f} ({score.numerics}, {score.n} bytes)"
            )
    if as_json:
        click.echo(json.dumps([score.to_json() for score in rows], indent=2))


def _share(show: Callable[[float], None]) -> Callable[[int, int], None]:
    return lambda done, total: show(done / total)


def _texts(data: Path) -> list[Path]:
    from glintfpga.quant.errors import InputError

    if data.is_file():
        return [data]
    found = sorted(p for p in data.glob("*") if p.name.endswith((".txt", ".txt.xz")))
    if not found:
        raise InputError(f"there is no .txt or .txt.xz file in {str(data)!r}; name another --data")
    return found
