# SPDX-License-Identifier: MIT
"""The steps of a build for a Gowin chip: what each depends on and what it writes."""

import json
from pathlib import Path
from typing import Any

from glintfpga.boards import sources
from glintfpga.boards.board import Board
from glintfpga.boards.cache import StepResult
from glintfpga.boards.design import Design
from glintfpga.boards.floorplan import FLOORPLAN, floorplan
from glintfpga.boards.gowin import bram_patch, bram_signatures, carry, lut4, resources
from glintfpga.boards.gowin.bram_patch import cells_of
from glintfpga.boards.gowin.losses import check_routed
from glintfpga.boards.gowin.router_delays import chip_database
from glintfpga.boards.gowin.timing import report as timing
from glintfpga.boards.gowin.timing.analysis import analyze
from glintfpga.boards.gowin.timing.delays import ASSUMED, delays_of
from glintfpga.boards.gowin.tool_warnings import complaints_of
from glintfpga.boards.report import count_lut_slots, summary
from glintfpga.boards.step import OnProgress, PhaseReporter, Results, Step
from glintfpga.boards.toolchain import GOWIN_PACK, NEXTPNR, YOSYS

__all__ = ["Steps"]

# The packer knows the top level by this name only.
_TOP = "top"
_WARNINGS = "warnings.json"
_CHIP_DATABASE = "chipdb.bin"

# Per phase of a tool: a line that it prints, our name of the phase, the share done by then, and
# about how many lines it prints until the next phase. Measured on default builds, where "routing
# clocks" is wide nets too.
_SYNTH_PHASES = (
    ("Executing PROC pass", "reading the design", 0.05, 4100),
    ("Executing TECHMAP pass", "mapping", 0.4, 2100),
    ("Executing ABC9 pass", "logic", 0.6, 400),
)
_ROUTE_PHASES = (
    ("Pack wide LUTs", "packing", 0.0, 20),
    ("Running custom HCLK placer", "preparing the placement", 0.01, 7),
    ("Running main analytical placer", "placing", 0.05, 29),
    ("Running simulated annealing placer", "refining the placement", 0.36, 7),
    ("Routing globals", "routing clocks", 0.43, 85),
    ("Routing..", "routing", 0.8, 50),
    ("Critical path report", "timing", 0.99, 100),
)


