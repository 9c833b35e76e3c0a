# SPDX-License-Identifier: MIT
"""``glintfpga quantize``."""

import hashlib
import json
import logging
from pathlib import Path

import click

from glintfpga.host.commands import options
from glintfpga.quant.blink.plan import DEFAULT_PLAN, PLANS

__all__ = ["command"]

_log = logging.getLogger("glintfpga")


@click.command("quantize")
@click.argument("checkpoint", type=options.MODEL)
@click.option("-o", "--output", type=options.PATH, metavar="MODEL.glint", help="Image to write.")
@click.option("--listing", is_flag=True, help="Print the block table with the cycles of each step.")
@click.option("--report", type=options.PATH, metavar="FILE", help="Write ranges and losses (JSON).")
@click.option(
    "--plan",
    type=click.Choice([str(code) for code in PLANS]),
    default=str(DEFAULT_PLAN.code),
    show_default=True,
    help="Bits of the numbers; the bitstream must be built for them.",
)
@options.lanes_of("Lanes of the device that the listing and the report are about.")
@options.json_output
@options.verbosity
def command(
    checkpoint: Path,
    output: Path | None,
    listing: bool,
    report: Path | None,
    plan: str,
    lanes: int,
    as_json: bool,
) -> None:
    """Turn a float checkpoint into the integers of an image.

    CHECKPOINT is a .safetensors file, the folder of a training or release, the name of a shipped
    model, or - for standard input. The same checkpoint always gives the same bytes, for any number
    of lanes; --lanes is for the listing and the report. --json prints the report too.

    \b
    glintfpga quantize my-model.safetensors -o my-model.glint
    glintfpga quantize blink-base --listing --lanes 4
    """
    from glintfpga.firmware.blink.image import Image
    from glintfpga.host.console.progress import counting
    from glintfpga.host.files.outputs import IMAGE, RANGES, Output
    from glintfpga.host.models import STDIN, find_model, read_float_model, warn_of
    from glintfpga.quant.blink.plan import plan_of
    from glintfpga.quant.blink.quantize import quantize

    if listing and as_json:
        raise click.UsageError("--listing and --json exclude each other: give one of them.")
    if output is None and report is None and not (listing or as_json):
        raise click.UsageError(
            "Nothing to do: give -o MODEL.glint, --listing, --report FILE or --json."
        )
    if not (listing or as_json or report):
        options.refuse_given(
            "an image is the same for all lanes; leave it out, or ask for --listing, --report FILE "
            "or --json.",
            "lanes",
        )
    read = None if checkpoint == STDIN else find_model(checkpoint)
    made = Output(path=output, kind=IMAGE, sources=[read, report]) if output else None
    ranges = Output(path=report, kind=RANGES, sources=[read]) if report else None
    with counting(f"quantizing {checkpoint.name}"):
        source = read_float_model(checkpoint)
        model, summary = quantize(source, plan=plan_of(int(plan)), lanes=lanes)
    image = Image.from_model(model)
    _log.debug("%s", summary.to_text())
    warn_of(summary, checkpoint)
    digest = hashlib.sha256(image.data).hexdigest()
    if made is not None:
        made.write(image.data)
        size = len(image.data)
        _log.info("%s: %d bytes, sha256 %s, model %s", made, size, digest, image.model_id[:16])
    if ranges is not None:
        ranges.write((json.dumps(summary.to_json(), indent=2) + "\n").encode())
    if as_json:
        where = None if output is None else str(output)
        facts: dict[str, object] = {"output": where, "bytes": len(image.data)}
        facts |= {"model_id": image.model_id, "image_sha256": digest, "report": summary.to_json()}
        click.echo(json.dumps(facts, indent=2))
    if listing:
        from glintfpga.firmware.blink.listing import listing as block_table

        click.echo(block_table(image, lanes), nl=False)
