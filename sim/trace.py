# SPDX-License-Identifier: MIT
"""A waveform (VCD) of one answer: all ports and registers, clock edge by clock edge."""

from pathlib import Path

from glintfpga.firmware.blink.image_format import vocab_of
from glintfpga.firmware.wire.messages import generate, prompt
from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.sim.host import SimHost
from glintfpga.sim.line import open_sim_line

__all__ = ["record_trace"]


def record_trace(path: Path, *, text: bytes = b"Hi", tokens: int = 2) -> int:
    """Write what happens on the wire and inside while the device answers ``text``.

    The session is opened and set to the highest rate before the waveform starts, as that is
    mostly the slow line. Returns the clock cycles recorded.

    Raises ``EnvironmentProblem`` when the file cannot be written.
    """
    line = open_sim_line()
    host = SimHost(line)
    vocab = vocab_of(host.info.image_header)
    host.set_baud(len(BAUDS) - 1)
    sim = line.sim
    first = sim.cycles
    sim.trace_start()
    host.ask(prompt(list(text), vocab), generate(tokens))
    write_atomic(path, sim.trace_take())
    return sim.cycles - first
