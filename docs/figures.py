# SPDX-License-Identifier: MIT
"""The README's table of figures: ``python docs/figures.py [--eval DIR]``.

Collects from one default build (its report), the shipped simulation, the C model on one core and,
with ``--eval``, the perplexity files; writes docs/figures.json and the table in README.md.
"""

import argparse
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

from glintfpga.boards.gowin.timing.report import ROUTER_LEAVES_OUT
from glintfpga.host.files.named import read_bytes, write_bytes
from glintfpga.quant.errors import GlintError, InputError
from glintfpga.quant.evaluation.sets import WHOLE_SETS
from glintfpga.quant.files.strict_json import parse_object

__all__ = ["END", "START", "built", "collect", "main", "table"]

START, END = "<!-- figures: make figures -->", "<!-- end of figures -->"
_ROOT = Path(__file__).parent.parent
_LONG_WINDOW = 256
_SETTINGS = ("board", "lanes", "plan", "clock_mhz", "seed")
_CELLS = ("LUT4", "BSRAM", "MULT18X18")
_SIMULATED_PEERS = (
    ("gateGPT, Virtex-5, 80 MHz, context 16, 8.7 k parameters", 80e6, 1382.3, "its README 60.6 k"),
    ("TALOS-V2, DE1-SoC, 56.25 MHz, context 16, 4.2 k", 56.25e6, 926.9, "its board 53 k"),
)
"""Clock in Hz, and the mean of the cycles from one token's start to the next one's over 300 names,
sampling on: docs/claims.md says how they were counted."""
_QUOTED_PEERS = (
    ("ZyboGPT, Zybo Z7-10, 150 MHz, context 128, 115 k", "3.1 k tokens/s", "quoted"),
    ("gateGPT, 32 copies on an Alveo U200, 300 MHz", "7 M tokens/s in all", "quoted"),
)


def built(folder: Path) -> dict[str, Any]:
    """Figures of the build in ``folder``; ``InputError`` when its files are not those of one."""
    report, manifest = (_object(folder / name) for name in ("report.json", "manifest.json"))
    try:
        timing = report["timing"]
        return {
            "build": {key: manifest[key] for key in _SETTINGS},
            "limit_mhz": float(timing["limit_mhz"]),
            "router_mhz": float(timing["router"]["limit_mhz"]),
            "multiplier_ns": float(timing["assumed"]["multiplier"]),
            **{name.lower(): dict(report["utilization"][name]) for name in _CELLS},
        }
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"the files in {str(folder)!r} are not those of a build ({error}): run make build first"
        ) from error


def _object(path: Path) -> dict[str, Any]:
    try:
        return parse_object(read_bytes(path, what="report of the build"))
    except InputError as error:
        raise InputError(f"{str(path)!r}: {error}: make it again") from error


def collect(build: dict[str, Any]) -> dict[str, Any]:
    """All figures but the perplexities, as plain JSON values; ``build`` is from `built`."""
    from dataclasses import replace

    from glintfpga.firmware.blink.image import Image
    from glintfpga.firmware.blink.schedule import step_cycles
    from glintfpga.host.console.progress import counting
    from glintfpga.host.device.bench import POSITIONS, STEPS, bench, cycles_at
    from glintfpga.host.device.connect import open_connection
    from glintfpga.host.models import image_of
    from support.c_model import tokens_per_second

    image = image_of(None)
    spec, lanes = image.model.spec, build["build"]["lanes"]
    with open_connection("sim:") as connection:
        with counting("bench", STEPS) as show:
            simulated = bench(connection.client, how="simulated", tokens=2000, progress=show)
        with counting(f"cycles of window {_LONG_WINDOW}"):
            long = replace(image.model, spec=replace(spec, window=_LONG_WINDOW))
            connection.client.load(Image.from_model(long).data)
            long_cycles = {str(p): cycles_at(connection.client, p) for p in POSITIONS}
    with tempfile.TemporaryDirectory() as folder, counting("the same on a processor core"):
        path = Path(folder) / "model.glint"
        path.write_bytes(image.data)
        cpu = tokens_per_second(path, lanes=lanes)
    return {
        **build,
        "cycles": {k: v["value"] for k, v in simulated["cycles_per_token"].items()},
        "cycles_window_256": long_cycles,
        "steps": step_cycles(spec, lanes, _LONG_WINDOW),
        "prefill_cycles": simulated["prefill"]["cycles_per_token"]["value"],
        "first_byte_s": simulated["first_byte"]["seconds"]["value"],
        "wire": {
            baud: entry["reached"]["value"]
            for baud, entry in simulated["tokens_per_second_wire"].items()
        },
        "cpu_tokens_per_second": cpu,
    }