class Steps:
    """The steps for one design. Tool logs are written to ``<logs>/<step>.log``."""

    def __init__(self, *, design: Design, board: Board, clock_mhz: float, seed: int, logs: Path):
        self.design = design
        self.board = board
        self.clock_mhz = clock_mhz
        self.seed = seed
        self.logs = logs

    def in_order(self) -> list[Step]:
        """All steps that are cached; the report is not one of them."""
        options = (self.board.name, repr(self.clock_mhz))
        route = self.route_arguments()
        pack = self.pack_arguments()
        return [
            Step(
                name="elaborate",
                inputs=lambda done: [*self.design.inputs, *options],
                make=self._elaborate,
            ),
            Step(
                name="synth",
                inputs=lambda done: [
                    *_digests(done, "elaborate", "top.il", "top.ys"),
                    YOSYS.identity(),
                ],
                make=self._synth,
            ),
            Step(
                name="check",
                inputs=lambda done: [
                    *_digests(done, "synth", "top.syn.json"),
                    *_digests(done, "elaborate", "contents.json"),
                    repr(self.design.expected),
                ],
                make=self._check,
            ),
            Step(
                name="lut4",
                inputs=lambda done: _digests(done, "synth", "top.syn.json"),
                make=self._lut4,
            ),
            Step(
                name="route",
                inputs=lambda done: [
                    *_digests(done, "lut4", "top.syn.json"),
                    *_digests(done, "elaborate", "top.cst", "top.sdc"),
                    *route,
                    NEXTPNR.identity(),
                    f"multiplier {ASSUMED.multiplier} ns",
                ],
                make=self._route,
            ),
            Step(
                name="timing",
                inputs=lambda done: [
                    *_digests(done, "route", "top.pnr.json", "report.json"),
                    *_digests(done, "elaborate", sources.SOURCES),
                    *options,
                    GOWIN_PACK.identity(),
                ],
                make=self._timing,
            ),
            Step(
                name="memory",
                inputs=lambda done: [
                    *_digests(done, "route", "top.pnr.json"),
                    *_digests(done, "timing", timing.TIMING),
                    *_digests(done, "elaborate", "contents.json"),
                ],
                make=self._memory,
            ),
            Step(
                name="carry",
                inputs=lambda done: _digests(done, "memory", "top.pnr.json"),
                make=self._carry,
            ),
            Step(
                name="pack",
                inputs=lambda done: [
                    *_digests(done, "carry", "top.pnr.json"),
                    *pack,
                    GOWIN_PACK.identity(),
                ],
                make=self._pack,
            ),
        ]

    def report(self, results: Results) -> dict[str, Any]:
        """Contents of report.json from the results of all steps."""
        compared = results["route"].json("compared.json")
        return summary(
            untimed_pins=compared["untimed_pins"],
            routed=results["route"].json("report.json"),
            timing=results["timing"].json(timing.TIMING),
            luts=results["lut4"].json("lut4.json"),
            cells=results["check"].json("cells.json"),
            memories=results["memory"].json("memories.json"),
            carry_heads=results["carry"].json("carry.json")["repaired"],
            lut_slots=results["memory"].json("lut_slots.json"),
            steps=[
                {"name": name, "seconds": result.seconds, "cached": result.cached}
                for name, result in results.items()
            ],
            cycles=self.design.cycles,
            warnings=[
                *results["synth"].json(_WARNINGS),
                *compared["warnings"],
                *results["pack"].json(_WARNINGS),
            ],
        )

    def _elaborate(self, folder: Path, results: Results, on_progress: OnProgress) -> None:
        plan = self.board.platform().prepare(self.design.top(), _TOP, emit_src=True)
        on_progress("taking memory contents out", 0.8)
        rtlil, positions = sources.split(_text(plan.files[f"{_TOP}.il"]))
        rtlil, words = bram_signatures.split(rtlil)
        _write(folder / sources.SOURCES, positions)
        # As bytes: later steps depend on these files, whose newlines are the same everywhere.
        (folder / "top.il").write_bytes(rtlil.encode())
        (folder / "contents.json").write_bytes(bram_signatures.dump(words).encode())
        for name in ("top.ys", "top.cst", "top.sdc"):
            (folder / name).write_bytes(_text(plan.files[name]).encode())

    def _synth(self, folder: Path, results: Results, on_progress: OnProgress) -> None:
        for name in ("top.il", "top.ys"):
            _copy(results["elaborate"], name, folder)
        YOSYS.run(
            ["top.ys"],
            folder=folder,
            log=self.logs / "synth.log",
            on_line=PhaseReporter(_SYNTH_PHASES, on_progress),
        )
        _write(folder / _WARNINGS, complaints_of(YOSYS.name, _text_of(self.logs / "synth.log")))

    def _check(self, folder: Path, results: Results, on_progress: OnProgress) -> None:
        netlist = results["synth"].json("top.syn.json")
        words = bram_signatures.load(_read(results["elaborate"], "contents.json"))
        cells = resources.check(netlist, self.design.expected, self.board)
        bram_patch.locate_memories(netlist, words)
        _write(folder / "cells.json", cells)

    def _lut4(self, folder: Path, results: Results, on_progress: OnProgress) -> None:
        netlist = results["synth"].json("top.syn.json")
        made = lut4.make_lut4(netlist)
        _write(folder / "top.syn.json", netlist)
        _write(folder / "lut4.json", made)

    def _route(self, folder: Path, results: Results, on_progress: OnProgress) -> None:
        _copy(results["lut4"], "top.syn.json", folder)
        for name in ("top.cst", "top.sdc"):
            _copy(results["elaborate"], name, folder)
        (folder / _CHIP_DATABASE).write_bytes(chip_database(self.board))
        NEXTPNR.run(
            [*("--chipdb", _CHIP_DATABASE), *self.route_arguments()],
            folder=folder,
            log=self.logs / "route.log",
            on_line=PhaseReporter(_ROUTE_PHASES, on_progress),
        )
        compared = check_routed(
            json.loads(_text_of(folder / "top.syn.json")),
            json.loads(_text_of(folder / "top.pnr.json")),
            json.loads(_text_of(folder / "report.json")),
            _text_of(self.logs / "route.log"),
            cst=_text_of(folder / "top.cst"),
            sdc=_text_of(folder / "top.sdc"),
        )
        _write(folder / "compared.json", compared)
        for name in ("top.syn.json", _CHIP_DATABASE):
            (folder / name).unlink()

    def route_arguments(self) -> list[str]:
        """What nextpnr-himbaechel is called with, but for the chip database with multipliers."""
        return [
            *("--device", self.board.part),
            *("--vopt", f"family={self.board.chip_database}"),
            *("--vopt", "cst=top.cst"),
            *("--sdc", "top.sdc"),
            *("--freq", f"{self.clock_mhz:g}"),
            *("--seed", str(self.seed)),
            "--timing-allow-fail",  # `boards.gowin.timing` says it better
            *("--json", "top.syn.json"),
            *("--write", "top.pnr.json"),
            *("--report", "report.json"),
        ]

    def _timing(self, folder: Path, results: Results, on_progress: OnProgress) -> None:
        found = analyze(results["route"].json("top.pnr.json"), delays_of(self.board))
        on_progress("paths", 0.8)
        made = timing.summary(
            found,
            clock_mhz=self.clock_mhz,
            routed=results["route"].json("report.json"),
            sources=results["elaborate"].json(sources.SOURCES),
        )
        _write(folder / timing.TIMING, made)

    def _memory(self, folder: Path, results: Results, on_progress: OnProgress) -> None:
        netlist = results["route"].json("top.pnr.json")
        words = bram_signatures.load(_read(results["elaborate"], "contents.json"))
        placement = bram_patch.locate_memories(netlist, words)
        bram_patch.fill_memories(netlist, words, placement)
        _write(folder / "top.pnr.json", netlist)
        _write(folder / "lut_slots.json", count_lut_slots(cells_of(netlist)))
        timed = results["timing"].json(timing.TIMING)
        _write(folder / FLOORPLAN, floorplan(netlist, timed, self.board))
        _write(
            folder / "memories.json",
            {
                item.name: {
                    "depth": item.bits.shape[0],
                    "width": item.bits.shape[1],
                    "cells": placement.cells_with(item),
                }
                for item in words.values()
            },
        )

    def _carry(self, folder: Path, results: Results, on_progress: OnProgress) -> None:
        netlist = results["memory"].json("top.pnr.json")
        repaired = carry.repair(netlist)
        _write(folder / "top.pnr.json", netlist)
        _write(folder / "carry.json", {"repaired": repaired})

    def _pack(self, folder: Path, results: Results, on_progress: OnProgress) -> None:
        _copy(results["carry"], "top.pnr.json", folder)
        GOWIN_PACK.run(self.pack_arguments(), folder=folder, log=self.logs / "pack.log")
        _write(folder / _WARNINGS, complaints_of(GOWIN_PACK.name, _text_of(self.logs / "pack.log")))
        (folder / "top.pnr.json").unlink()

    def pack_arguments(self) -> list[str]:
        """What gowin_pack is called with."""
        return [
            *("-d", self.board.chip_database),
            *("-o", "top.fs"),
            *self.board.pack_options,
            "top.pnr.json",
        ]


def _digests(results: Results, step: str, *names: str) -> list[str]:
    return [results[step].digests[name] for name in names]


def _copy(result: StepResult, name: str, folder: Path) -> None:
    (folder / name).write_bytes(result.path(name).read_bytes())


def _read(result: StepResult, name: str) -> str:
    return result.path(name).read_text(encoding="utf-8")


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _write(path: Path, value: Any) -> None:
    path.write_bytes((json.dumps(value) + "\n").encode())


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode()
