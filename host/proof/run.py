# SPDX-License-Identifier: MIT
"""Runs all stages of `glintfpga.host.proof.stages` for one bitstream, and the fault campaign."""

import hashlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.wire.protocol import SelfTest
from glintfpga.host.console.progress import counting
from glintfpga.host.device.client import Client
from glintfpga.host.proof import stages
from glintfpga.quant.blink.limits import DEFAULT_LANES
from glintfpga.quant.errors import InputError

if TYPE_CHECKING:
    from glintfpga.sim.gowin.decode.bitstream import Decoded
    from glintfpga.sim.proof.uninitialized_reads import Registers

__all__ = ["run"]

SELF_TEST_S = 0.001
"""Idle time before a stimulus: the self-test takes some tenths of a millisecond."""


def run(
    bitstream: Path,
    *,
    board: str,
    image: Image,
    tokens: int,
    mutants: int = 0,
    netlist: Path | None = None,
    vendor: Path | None = None,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Prove a bitstream; the contents of proof.json.

    ``vendor`` is the path of the vendor's simulation library; ``tell`` gets one line per stage.
    Raises ``InputError`` for a bitstream that cannot be decoded or has another model in it than
    ``image``, and for a file that is no such library.
    """
    from glintfpga.boards.catalog import board_of
    from glintfpga.boards.manifest import manifest_beside
    from glintfpga.sim.gowin.decode.bitstream import decode
    from glintfpga.sim.gowin.netlist.icarus import available
    from glintfpga.sim.gowin.netlist.vendor import VARIABLE, vendor_models
    from glintfpga.sim.proof.build_steps import origin_of

    manifest = manifest_beside(bitstream, board=board)
    with counting("decoding"):
        decoded = decode(bitstream, board=board_of(board))
        chip = decoded.netlist
        stages.check_pads(chip)
        if manifest is not None:
            decoded.check_clock(manifest.clock_mhz)
        origin = origin_of(bitstream, netlist)
    if netlist is not None and origin is None:
        raise InputError(
            f"{str(netlist)!r} cannot be compared: {str(bitstream.parent)!r} has no build cache "
            "that says which register is where; build the bitstream again"
        )
    if vendor is not None:
        vendor_models(vendor, chip)  # refuse a wrong file before the long stages
    results: list[stages.Stage] = []
    left_out: dict[str, str] = {}
    reported: dict[str, str] = {}

    def done(stage: stages.Stage | None, name: str, why: str) -> None:
        if stage is not None:
            results.append(stage)
        else:
            left_out[name] = why
        tell(str(stage) if stage is not None else f"{name:<10} left out: {why}")

    def check(client: Client) -> None:
        if manifest is not None and client.info.build_id.hex() != manifest.build_id:
            raise InputError(
                f"the bitstream says build {client.info.build_id.hex()}, its manifest "
                f"{manifest.build_id}: build it again"
            )
        reported["self_test"] = SelfTest(client.info.self_test).name

    # The line of a tuned bitstream counts the cycles that it was built for; here only they pass.
    retimed = manifest.retimed if manifest is not None else None
    line_hz = round(retimed.built_clock_mhz * 1e6) if retimed else decoded.clock_hz
    sim = stages.running(chip, line_hz)
    stage, recording = stages.prove_bitstream(sim, image, tokens, check=check)
    lanes = manifest.lanes if manifest is not None else DEFAULT_LANES
    rtl = stages.prove_rtl(image, tokens, lanes=lanes)
    done(rtl, "RTL", "the shipped simulation has other lanes")
    done(stage, "bitstream", "")
    done(
        stages.prove_icarus(sim, recording) if available() else None,
        "icarus",
        "iverilog is not on PATH",
    )
    done(
        stages.prove_icarus(sim, recording, library=vendor) if available() and vendor else None,
        "vendor",
        "iverilog is not on PATH"
        if vendor
        else f"needs a copy of the vendor's library, by --vendor FILE or {VARIABLE}",
    )
    done(
        stages.prove_synthesis(sim, origin, recording) if origin else None,
        "synthesis",
        "no build cache beside the bitstream",
    )
    done(
        stages.prove_logic(sim, origin) if origin else None,
        "logic",
        "no build cache beside the bitstream",
    )
    heads = origin.heads_patched if origin else None
    tell(f"{'carry':<10} {'unknown' if heads is None else heads} chain heads patched")
    wrong = [stage for stage in results if stage.difference]
    facts: dict[str, Any] = {
        "bitstream_sha256": hashlib.sha256(bitstream.read_bytes()).hexdigest(),
        "model_id": image.model_id,
        "clock_hz": decoded.clock_hz,
        "self_test": reported.get("self_test"),
        "stages": [stage.facts() for stage in results],
        "left_out": left_out,
        "carry_heads_patched": heads,
        "differences": len(wrong),
        "first_difference": f"{wrong[0].name}: {wrong[0].difference}" if wrong else None,
    }
    if mutants and not wrong:
        wires = origin.wires(sim.flat) if origin else None
        facts["mutants"] = _mutants(decoded, image, mutants, wires, tell)
    return facts


def _mutants(
    decoded: "Decoded",
    image: Image,
    count: int,
    wires: "Registers | None",
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """A fault campaign, for proof.json: the outcomes, wall time and processor time."""
    from glintfpga.sim.gowin.faults.campaign import campaign
    from glintfpga.sim.proof.uninitialized_reads import never_read_before_write
    from glintfpga.sim.stimulus.conversations import STIMULI

    began, busy = time.monotonic(), time.process_time()
    with counting("mutants", count) as show:
        stimuli = [partial(stimulus, image=image) for stimulus in STIMULI]
        result = campaign(
            decoded,
            stimuli,
            count,
            line=(stages.RX, stages.TX),
            idle_s=SELF_TEST_S,
            never_read_before_write=partial(never_read_before_write, registers=wires or {}),
            progress=show,
        )
    tell(str(result))
    return result.facts() | {
        "seconds": round(time.monotonic() - began, 1),
        "processor_seconds": round(time.process_time() - busy, 1),
    }