def perplexities(folder: Path, lanes: int) -> dict[str, dict[str, float]]:
    """Byte-perplexity float and fixed on the text files of ``folder``, 256-byte windows.

    And how many bytes each has.
    """
    from glintfpga.host.console.progress import counting
    from glintfpga.host.models import image_of, read_float_model
    from glintfpga.quant.blink.scorers import FixedScorer, FloatScorer
    from glintfpga.quant.evaluation.perplexity import windows
    from glintfpga.quant.files.text import read_text

    fixed = FixedScorer(image_of(None).model, lanes=lanes)
    exact = FloatScorer(read_float_model(None))
    result = {}
    for name in ("wikitext2-valid", "wikitext2-test", "train-heldout"):
        text = read_text(folder / f"{name}.txt.xz")
        with counting(f"perplexity of {name}"):
            result[name] = {
                "float": windows(exact, text, benchmark=name, numerics="float").value,
                "fixed": windows(fixed, text, benchmark=name, numerics="fixed").value,
                "bytes": len(text),
            }
    return result


def table(figures: dict[str, Any]) -> str:
    """The figures as a Markdown table, each with how it was got."""
    build, clock_hz = figures["build"], figures["build"]["clock_mhz"] * 1e6
    cycles, long = figures["cycles"], figures["cycles_window_256"]
    shares = figures["steps"]
    total = sum(shares.values())
    lut, ram, dsp = figures["lut4"], figures["bsram"], figures["mult18x18"]

    def at(counts: dict[str, int]) -> str:
        return " / ".join(str(counts[p]) for p in ("1", "16", "64", "256"))

    rows = [
        ("cycles per token at position 1 / 16 / 64 / 256", at(cycles), "simulated"),
        ("the same with a window of 256", at(long), "simulated"),
        (
            "of these (window 8): " + ", ".join(shares),
            " / ".join(f"{100 * count / total:.0f} %" for count in shares.values()),
            "schedule",
        ),
        (
            f"clock; what every path allows ({build['lanes']} lanes, seed {build['seed']})",
            f"{build['clock_mhz']:g} MHz; {figures['limit_mhz']:.1f} MHz",
            (
                "computed from the chip database, slow corner; a multiplier is assumed to take "
                f"{figures['multiplier_ns']:g} ns"
            ),
        ),
        (
            "the same as the router reports it",
            f"{figures['router_mhz']:.1f} MHz",
            f"from nextpnr, without {ROUTER_LEAVES_OUT}",
        ),
        (
            "tokens per second on the chip, sampling and CRC on",
            f"{clock_hz / cycles['256']:,.0f}",
            "computed: clock / simulated cycles",
        ),
        (
            "the same, window 256 full",
            f"{clock_hz / long['256']:,.0f}",
            "computed",
        ),
        (
            "tokens per second over the wire, 115,200 / 3,000,000 baud",
            " / ".join(f"{rate:,.0f}" for rate in figures["wire"].values()),
            "simulated",
        ),
        ("prompt, cycles per token", f"{figures['prefill_cycles']:.0f}", "simulated"),
        ("time to first byte, 3 Mbaud", f"{figures['first_byte_s'] * 1e6:.0f} us", "simulated"),
        (
            "LUT4 / block RAM / MULT18X18",
            " / ".join(f"{i['used']:,} of {i['available']:,}" for i in (lut, ram, dsp)),
            "from nextpnr",
        ),
    ]
    for name, value in figures.get("perplexity", {}).items():
        loss = 100 * (value["fixed"] / value["float"] - 1)
        rows.append(
            (
                f"byte-perplexity, {_part(name, value['bytes'])}, float / fixed point",
                f"{value['float']:.3f} / {value['fixed']:.3f} (+{loss:.2f} %)",
                "measured, 256-byte windows",
            )
        )
    rows.append(
        (
            "one CPU core, one stream, the same integers in C (`firmware/blink/blink.c`)",
            f"{figures['cpu_tokens_per_second']:,.0f} tokens/s",
            "measured on a shared x86-64 server core",
        )
    )
    rows += [
        (
            name,
            f"{peer_hz / cycles:,.0f} tokens/s",
            f"computed: clock / simulated cycles; quoted: {other}",
        )
        for name, peer_hz, cycles, other in _SIMULATED_PEERS
    ]
    rows += _QUOTED_PEERS
    lines = ["| | | how |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def _part(name: str, size: int) -> str:
    """A text's name, with how much of the public set it is where it is not the whole."""
    total, _ = WHOLE_SETS.get(name, (size, ""))
    return name if size == total else f"{name} ({size / total:.0%} of the set)"


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=_ROOT / "build" / "tangnano20k")
    parser.add_argument("--eval", type=Path, help="folder with wikitext2-valid.txt.xz and others")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        print(_renewed(arguments.build, arguments.eval))
    except GlintError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _renewed(build: Path, texts: Path | None) -> str:
    """The table, after writing it and its figures."""
    store, readme = _ROOT / "docs" / "figures.json", _ROOT / "README.md"
    facts = built(build)
    before, rest = readme.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    figures = collect(facts)
    if texts:
        figures["perplexity"] = perplexities(texts, facts["build"]["lanes"])
    elif store.exists():
        figures["perplexity"] = _object(store).get("perplexity", {})
    write_bytes(store, (json.dumps(figures, indent=2) + "\n").encode())
    write_bytes(readme, f"{before}{START}\n{table(figures)}\n{END}{after}".encode())
    return table(figures)


if __name__ == "__main__":
    raise SystemExit(main())
