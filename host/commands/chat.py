# SPDX-License-Identifier: MIT
"""``glintfpga chat``."""

from pathlib import Path

import click

from glintfpga.host.commands import options

__all__ = ["command"]


@click.command("chat")
@options.optional_port
@options.generation(400)
@options.load
@options.lanes
@options.verbosity
def command(
    port: str | None,
    count: int,
    temperature: float,
    seed: int | None,
    model: Path | None,
    lanes: int | None,
) -> None:
    """Chat with a device; without PORT with the board that is plugged in, or with sim:.

    An answer ends by itself at the end of a text, at a blank line, or after --bytes. Ctrl-C ends
    it earlier; at the input line it leaves the chat, as Ctrl-D does. /help lists the commands; a
    text of several lines stands between \"\"\". Input may be a pipe: each line is a question, none
    a command, and the answers alone are on stdout. A model trained on dialogues, as
    blink-instruct, answers what is typed; any other goes on with it.

    \b
    glintfpga chat
    glintfpga chat /dev/ttyUSB1 --temperature 0.5
    printf 'the ' | glintfpga chat sim: --seed 1
    glintfpga chat sim: --load blink-instruct
    """
    from glintfpga.host.chat.loop import ChatLoop
    from glintfpga.host.device.connect import open_connection
    from glintfpga.host.models import title_of

    with open_connection(port, model=model, lanes=lanes) as connection:
        ChatLoop(
            client=connection.client,
            image=connection.image.data if connection.image else None,
            count=count,
            temperature=temperature,
            seed=seed,
            title=None if model is None else title_of(model),
        ).run()
