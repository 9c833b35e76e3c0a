# SPDX-License-Identifier: MIT
"""The files of a build, checked: manifest.json, report.json, floorplan.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from glintfpga.boards.floorplan import FLOORPLAN
from glintfpga.boards.manifest import MANIFEST, Manifest, read_manifest
from glintfpga.host.report.clock import TimingFacts, read_timing
from glintfpga.host.report.fields import Fields, read_json
from glintfpga.quant.blink.limits import LANES, check_fits
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError

__all__ = [
    "REPORT",
    "Build",
    "Floorplan",
    "PathStep",
    "Slot",
    "SlowPath",
    "Use",
    "read_build",
    "read_floorplan",
]

REPORT = "report.json"
_MAX_TILES = 512
_MAX_NAMES = 64
_TOKEN = "token "


@dataclass(frozen=True)
class Use:
    """Cells of a type."""

    used: int
    available: int


@dataclass(frozen=True)
class Slot:
    """Place of a block RAM or a pair of DSP macros, used or not."""

    kind: str
    x: int
    y: int
    width: int


@dataclass(frozen=True, kw_only=True)
class PathStep:
    """One delay of the slowest path, ending at a cell."""

    kind: str
    delay_ns: float
    cell: str
    type: str
    bel: str
    x: int
    y: int
    net: str | None


@dataclass(frozen=True, kw_only=True)
class SlowPath:
    """The slowest path between clocked cells, and the kinds of these."""

    start_kind: str
    end_kind: str
    delay_ns: float
    steps: tuple[PathStep, ...]


@dataclass(frozen=True, kw_only=True)
class Floorplan:
    """floorplan.json; ``cells`` are rows of x, y, index of kind, index of block, count."""

    columns: int
    rows: int
    slots: tuple[Slot, ...]
    kinds: tuple[str, ...]
    blocks: tuple[str, ...]
    cells: tuple[tuple[int, ...], ...]
    path: SlowPath | None


@dataclass(frozen=True, kw_only=True)
class Build:
    """All facts of a build that the page shows."""

    manifest: Manifest
    part: str
    tools: Mapping[str, str]
    spec: ModelSpec | None
    timing: TimingFacts
    utilization: Mapping[str, Use]
    route_through: int
    carry_heads: int
    cycles: Mapping[str, int]
    """Of each step of one token; empty for a device without a model."""
    seconds: Mapping[str, float]
    """How long each step of the build took when it ran."""
    warnings: tuple[str, ...]
    floorplan: Floorplan


def read_build(folder: Path) -> Build:
    """Read the results of a build. Raises ``InputError`` naming file and field."""
    if not (folder / REPORT).is_file():
        raise InputError(f"there is no {REPORT} in {str(folder)!r}; run: glintfpga build")
    manifest = read_manifest(folder / MANIFEST)
    if manifest.lanes not in LANES:
        raise InputError(
            f"{str(folder / MANIFEST)!r}: 'lanes' must be one of {LANES}, not {manifest.lanes!r}"
        )
    more = read_json(folder / MANIFEST, what="manifest")
    tools = more.inner("tools")
    report = read_json(folder / REPORT, what="report")
    cycles = report.inner("cycles") if "cycles" in report else None
    used = report.inner("utilization")
    return Build(
        manifest=manifest,
        part=more.text("part"),
        tools={name: tools.text(name) for name in tools.names()},
        spec=_spec(more),
        timing=read_timing(report.inner("timing")),
        utilization={name: _use(used.inner(name)) for name in used.names()},
        route_through=report.whole("lut_route_through"),
        carry_heads=report.whole("carry_heads_repaired"),
        cycles={
            name: cycles.whole(name, 1 << 32)
            for name in (cycles.names() if cycles else ())
            if cycles and not name.startswith(_TOKEN)
        },
        seconds={step.text("name"): step.number("seconds") for step in report.inners("steps")},
        warnings=tuple(report.texts("warnings")),
        floorplan=read_floorplan(folder / FLOORPLAN),
    )


def read_floorplan(path: Path) -> Floorplan:
    """Read floorplan.json. Raises ``InputError`` naming the field."""
    if not path.is_file():
        raise InputError(f"there is no {str(path)!r}: build again with this version")
    plan = read_json(path, what="floorplan")
    columns, rows = plan.whole("columns", _MAX_TILES), plan.whole("rows", _MAX_TILES)
    kinds, blocks = plan.texts("kinds"), plan.texts("blocks")
    if len(kinds) > _MAX_NAMES or len(blocks) > _MAX_NAMES:
        raise InputError(f"{str(path)!r}: 'kinds' or 'blocks' has more than {_MAX_NAMES} names")
    places = plan.inner("slots")
    slots = []
    for kind in places.names():
        place = places.inner(kind)
        width = place.whole("width", _MAX_TILES)
        slots += [Slot(kind, x, y, width) for x, y in place.rows("at", columns, rows)]
    cells = plan.rows("cells", columns, rows, len(kinds), len(blocks), 1 << 16)
    return Floorplan(
        columns=columns,
        rows=rows,
        slots=tuple(slots),
        kinds=tuple(kinds),
        blocks=tuple(blocks),
        cells=tuple(cells),
        path=_path(plan.inner("path"), columns, rows) if "path" in plan else None,
    )


def _path(path: Fields, columns: int, rows: int) -> SlowPath:
    steps = tuple(
        PathStep(
            kind=step.text("kind"),
            delay_ns=step.number("delay_ns"),
            cell=step.text("cell"),
            type=step.text("type"),
            bel=step.text("bel"),
            x=step.whole("x", columns - 1),
            y=step.whole("y", rows - 1),
            net=step.text("net") if "net" in step else None,
        )
        for step in path.inners("steps")
    )
    return SlowPath(
        start_kind=path.text("from"),
        end_kind=path.text("to"),
        delay_ns=path.number("delay_ns"),
        steps=steps,
    )


def _spec(manifest: Fields) -> ModelSpec | None:
    if "spec" not in manifest:
        return None
    try:
        spec = ModelSpec.from_json(manifest.raw("spec"))
        check_fits(spec)
        return spec
    except InputError as error:
        raise InputError(f"{str(manifest.path)!r}: 'spec': {error}") from error


def _use(item: Fields) -> Use:
    return Use(item.whole("used"), item.whole("available"))
