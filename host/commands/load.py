# SPDX-License-Identifier: MIT
"""``glintfpga load``."""

import json
import logging
from pathlib import Path

import click

from glintfpga.host.commands import options

__all__ = ["command"]

_log = logging.getLogger("glintfpga")


@click.command("load")
@options.port
@click.argument("model", type=options.MODEL)
@options.json_output
@options.verbosity
def command(port: str, model: Path, as_json: bool) -> None:
    """Replace the model of a running device, without a new bitstream.

    MODEL is a .glint image, a .safetensors checkpoint, the folder of a training or release, the
    name of a shipped model, or - for standard input. The board keeps it until it is reset or loses
    power.

    \b
    glintfpga load /dev/ttyUSB1 my-model.safetensors
    """
    from glintfpga.host.device.connect import load, open_connection
    from glintfpga.host.models import image_of
    from glintfpga.host.ports.open_port import how_timed
    from glintfpga.quant.errors import DeviceError

    with open_connection(port) as connection:
        client = connection.client
        image = image_of(model, plan=client.machine.plan.code)
        began = client.link.clock()
        load(client, image)
        seconds = client.link.clock() - began
        if client.model_id != image.model_id or client.info.image_crc != image.crc:
            raise DeviceError("the device holds other bytes than were sent; load the model again")
        if as_json:
            how = how_timed(client.link.line.name, client.info.build_id)
            facts = {"port": port, "model_id": image.model_id, "bytes": len(image.data)}
            facts["seconds"] = {"value": seconds, "how": how}
            click.echo(json.dumps(facts, indent=2))
        _log.info(
            "%d bytes in %.3f s; the device holds the model %s",
            len(image.data),
            seconds,
            image.model_id[:16],
        )
