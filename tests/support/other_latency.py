# SPDX-License-Identifier: MIT
"""Other multiplier cycles than those of `glintfpga.firmware.blink.latency`, for a whole process.

A plugin of pytest: with ``ROW_LATENCY=DOT=2,SCALE=2`` in the environment, all that is imported
after it is built for these.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec, module_from_spec
from pathlib import Path

__all__ = ["run_tests"]

_MODULE = "glintfpga.firmware.blink.latency"
_SETTING = "ROW_LATENCY"
_TESTS = Path(__file__).parent.parent


def _install(cycles: Mapping[str, int]) -> None:
    """Import the module as if its file had these numbers."""
    spec = find_spec(_MODULE)
    assert spec is not None and spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    for name, number in cycles.items():
        source, found = re.subn(rf"^{name} = \d+$", f"{name} = {number}", source, flags=re.M)
        assert found == 1, name
    module = module_from_spec(spec)
    exec(compile(source, spec.origin, "exec"), module.__dict__)
    sys.modules[_MODULE] = module


def run_tests(cycles: Mapping[str, int], *tests: str) -> str:
    """What pytest prints about tests (below ``tests``) in a process with these cycles."""
    path = os.pathsep.join([str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    setting = ",".join(f"{name}={number}" for name, number in cycles.items())
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-p", "support.other_latency", *tests),
        ],
        env=os.environ | {"PYTHONPATH": path, _SETTING: setting},
        cwd=_TESTS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


if _SETTING in os.environ:
    _install(
        {
            name: int(number)
            for name, _, number in (each.partition("=") for each in os.environ[_SETTING].split(","))
        }
    )
