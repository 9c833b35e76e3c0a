# SPDX-License-Identifier: MIT
"""Compares the shipped simulation with another of the same gateware: ``python -m
support.shipping.compare_sims OTHER.wasm [--cycles N] [--stimulus NAME]``.

First both run side by side through the conversations of a fault campaign (hello, every request,
images good and bad, aborts, noise, lost answers), and have to do the same in the same cycle
(`support.twin_sim`). Then both make tokens, in turns, and the ratio of their CPU time is printed.
"""

import argparse
import contextlib
import sys
import time
from pathlib import Path

from glintfpga.firmware.blink.image_format import vocab_of
from glintfpga.firmware.wire.messages import generate, prompt
from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.quant.errors import GlintError
from glintfpga.sim.compiled import CompiledSim, WasmProgram
from glintfpga.sim.host import SimHost
from glintfpga.sim.idle import BAUD
from glintfpga.sim.line import SimLine
from glintfpga.sim.shipped import shipped_manifest, shipped_sim
from glintfpga.sim.stimulus.conversations import STIMULI
from support.shipping.rebuild_sim import default_image
from support.twin_sim import TwinSim

__all__ = ["speeds"]

TURNS = 5
TOKENS = 500


class _Enough(Exception):
    """As many cycles as were asked for are compared."""


class _LimitedTwin(TwinSim):
    """Raises `_Enough` after so many cycles."""

    def __init__(self, one: CompiledSim, other: CompiledSim, limit: int):
        super().__init__(one, other)
        self._left = limit

    def run(self, cycles: int, *, wanted: int = 0) -> int:
        used = super().run(cycles, wanted=wanted)
        self._left -= used
        if self._left <= 0:
            raise _Enough
        return used


def speeds(one: CompiledSim, other: CompiledSim) -> tuple[float, float]:
    """Cycles per second of CPU time of each while it makes tokens: the best of `TURNS` turns."""
    hosts = [(sim, _host(sim)) for sim in (one, other)]
    best = [0.0, 0.0]
    for _ in range(TURNS):
        for i, (sim, host) in enumerate(hosts):
            best[i] = max(best[i], _rate(sim, host))
    return best[0], best[1]


def _host(sim: CompiledSim) -> SimHost:
    sim.item(BAUD).poke(len(BAUDS) - 1)
    host = SimHost(SimLine(sim, baud=BAUDS[-1]))
    host.ask(prompt(list(b"the "), vocab_of(host.info.image_header)), generate(4))
    return host


def _rate(sim: CompiledSim, host: SimHost) -> float:
    cycles, began = sim.cycles, time.process_time()
    host.ask(generate(TOKENS, temperature=205))
    return (sim.cycles - cycles) / (time.process_time() - began)


def _opened(path: Path) -> CompiledSim:
    return CompiledSim(WasmProgram(path.read_bytes()), clk_hz=shipped_manifest().clk_hz)


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="support.shipping.compare_sims", description=__doc__)
    parser.add_argument("other", type=Path, metavar="OTHER.wasm")
    names = [stimulus.__name__ for stimulus in STIMULI]
    parser.add_argument("--stimulus", choices=names, help="only this one")
    parser.add_argument("--cycles", type=int, default=5_000_000, help="at most, of each stimulus")
    arguments = parser.parse_args()
    try:
        for stimulus in STIMULI:
            if arguments.stimulus in {None, stimulus.__name__}:
                twin = _LimitedTwin(shipped_sim(), _opened(arguments.other), arguments.cycles)
                with contextlib.suppress(_Enough):
                    stimulus(twin, default_image())  # type: ignore[arg-type]
                twin.compare_all()
                print(f"{stimulus.__name__}: {twin.cycles} cycles, no difference", flush=True)
        one, other = speeds(shipped_sim(), _opened(arguments.other))
    except (GlintError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"cycles per second of CPU time while tokens are made, best of {TURNS} turns: "
        f"{one / 1e6:.2f} M, the other {other / 1e6:.2f} M, ratio {one / other:.2f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
