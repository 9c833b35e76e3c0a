# SPDX-License-Identifier: MIT
"""The page of a build: one HTML file that loads nothing else."""

from collections.abc import Sequence
from dataclasses import replace
from importlib import resources

from glintfpga.boards.catalog import BOARDS
from glintfpga.boards.gowin.timing.report import assumptions
from glintfpga.firmware.blink.schedule import step_cycles
from glintfpga.host.report.attention import attention_picture, attention_weights
from glintfpga.host.report.bars import CycleBar, cycles_picture, utilization_picture
from glintfpga.host.report.clock import slack_picture
from glintfpga.host.report.floorplan import floorplan_picture
from glintfpga.host.report.inputs import Build
from glintfpga.host.report.markup import Markup, element, figure, join
from glintfpga.host.report.pass_chart import pass_picture
from glintfpga.host.report.ranges import ranges_picture
from glintfpga.host.report.subject import Subject
from glintfpga.host.report.timing import timing_picture

__all__ = ["cycle_bars", "page"]

LONG_WINDOW = 256
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_NEXTPNR = "from nextpnr"
_COMPUTED = "computed from the chip database"


def page(build: Build, subject: Subject, prompt: Sequence[int]) -> str:
    """The whole page; ``prompt`` are the ids that the attention picture shows."""
    manifest = build.manifest
    board = BOARDS[manifest.board].title if manifest.board in BOARDS else manifest.board
    title = f"{manifest.model or 'A device without a model'} on the {board}"
    style = resources.files("glintfpga.host.report").joinpath("page.css").read_text("utf-8")
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<link rel="icon" href="data:,">'),
        element("title", title),
        element("style", Markup(style)),
    )
    body = element("body", _header(build, title), _pictures(build, subject, prompt), _footer())
    return f'<!doctype html>\n<html lang="en">{head}{body}</html>\n'


def cycle_bars(build: Build) -> list[CycleBar]:
    """The window of the model from report.json, and the longest window from the schedule."""
    if not build.cycles or build.spec is None:
        return []
    window, lanes = build.spec.window, build.manifest.lanes
    bars = [CycleBar(f"window {window}", "this model", build.cycles)]
    if window != LONG_WINDOW:
        long = replace(build.spec, window=LONG_WINDOW)
        steps = step_cycles(long, lanes, LONG_WINDOW)
        bars.append(CycleBar(f"window {LONG_WINDOW}", "the same shape, window full", steps))
    return bars


def _pictures(build: Build, subject: Subject, prompt: Sequence[int]) -> Markup:
    bars, path = cycle_bars(build), build.floorplan.path
    clock = build.manifest.clock_mhz
    cycles = (
        cycles_picture(bars, clock)
        if bars
        else _absent("cycles", "Where the cycles go", "The device holds no model.")
    )
    one_pass = _absent("pass", "One pass", "The device holds no model.")
    if build.spec:
        one_pass = pass_picture(build.spec, build.manifest.lanes)
    attention = _absent("attention", "Where it looks", subject.missing)
    if subject.model is not None:
        lanes, ids = build.manifest.lanes, list(prompt)
        weights = attention_weights(subject.model, ids, lanes=lanes)
        window = subject.model.window
        attention = attention_picture(weights, ids, window=window, lanes=lanes)
    ranges = _absent("ranges", "How the numbers fit", subject.missing)
    if subject.quantized is not None:
        ranges = ranges_picture(subject.quantized)
    timing = (
        timing_picture(path, clock)
        if path
        else _absent("timing", "The slowest path", "There is no path.")
    )
    return element(
        "main",
        floorplan_picture(build.floorplan),
        utilization_picture(build),
        cycles,
        one_pass,
        attention,
        ranges,
        slack_picture(build.timing, clock),
        timing,
        figure("facts", "The build", _facts(build), _SOURCES),
    )


def _absent(name: str, title: str, why: str) -> Markup:
    return figure(name, title, element("div", why, class_="note"), "")


def _header(build: Build, title: str) -> Markup:
    spec, lut = build.spec, build.utilization.get("LUT4")
    lede = "Placed and routed with open tools. Every number says how it was got."
    if spec is not None:
        lede = (
            f"A complete language model with {spec.param_count:,} parameters: {spec.passes} passes "
            f"over three numbers, with a window of {spec.window} bytes. {lede}"
        )
    numbers: list[tuple[str, str, str]] = []
    if total := sum(build.cycles.values()):
        rate = build.manifest.clock_mhz * 1e6 / total
        numbers.append((f"{rate:,.0f}", "tokens per second", "computed: clock / cycles"))
        numbers.append((f"{total:,}", "cycles per token", "from the schedule"))
    numbers.append((f"{build.manifest.clock_mhz:g} MHz", "clock", "set by the build"))
    numbers.append((f"{build.timing.limit_mhz:.1f} MHz", "every path allows", _COMPUTED))
    if lut and lut.available:
        share = 100 * lut.used / lut.available
        numbers.append((f"{share:.1f} %", "of the chip's LUTs", _NEXTPNR))
    cards = [
        element("div", element("b", value), element("span", what), element("small", how))
        for value, what, how in numbers
    ]
    warnings = [element("p", f"Warning: {text}", class_="warning") for text in build.warnings]
    return element(
        "header",
        element("h1", title, class_="headline"),
        element("p", lede),
        *warnings,
        element("div", *cards, class_="numbers"),
    )


_SOURCES = (
    "Values without a source are settings and hashes from manifest.json. Nothing on this page was "
    "measured on a board."
)


def _facts(build: Build) -> Markup:
    manifest = build.manifest
    facts: list[tuple[str, str, str]] = [
        ("model", manifest.model or "none", ""),
        ("image sha256", manifest.image_sha256 or "none", "the .glint file"),
        ("bitstream sha256", manifest.bitstream_sha256, manifest.bitstream),
        ("gateware sha256", manifest.gateware_sha256, "logic and constraints"),
        ("build id", manifest.build_id, "sent by the device in its hello"),
        ("board", f"{manifest.board}, {build.part}", ""),
        ("machine", f"{manifest.lanes} lanes, {manifest.plan}-bit numbers", ""),
        ("clock", f"{manifest.clock_mhz:g} MHz", "set by the build"),
        (
            "every path allows",
            f"{build.timing.limit_mhz:.2f} MHz",
            f"{_COMPUTED}; assumed: {assumptions(build.timing.assumed)}",
        ),
        ("placer's seed", str(manifest.seed), ""),
        ("carry chains", f"{build.carry_heads:,} heads repaired", "counted by the build"),
        (
            "build time",
            f"{sum(build.seconds.values()):,.0f} s",
            "measured when each step ran, on the machine that built it",
        ),
    ]
    facts += [(name, version, "") for name, version in build.tools.items()]
    entries = [
        element(
            "div",
            element("dt", name),
            element("dd", _code(value), *([element("small", how)] if how else [])),
        )
        for name, value, how in facts
    ]
    return element("dl", *entries, class_="facts")


def _code(value: str) -> str:
    hexadecimal = len(value) >= 16 and all(c in "0123456789abcdef" for c in value)
    return element("code", value) if hexadecimal else value


def _footer() -> Markup:
    text = join("Made by ", element("code", "glintfpga report"), " from the files of one build.")
    return element("footer", text)
