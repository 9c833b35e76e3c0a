# SPDX-License-Identifier: MIT
"""``glintfpga generate``."""

import contextlib
import sys
from pathlib import Path

import click

from glintfpga.host.commands import options

__all__ = ["command"]


@click.command("generate")
@options.port
@click.option("--prompt", default="", metavar="TEXT", help="What the text begins with (UTF-8).")
@options.generation(200)
@options.load
@options.lanes
@options.verbosity
def command(
    port: str,
    prompt: str,
    count: int,
    temperature: float,
    seed: int | None,
    model: Path | None,
    lanes: int | None,
) -> None:
    """Write what the model says after a prompt, as raw bytes, and nothing else, to stdout.

    Tokens of a vocabulary above 257 are two bytes each, little-endian. The same prompt, seed and
    lanes give the same bytes on ref:, sim: and a board.

    \b
    glintfpga generate sim: --prompt "To be" --bytes 200 --seed 1
    glintfpga generate ref: --temperature 0 | xxd
    """
    from glintfpga.host.progress import counting
    from glintfpga.host.session import open_session
    from glintfpga.host.text import typed_bytes

    data = typed_bytes(prompt)
    with open_session(port, model=model, lanes=lanes) as session:
        client = session.client
        client.reset()
        client.prompt(data)
        out = sys.stdout.buffer
        # On a terminal the bytes themselves show how far it is.
        showing = contextlib.nullcontext() if out.isatty() else counting("generating", count)
        with showing as progress:
            answer = client.generate(count, temperature=temperature, seed=seed)
            for token in answer:
                out.write(token.id.to_bytes(1 if client.vocab <= 257 else 2, "little"))
                out.flush()
                if progress:
                    progress(answer.count)
