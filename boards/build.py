# SPDX-License-Identifier: MIT
"""From a design to a bitstream, in named steps whose results are kept by content.

    elaborate   gateware to RTLIL, memory contents set apart          boards.gowin.bram_signatures
    synth       RTLIL to a netlist of cells
    check       multipliers and memories against what is declared     boards.gowin.resources
    lut4        all LUTs made LUT4, which the router can time         boards.gowin.lut4
    route       placement and routing; all that went in comes out     boards.gowin.losses
    timing      every path; the clock must have its margin            boards.gowin.timing
    memory      the model's words into the routed netlist             boards.gowin.bram_patch
                and where its cells lie                               boards.floorplan
    carry       repair of carry chain heads                           boards.gowin.carry
    pack        netlist to bitstream
    report      report.json, floorplan.json and manifest.json

A step runs again only when something it depends on changed: other weights redo ``elaborate`` and
everything from ``memory`` on, another seed everything from ``route`` on.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glintfpga.boards.board import Board
from glintfpga.boards.cache import Cache, StepResult, file_digest
from glintfpga.boards.catalog import board_of
from glintfpga.boards.design import Design, device_design, expected_resources
from glintfpga.boards.floorplan import FLOORPLAN
from glintfpga.boards.gowin.resources import check_room
from glintfpga.boards.gowin.steps import Steps
from glintfpga.boards.gowin.timing.report import TIMING, check_margin
from glintfpga.boards.manifest import gateware_facts
from glintfpga.boards.step import Step
from glintfpga.boards.toolchain import TOOLS, check_tools
from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.quant.files.lock import locked

__all__ = ["STEPS", "BuildOptions", "BuildResult", "Progress", "build", "build_design"]

CACHE = "cache"
"""Folder of the kept steps, in that of the results."""

Progress = Callable[[str, str, float, float], None]
"""Called with (step, detail, fraction of the whole build, seconds since the step began)."""

STEPS: Mapping[str, float] = {
    "elaborate": 0.01,
    "synth": 0.05,
    "check": 0.002,
    "lut4": 0.002,
    "route": 0.865,
    "timing": 0.008,
    "memory": 0.002,
    "carry": 0.002,
    "pack": 0.058,
    "report": 0.001,
}
"""Names of the steps in order, and their shares of a whole build's time (measured)."""


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """What to build. Only ``image`` is the model; everything else shapes the logic."""

    board: str
    device: DeviceConfig
    """Its clock is one of the board's."""
    image: bytes | None = None
    """A ``.glint`` file; None builds a device that waits for one."""
    model_name: str | None = None
    """What the manifest calls the model."""
    seed: int = 1
    """Of the placer."""
    out: Path | None = None
    """Folder of the results; None: build/<board>. The cache is in it."""


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """Where the results are."""

    bitstream: Path
    report: Path
    manifest: Path
    facts: Mapping[str, Any] = field(repr=False)
    """Contents of report.json."""
    warnings: tuple[str, ...] = ()


def build(options: BuildOptions, progress: Progress | None = None) -> BuildResult:
    """Build the device for a board.

    Raises ``InputError`` for options outside the board's or device's limits, for a failed step, and
    when another process builds in the same folder; ``EnvironmentProblem`` when a tool is missing or
    does not fit, or the folder cannot be written to.
    """
    board = board_of(options.board)
    clock_mhz = board.check_clock(options.device.clock_hz / 1e6)
    check_room(expected_resources(options.device), board)
    check_tools()
    design = device_design(
        board=board,
        image=options.image,
        config=options.device,
        seed=options.seed,
        tools=tuple(tool.identity() for tool in TOOLS),
    )
    facts: dict[str, Any] = {"model": options.model_name, "image_sha256": None, "spec": None}
    if options.image is not None:
        facts |= _image_facts(options.image)
    out = options.out or Path("build", board.name)
    with locked(out / CACHE / "lock", what=f"the build in {str(out)!r}"):
        Cache(out / CACHE).remove_drafts()
        return build_design(
            design,
            board=board,
            clock_mhz=clock_mhz,
            seed=options.seed,
            name="blink",
            out=out,
            facts=facts,
            progress=progress,
        )


def build_design(
    design: Design,
    *,
    board: Board,
    clock_mhz: float,
    seed: int,
    name: str,
    out: Path,
    facts: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> BuildResult:
    """Build any design as ``<name>.fs``; ``facts`` go into the manifest. Errors as of `build`."""
    versions = check_tools()
    run = _StepRunner(Cache(out / CACHE), progress)
    steps = Steps(design=design, board=board, clock_mhz=clock_mhz, seed=seed, logs=out)
    results: dict[str, StepResult] = {}
    for step in steps.in_order():
        results[step.name] = run(step, results)
        if step.name == "timing":
            write_atomic(out / TIMING, results["timing"].path(TIMING).read_bytes())
            check_margin(results["timing"].json(TIMING))

    began = time.monotonic()
    run.tell("report", "", 0.0, 0.0)
    report = steps.report(results)
    bitstream = out / f"{name}.fs"
    write_atomic(bitstream, results["pack"].path("top.fs").read_bytes())
    manifest = {
        "bitstream": bitstream.name,
        "bitstream_sha256": file_digest(bitstream),
        "board": board.name,
        "part": board.part,
        "clock_mhz": clock_mhz,
        "seed": seed,
        **design.facts,
        **gateware_facts(results["elaborate"].digests),
        **(facts or {}),
        "tools": versions,
        "limit_mhz": report["timing"]["limit_mhz"],
        "router_mhz": report["timing"]["router"]["limit_mhz"],
        "resources": {key: item["used"] for key, item in report["utilization"].items()},
    }
    write_atomic(out / "report.json", _json(report))
    write_atomic(out / FLOORPLAN, results["memory"].path(FLOORPLAN).read_bytes())
    write_atomic(out / "manifest.json", _json(manifest))
    run.tell("report", "done", 1.0, time.monotonic() - began)
    return BuildResult(
        bitstream=bitstream,
        report=out / "report.json",
        manifest=out / "manifest.json",
        facts=report,
        warnings=tuple(report["warnings"]),
    )


class _StepRunner:
    """Runs steps through the cache and tells how far the build is."""

    def __init__(self, cache: Cache, progress: Progress | None):
        self.cache = cache
        self.progress = progress

    def __call__(self, step: Step, results: Mapping[str, StepResult]) -> StepResult:
        began = time.monotonic()

        def on_progress(detail: str, fraction: float) -> None:
            self.tell(step.name, detail, fraction, time.monotonic() - began)

        on_progress("", 0.0)
        result = self.cache.step(
            step.name, step.inputs(results), lambda folder: step.make(folder, results, on_progress)
        )
        on_progress("cached" if result.cached else "done", 1.0)
        return result

    def tell(self, step: str, detail: str, fraction: float, seconds: float) -> None:
        """Report; ``fraction`` is that of the step."""
        if self.progress is None:
            return
        names = list(STEPS)
        before = sum(STEPS[name] for name in names[: names.index(step)])
        self.progress(step, detail, min(1.0, before + STEPS[step] * fraction), seconds)


def _image_facts(image: bytes) -> dict[str, Any]:
    from glintfpga.firmware.blink.image import Image
    from glintfpga.firmware.wire.protocol import VERSION

    model = Image.from_bytes(image).model
    return {
        "image_sha256": hashlib.sha256(image).hexdigest(),
        "spec": model.spec.to_json(),
        "protocol_version": VERSION,
    }


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, default=str) + "\n").encode()
