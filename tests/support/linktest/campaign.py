# SPDX-License-Identifier: MIT
"""The link under fire: ``python -m support.linktest.campaign [--port sim:] [--each N] [-o]``.

Every kind of fault at every rate, N conversations each, over a line whose time is simulated; the
table goes to stdout and, with ``-o``, into its section of docs/link-under-fire.md.
"""

import argparse
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.wire.messages import Counters
from glintfpga.host.console.progress import counting
from glintfpga.host.models import image_of
from glintfpga.quant.numbers.sampler import Sampler
from glintfpga.sim.shipped import shipped_sim
from support.line_faults import BRIDGE_DIVIDER, Fault, FaultyLine, ResettableLine
from support.linktest.doc_section import write_section
from support.linktest.scenario import Item, Outcome, Script, run_script, undamaged
from support.linktest.table import Cell, table, verdict
from support.linktest.watched_line import GatewareLine, LinkMonitors, MonitoredDevice
from support.numerics_cache import NumericsCache
from support.virtual_uart import VirtualUart

__all__ = ["GOOD", "KINDS", "RATES", "Campaign", "main"]

_NAME = "support.linktest.campaign"
CONFIG = DeviceConfig()
SCRIPTS = 12
"""Different ones; each conversation has faults of its own."""
BRIDGE = "a bridge that divides by 4, bits flipped"
GOOD = "none"
KINDS: dict[str, tuple[Fault, ...]] = {
    GOOD: (),
    **{str(fault): (fault,) for fault in Fault},
    BRIDGE: (Fault.FLIP,),
    "all of them": tuple(Fault),
}
RATES = (0.0001, 0.001, 1 / 300, 0.01)


class Campaign:
    """Conversations with ``ref:`` or ``sim:``, compared with what ``ref:`` says undamaged.

    Parameters: ``gateware``, whether the device is the simulated gateware; ``size`` of the
    conversations, see `Script`.
    """

    def __init__(self, *, gateware: bool, size: int):
        self._gateware = shipped_sim() if gateware else None
        self._numerics_cache = NumericsCache()
        self._image = image_of(None).data
        self._rights: dict[int, list[Item]] = {}
        self._size = size

    def run(self, kind: str, rate: float, number: int) -> Outcome:
        """One conversation: ``number`` chooses script and faults."""
        script = self._script(number % SCRIPTS)
        monitors = LinkMonitors()
        device = self._device(monitors)
        line = FaultyLine(
            device,
            faults=KINDS[kind],
            rate=rate,
            seed=f"{kind}, {rate}, {number}",
            divider=BRIDGE_DIVIDER if kind == BRIDGE else 1,
        )
        counters = partial(_counters, device) if isinstance(device, VirtualUart) else None
        right = self._right(number % SCRIPTS)
        return run_script(script, line, monitors, right=right, counters=counters)

    def _script(self, number: int) -> Script:
        image = self._image if number % 3 == 0 else None
        return Script(seed=number, image=image, size=self._size)

    def _right(self, number: int) -> list[Item]:
        if number not in self._rights:
            monitors = LinkMonitors()
            line = FaultyLine(self._software(monitors), faults=(), rate=0.0, seed="")
            self._rights[number] = undamaged(self._script(number), line, monitors)
        return self._rights[number]

    def _device(self, monitors: LinkMonitors) -> ResettableLine:
        return (
            GatewareLine(self._gateware, monitors) if self._gateware else self._software(monitors)
        )

    def _software(self, monitors: LinkMonitors) -> VirtualUart:
        load = partial(self._numerics_cache.load, config=CONFIG)

        def power_up() -> SoftwareDevice:
            device = MonitoredDevice(
                model=load(self._image), load=load, sampler=Sampler(), info=CONFIG.hello()
            )
            return device.attach(monitors)

        return VirtualUart(power_up)


def _counters(line: VirtualUart) -> Counters:
    return line.device.counters


def cells(campaign: Campaign, each: int, rates: Sequence[float]) -> Iterator[Cell]:
    """All kinds at all rates; the good line first."""
    bad = [(kind, rate) for kind in KINDS if kind != GOOD for rate in rates]
    tasks = [(GOOD, 0.0), *bad]
    with counting("conversations", each * len(tasks)) as progress:
        for at, (kind, rate) in enumerate(tasks):
            outcomes = []
            for number in range(each):
                outcomes.append(campaign.run(kind, rate, number))
                progress(at * each + number + 1)
            yield Cell(kind=kind, rate=rate, outcomes=outcomes)


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0 when every conversation came through right."""
    parser = argparse.ArgumentParser(prog=f"python -m {_NAME}")
    parser.add_argument("--each", type=int, default=25, help="conversations a kind and rate")
    parser.add_argument("--port", choices=("ref:", "sim:"), default="ref:")
    parser.add_argument("--rate", type=float, action="append", help="faults per byte (all four)")
    parser.add_argument("--size", type=int, help="tokens of an answer (50; sim: 12)")
    parser.add_argument("-o", "--write", action="store_true", help="into docs/link-under-fire.md")
    asked = parser.parse_args(arguments)
    logging.getLogger("glintfpga").setLevel(logging.ERROR)
    gateware = asked.port == "sim:"
    size = asked.size or (12 if gateware else 50)
    began = time.process_time()
    done = list(cells(Campaign(gateware=gateware, size=size), asked.each, asked.rate or RATES))
    took = time.process_time() - began
    options = "".join(f" --rate {rate}" for rate in asked.rate or ())
    options = f"--port {asked.port} --each {asked.each}{options}"
    text = f"{table(done)}\n{verdict(done)} {took:.0f} s of processor time.\n"
    print(text)
    if asked.write:
        write_section(asked.port, f"`PYTHONPATH=tests python -m {_NAME} {options}`", text)
    return int(any(outcome.complaint for cell in done for outcome in cell.outcomes))


if __name__ == "__main__":
    sys.exit(main())
