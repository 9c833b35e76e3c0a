# SPDX-License-Identifier: MIT
"""``glintfpga generate``."""

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glintfpga.host.commands import options

if TYPE_CHECKING:
    from glintfpga.host.device.client import Client

__all__ = ["command"]

MOST_BYTES = 1 << 20
"""Of a prompt; no model sees more than the last few thousand."""
PART_BYTES = 1024
"""Of a prompt, between two reports of progress."""


@click.command("generate")
@options.port
@click.option(
    "-p",
    "--prompt",
    default="",
    metavar="TEXT",
    help="What the text begins with (UTF-8); - is standard input.",
)
@click.option(
    "--prompt-file", type=options.PATH, metavar="FILE", help="The same from a file, as it is."
)
@options.generation(200)
@options.load
@options.lanes
@options.json_output
@options.verbosity
def command(
    port: str,
    prompt: str,
    prompt_file: Path | None,
    count: int,
    temperature: float,
    seed: int | None,
    model: Path | None,
    lanes: int | None,
    as_json: bool,
) -> None:
    """Write what the model says after a prompt, as raw bytes, and nothing else, to stdout.

    Tokens of a vocabulary above 257 are two bytes each, little-endian. The same prompt, seed and
    lanes give the same bytes on ref:, sim: and a board.

    \b
    glintfpga generate sim: --prompt "To be" --bytes 200 --seed 1
    glintfpga generate sim: -p "To be" -n 200 -s 1 --json
    glintfpga generate ref: --temperature 0 | xxd
    """
    from glintfpga.host.console.progress import counting
    from glintfpga.host.device.connect import open_connection

    text = _prompt(prompt, prompt_file, model)
    with open_connection(port, model=model, lanes=lanes) as connection:
        client = connection.client
        client.reset()
        with counting("telling the prompt", len(text) or None) as progress:
            for start in range(0, len(text), PART_BYTES):
                client.prompt(text[start : start + PART_BYTES])
                progress(start)
        out = sys.stdout.buffer
        # On a terminal the bytes themselves show how far it is.
        bare = out.isatty() and not as_json
        showing = contextlib.nullcontext() if bare else counting("generating", count)
        tokens: list[int] = []
        with showing as progress:
            answer = client.generate(count, temperature=temperature, seed=seed)
            for token in answer:
                if as_json:
                    tokens.append(token.id)
                else:
                    out.write(token.id.to_bytes(1 if client.vocab <= 257 else 2, "little"))
                    out.flush()
                if progress:
                    progress(answer.count)
        if as_json:
            asked = {"port": port, "temperature": temperature, "seed": seed}
            ended = None if answer.reason is None else answer.reason.name.lower()
            facts = asked | _result(client, text, tokens) | {"ended_by": ended}
            click.echo(json.dumps(facts, indent=2))


def _prompt(text: str, file: Path | None, model: Path | None) -> bytes:
    from glintfpga.host.console.text import typed_bytes
    from glintfpga.host.files.named import read_bytes
    from glintfpga.host.models import STDIN
    from glintfpga.quant.errors import InputError
    from glintfpga.quant.files.bounded import read_stream
    from glintfpga.quant.files.text import strip_bom

    if text and file:
        raise click.UsageError("Give --prompt or --prompt-file, not both.")
    if text == "-" or file == STDIN:
        if model == STDIN:
            raise click.UsageError("Prompt and model cannot both come from standard input.")
        if not sys.stdin:
            raise InputError("there is no standard input to read the prompt from")
        return strip_bom(read_stream(sys.stdin.buffer, MOST_BYTES, "the prompt"))
    data = typed_bytes(text) if file is None else read_bytes(file, what="prompt")
    if len(data) > MOST_BYTES:
        raise InputError(f"the prompt has {len(data)} bytes, more than {MOST_BYTES >> 20} MiB")
    return data


def _result(client: "Client", prompt: bytes, tokens: list[int]) -> dict[str, object]:
    """Text is what is shown on a terminal; the tokens are exact."""
    from glintfpga.host.console.text import ShownText

    def shown(data: bytes) -> str:
        text = ShownText()
        return text.feed(data) + text.finish()

    facts: dict[str, object] = {
        "lanes": client.machine.lanes,
        "model_id": client.model_id,
        "prompt": shown(prompt),
        "tokens": tokens,
    }
    if client.vocab <= 257:
        facts["text"] = shown(bytes(token for token in tokens if token < 256))
    return facts
