# SPDX-License-Identifier: MIT
"""``glintfpga bench``."""

import json
from pathlib import Path
from typing import Any

import click

from glintfpga.host.commands import options
from glintfpga.host.console.text import one_line

__all__ = ["command"]

TOKENS = {"measured": 5000, "simulated": 2000, "software": 400}
"""Length of the answers that are timed; a simulation runs slower than the time it reports."""


@click.command("bench")
@options.port
@options.load
@options.lanes
@options.json_output
@options.verbosity
def command(port: str, model: Path | None, lanes: int | None, as_json: bool) -> None:
    """Measure the speed of a device: cycles, tokens per second, time to the first byte.

    Every number says where it comes from: measured on a board, simulated (in simulated time),
    or computed from others.

    \b
    glintfpga bench /dev/ttyUSB1
    glintfpga bench sim: --json
    """
    from glintfpga.host.console.progress import counting
    from glintfpga.host.device.bench import STEPS, bench
    from glintfpga.host.device.connect import open_connection
    from glintfpga.host.ports.open_port import how_timed

    with open_connection(port, model=model, lanes=lanes) as connection:
        how = how_timed(connection.client.link.line.name, connection.client.info.build_id)
        with counting("bench", STEPS) as progress:
            result = bench(connection.client, how=how, tokens=TOKENS[how], progress=progress)
    result = {"port": port, "kind": how, **result}
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        for line in _lines(result):
            click.echo(line)


def _lines(result: dict[str, Any]) -> list[str]:
    device = result["device"]
    head = f"{one_line(result['port'])} ({result['kind']}), {device['lanes']} lanes, "
    lines = [head + f"{device['plan']}-bit numbers, model {device['model_id'][:16]}"]
    if result["clock_hz"] is not None:
        lines.append(f"clock {result['clock_hz']['value'] / 1e6:g} MHz")
    for position, cycles in result["cycles_per_token"].items():
        speed = result["tokens_per_second_chip"][position]
        lines.append(
            f"token {position:>4}: {_shown(cycles)} cycles, {_shown(speed)} tokens/s on the chip"
        )
    if result["prefill"] is not None:
        rate = result["prefill"]["tokens_per_second_chip"]
        lines.append(f"prompt: {_shown(rate)} tokens/s on the chip")
    if (first := result["first_byte"]) is not None:
        micros = {**first["seconds"], "value": 1e6 * first["seconds"]["value"]}
        lines.append(f"first byte: {_shown(micros, ' us')} at {first['baud']} baud")
    for baud, entry in result["tokens_per_second_wire"].items():
        busy = entry["busy"]
        share = "" if not busy or busy["how"] == "software" else _share(busy["value"])
        lines.append(
            f"wire at {baud} baud: {_shown(entry['reached'])} tokens/s "
            f"of at most {_shown(entry['bound'])}{share}"
        )
    return lines


def _share(busy: float) -> str:
    return f", token bytes {100 * busy:.1f} % of the time"


def _shown(number: dict[str, Any] | None, unit: str = "") -> str:
    return "no" if number is None else f"{number['value']:,.0f}{unit} ({number['how']})"
