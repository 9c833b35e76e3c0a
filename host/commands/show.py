# SPDX-License-Identifier: MIT
"""``glintfpga show``."""

import json
from pathlib import Path

import click

from glintfpga.host.commands import options

__all__ = ["command"]


@click.command("show")
@click.argument("name", metavar="[MODEL|PORT]", type=options.SHOWN, required=False)
@options.lanes
@options.json_output
@options.verbosity
def command(name: str | None, lanes: int | None, as_json: bool) -> None:
    """Say what a model or a device is: shape, size, hashes, golden values; alone: what ships.

    MODEL is a .safetensors checkpoint, a .glint image, the folder of a training or release, a
    shipped name, or - for standard input; of a checkpoint also the image that it becomes is
    described. PORT is as for chat. The lines of a device come from its hello.

    \b
    glintfpga show
    glintfpga show blink-base
    glintfpga show my-model.glint --json
    glintfpga show /dev/ttyUSB1
    """
    from glintfpga.host.device.connect import open_connection
    from glintfpga.host.device.describe import device_facts, lines, model_facts, shipped_facts
    from glintfpga.host.ports.open_port import is_port

    if name is None or not is_port(name):
        options.refuse_given("models have no lanes; leave it out, or give the port ref:.", "lanes")
    if name is None:
        facts = shipped_facts()
    elif is_port(name):
        with open_connection(name, lanes=lanes, fast=False) as connection:
            facts = device_facts(connection.client)
    else:
        facts = model_facts(Path(name))
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for line in lines(facts):
        click.echo(line)
