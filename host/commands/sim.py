# SPDX-License-Identifier: MIT
"""``glintfpga sim``."""

import contextlib
import logging
import tempfile
from pathlib import Path

import click

from glintfpga.host.commands import options

__all__ = ["command"]

_log = logging.getLogger("glintfpga")


@click.command("sim")
@click.option("--pty", is_flag=True, help="Offer the simulated board as a serial port (default).")
@click.option("--trace", type=options.PATH, metavar="FILE", help="Write a waveform (VCD) and end.")
@click.option(
    "-p", "--prompt", default="Hi", metavar="TEXT", help="What the traced answer follows."
)
@options.verbosity
def command(pty: bool, trace: Path | None, prompt: str) -> None:
    """Run the simulated board: the gateware, clock by clock, without a board.

    With --pty it gets a serial port of its own, for other programs, until Ctrl-C; they speak its
    binary protocol, as glintfpga chat does, and a terminal program shows nothing. It runs about a
    hundred times slower than the chip. With --trace it answers one prompt and leaves a waveform.
    chat, generate, verify and bench need neither: give them the port sim:.

    \b
    glintfpga sim --pty
    glintfpga sim --trace answer.vcd
    """
    if trace is not None:
        if pty:
            raise click.UsageError("--pty and --trace exclude each other: give one of them.")
        _write_trace(trace, prompt)
        return
    options.refuse_given("without --trace FILE nothing is asked; leave it out.", "prompt")
    from glintfpga.sim.line import open_sim_line
    from glintfpga.sim.pty import PtyServer

    server = PtyServer(open_sim_line())
    with contextlib.closing(server):
        click.echo(server.name)
        _log.info(
            "a simulated board answers there, in a binary protocol: no text for a terminal program"
        )
        _log.info("in another terminal: glintfpga chat %s", server.name)
        server.serve()


def _write_trace(path: Path, prompt: str) -> None:
    from glintfpga.host.console.progress import counting
    from glintfpga.host.console.text import typed_bytes
    from glintfpga.host.files.outputs import TRACE, Output
    from glintfpga.sim.trace import record_trace

    output = Output(path=path, kind=TRACE)
    with tempfile.TemporaryDirectory(prefix="glintfpga-") as folder:
        made = Path(folder, "trace.vcd")
        with counting("simulating"):
            cycles = record_trace(made, text=typed_bytes(prompt))
        output.write(made.read_bytes())
    _log.info("%s: %d clock cycles", output, cycles)
