# SPDX-License-Identifier: MIT
"""``glintfpga verify``."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from glintfpga.host.commands import options

if TYPE_CHECKING:
    from glintfpga.firmware.blink.image import Image
    from glintfpga.host.device.verify import CompiledSide, Verification

__all__ = ["command"]

_log = logging.getLogger("glintfpga.verify")


@click.command("verify")
@options.port
@click.option(
    "--tokens",
    type=click.IntRange(2, 10_000_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="How many tokens to compare.",
)
@options.load
@options.lanes
@options.json_output
@options.verbosity
def command(port: str, tokens: int, model: Path | None, lanes: int | None, as_json: bool) -> None:
    """Compare every logit of a device, through a CRC per token, with the integer reference.

    The reference is computed now, from the model that the device must hold: the shipped one, or
    the one given with --load. It runs in C, as fast as the line; without a C compiler it runs in
    NumPy, slower. Exit code 1 when anything differs.

    \b
    glintfpga verify /dev/ttyUSB1 --tokens 10000
    glintfpga verify sim:
    """
    from glintfpga.host.console.progress import counting
    from glintfpga.host.device.connect import has_image, open_connection
    from glintfpga.host.device.verify import verify
    from glintfpga.host.models import image_of
    from glintfpga.host.ports.open_port import FLOAT
    from glintfpga.quant.errors import DeviceError, InputError

    if port == FLOAT:
        raise InputError(
            f"{FLOAT} computes with other numbers than the reference; verify ref:, sim: or a board"
        )
    with open_connection(port, model=model, lanes=lanes) as connection:
        client = connection.client
        image = connection.image or image_of(None, plan=client.machine.plan.code)
        if not has_image(client, image):
            digest = client.model_id[:16]
            raise InputError(
                f"the device holds the model {digest}, not the shipped one; name it with --load"
            )
        with (
            _compiled(image, client.machine.lanes) as reference,
            counting("verify", tokens) as progress,
        ):
            result = verify(client, image, tokens, reference=reference, progress=progress)
        model_id, held = image.model_id, client.machine.lanes
        if as_json:
            facts = {
                "port": port,
                "model_id": model_id,
                "lanes": held,
                "reference": "C" if reference else "NumPy",
                **_facts(result),
            }
            click.echo(json.dumps(facts, indent=2))
        else:
            click.echo(
                f"{result.tokens} tokens, {result.crcs} CRCs compared, "
                f"{result.mismatches} mismatches (model {model_id[:16]}, {held} lanes)"
            )
        if result.first is not None:
            first = result.first
            kind = "sampled" if first.generated else "given"
            raise DeviceError(
                f"{kind} token {first.position} differs: the device has {_shown(first.got)}, "
                f"the reference {_shown(first.expected)}; run: glintfpga verify sim:"
            )


@contextmanager
def _compiled(image: "Image", lanes: int) -> "Iterator[CompiledSide | None]":
    """The model in C; None where it cannot be compiled."""
    from glintfpga.firmware.blink.c_model import CompiledModel
    from glintfpga.host.device.verify import CompiledSide
    from glintfpga.quant.errors import EnvironmentProblem

    model = None
    try:
        model = CompiledModel(image, lanes=lanes)
    except EnvironmentProblem as error:
        _log.warning("%s. Comparing with the reference in NumPy, which is slower", error)
    if model is None:
        yield None
        return
    with model:
        yield CompiledSide(model, eos=image.model.eos)


def _facts(result: "Verification") -> dict[str, Any]:
    facts: dict[str, Any] = {
        "tokens": result.tokens,
        "crcs_compared": result.crcs,
        "mismatches": result.mismatches,
        "first_mismatch": None,
    }
    if (first := result.first) is not None:
        sides = {"device": first.got, "reference": first.expected}
        facts["first_mismatch"] = {
            "position": first.position,
            "sampled": first.generated,
            **{side: {"token": row[0], "crc": row[1]} for side, row in sides.items()},
        }
    return facts


def _shown(row: tuple[int | None, int | None]) -> str:
    token, crc = row
    if token is None or crc is None:
        return "end of text"
    return f"id {token} with CRC {crc:#010x}"
