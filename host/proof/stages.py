# SPDX-License-Identifier: MIT
"""The proof of a bitstream: stage by stage, what was compared and the first difference.

    reference    the integer model in Python
    RTL          the shipped compiled simulation: all CRCs of logits against the reference
    bitstream    the decoded netlist, simulated at its pins: all CRCs against the reference, with
                 floating inputs at 0 and at 1
    icarus       a second simulator runs the decoded netlist through power-up, the self-test and
                 the beginning of the recorded conversation: all register bits in every cycle
    vendor       the same, with the vendor's models of multipliers and memories, from the user's
                 copy of its simulation library
    synthesis    the netlist that the bitstream was placed from: the recorded line is replayed, all
                 registers are compared in every cycle
    logic        the same two netlists, by a SAT solver: all pins of registers, memories and
                 multipliers, in any state, for any input

A wrong synthesis shows in the CRCs of the bitstream; the last two stages tell it from a wrong
placement, packing or decoding.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.host.console.progress import counting
from glintfpga.host.device.client import Client
from glintfpga.host.device.connect import has_image, load
from glintfpga.host.device.link import Link
from glintfpga.host.device.verify import Mismatch, verify
from glintfpga.quant.errors import DeviceError, InputError
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim, Recording
from glintfpga.sim.gowin.netlist.compare import Comparison, compare
from glintfpga.sim.gowin.netlist.flat_netlist import FlatNetlist
from glintfpga.sim.gowin.netlist.netlist import Netlist
from glintfpga.sim.gowin.netlist.second_opinion import compare_icarus
from glintfpga.sim.line import SimLine, open_sim_line
from glintfpga.sim.proof.build_steps import Origin

__all__ = [
    *("ICARUS_CYCLES", "RX", "TX", "Stage"),
    *("check_pads", "prove_bitstream", "prove_icarus", "prove_logic", "prove_rtl"),
    *("prove_synthesis", "running"),
]

RX, TX = "uart_0__rx__io", "uart_0__tx__io"
"""Pads of the line on every board."""
LIGHTS = tuple(f"led_{number}__io" for number in range(6))
SILENCE_CYCLES = 5_000_000
"""A chip that sends nothing for that long (93 ms at 54 MHz) while the host sends is dead."""
ICARUS_CYCLES = 210_000
"""The self-test takes 17,328 cycles; the answer to hello reports its result after 98,673."""
BOTH = 0xAAAA_AAAA_AAAA_AAAA
"""Floating inputs: 0 in even copies, 1 in odd ones."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What one stage compared, and the first difference; empty if there is none.

    ``cycles`` is 0 for a stage that compares states instead of runs.
    """

    name: str
    compared: str
    count: int
    cycles: int
    seconds: float
    difference: str = ""

    def __str__(self) -> str:
        cycles = f"{self.cycles:,} cycles" if self.cycles else "any state"
        said = f"{self.name:<10} {self.compared}, {cycles}, {self.seconds:.1f} s"
        return f"{said}: {self.difference or 'equal'}"

    def facts(self) -> dict[str, Any]:
        """For proof.json."""
        return asdict(self)


def prove_rtl(image: Image, tokens: int, *, lanes: int) -> Stage | None:
    """The shipped simulation against the reference; None if it has other lanes or formats."""
    began = time.monotonic()
    port = open_sim_line()
    client = _client(port)
    client.connect()
    if (client.machine.lanes, client.machine.plan) != (lanes, image.model.plan):
        return None
    client.fastest(BAUDS[-1])
    if not has_image(client, image):
        load(client, image)
    count, difference = _verified(client, image, tokens, "RTL")
    return Stage(
        name="RTL",
        compared=f"{count} tokens",
        count=count,
        cycles=port.sim.cycles,
        seconds=round(time.monotonic() - began, 1),
        difference=difference,
    )


def check_pads(netlist: Netlist) -> None:
    """Raise ``InputError`` unless the pads in use are those of our device: line, lights, clock."""
    inputs, outputs = set(netlist.inputs), set(netlist.outputs)
    if RX in inputs and len(inputs) == 2 and outputs == {TX, *LIGHTS}:
        return
    raise InputError(
        f"the bitstream reads the pads {', '.join(sorted(inputs))} and drives "
        f"{', '.join(sorted(outputs))}: that is not a device; name one that glintfpga build made"
    )


def running(netlist: Netlist, clk_hz: float) -> BitParallelSim:
    """A simulation of a chip; raises ``InputError`` when it has no line."""
    return BitParallelSim(netlist, clk_hz=clk_hz, rx=RX, tx=TX)


def prove_bitstream(
    sim: BitParallelSim, image: Image, tokens: int, *, check: Callable[[Client], None]
) -> tuple[Stage, Recording]:
    """A netlist, at its pins, against the reference; also returns the recorded conversation.

    ``check`` is called with the connected client, and may raise ``InputError``.
    """
    began = time.monotonic()
    sim.reset(floating=BOTH)
    count, difference = 0, ""
    try:
        client = _client(_ImpatientLine(sim))  # type: ignore[arg-type]
        with counting("bitstream: hello"):
            client.connect()
            client.fastest(BAUDS[-1])
        if not has_image(client, image):
            raise InputError(
                f"the bitstream holds the model {client.model_id[:16]}, not "
                f"{image.model_id[:16]}; name its model with --model"
            )
        check(client)
        count, difference = _verified(client, image, tokens, "bitstream")
    except (DeviceError, _Silent) as error:
        difference = str(error)
    for copy, noticed in sorted(sim.noticed.items())[:1]:
        difference = difference or (
            f"pad {noticed.output} depends on floating inputs from cycle {noticed.cycle} on "
            f"(copy {copy})"
        )
    stage = Stage(
        name="bitstream",
        compared=f"{count} tokens, floating inputs 0 and 1",
        count=count,
        cycles=sim.cycles,
        seconds=round(time.monotonic() - began, 1),
        difference=difference,
    )
    return stage, sim.recording()


def prove_icarus(
    sim: BitParallelSim,
    recording: Recording,
    *,
    cycles: int = ICARUS_CYCLES,
    netlist: Netlist | None = None,
    library: Path | None = None,
) -> Stage:
    """The bitstream in Icarus against ``sim``, with floating inputs at 0; at most ``cycles``.

    ``netlist`` is for Icarus, that of ``sim`` if None. With ``library``, the path of the vendor's
    library, it is the stage "vendor". Raises ``EnvironmentProblem`` without Icarus, ``InputError``
    for a file that is no such library.
    """
    began = time.monotonic()
    name = "icarus" if library is None else "vendor"
    cycles = min(cycles, recording.cycles)
    with counting(name, cycles) as show:
        result = compare_icarus(
            sim, recording, cycles, rx=RX, netlist=netlist, library=library, progress=show
        )
    return _compared(
        name, f"{result.registers} register bits and pads in every cycle", result, began
    )


def prove_synthesis(sim: BitParallelSim, origin: Origin, recording: Recording) -> Stage:
    """The synthesized netlist against the bitstream, register by register, cycle by cycle."""
    began = time.monotonic()
    other = running(origin.synthesized, sim.clk_hz)
    with counting("synthesis", recording.cycles) as show:
        result = compare(sim, other, recording, origin.registers, progress=show)
    return _compared(
        "synthesis", f"{result.registers} registers and pads in every cycle", result, began
    )


def prove_logic(sim: BitParallelSim, origin: Origin) -> Stage:
    """The synthesized netlist against the bitstream, in any state."""
    from glintfpga.sim.gowin.equivalence.netlist_equivalence import compare_logic

    began = time.monotonic()
    netlist = FlatNetlist(origin.synthesized)
    with counting("logic", len(netlist.order)) as show:
        result = compare_logic(sim.flat, netlist, origin.places, progress=show)
    difference = ""
    if result.differences:
        difference = f"differs from the netlist at {_some(result.differences)}"
    return Stage(
        name="logic",
        compared=f"{result.pins} pins of {result.cells} registers, memories and multipliers",
        count=result.pins,
        cycles=0,
        seconds=round(time.monotonic() - began, 1),
        difference=difference,
    )


def _compared(name: str, compared: str, result: Comparison, began: float) -> Stage:
    difference = ""
    if result.difference is not None:
        difference = (
            f"differs from the bitstream in cycle {result.difference.cycle} at "
            f"{_some(result.difference.signals)}"
        )
    return Stage(
        name=name,
        compared=compared,
        count=result.registers,
        cycles=result.cycles,
        seconds=round(time.monotonic() - began, 1),
        difference=difference,
    )


class _Silent(Exception):
    """Not a ``DeviceError``: on that, the link would retry for seconds of simulated time."""


class _ImpatientLine(SimLine):
    def read(self, size: int, timeout: float) -> bytes:
        data = super().read(size, min(timeout, SILENCE_CYCLES / self.sim.clk_hz))
        self._last_received = self.sim.cycles if data else getattr(self, "_last_received", 0)
        if self.sim.cycles - self._last_received > SILENCE_CYCLES:
            raise _Silent(f"it is silent since cycle {self._last_received:,}")
        return data


def _client(line: SimLine) -> Client:
    return Client(Link(opener=lambda: line))


def _verified(client: Client, image: Image, tokens: int, name: str) -> tuple[int, str]:
    with counting(name, tokens) as show:
        result = verify(client, image, tokens, progress=show)
    return result.tokens, "" if result.first is None else _shown(result.first)


def _shown(first: Mismatch) -> str:
    kind = "sampled" if first.generated else "given"
    return (
        f"{kind} token {first.position} differs: it has {first.got}, the reference {first.expected}"
    )


def _some(signals: Sequence[str]) -> str:
    more = f" and {len(signals) - 3} more" if len(signals) > 3 else ""
    return ", ".join(signals[:3]) + more
