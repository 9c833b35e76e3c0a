# SPDX-License-Identifier: MIT
"""The gateware as Verilog in Icarus, with cocotb tests in the simulator's own Python."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from amaranth.back import verilog
from amaranth.lib import wiring
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from glintfpga.quant.errors import DeviceError, EnvironmentProblem

__all__ = ["run_cocotb"]

_TRIGGER = re.compile(r"reg (\\\$auto\$verilog_backend\S+ ) = 0;")


def run_cocotb(
    component: wiring.Component, *, module: str, folder: Path, env: Mapping[str, str]
) -> int:
    """Export ``component`` as module ``top``, run the cocotb tests of a Python module against it.

    Everything is written below ``folder``; ``env`` is added to the environment of the tests.
    Returns the number of tests. Raises ``DeviceError`` when one fails, with the log's name, and
    ``EnvironmentProblem`` without Icarus.
    """
    text = verilog.convert(component, name="top", emit_src=False, strip_internal_attrs=True)
    if shutil.which("iverilog") is None:
        raise EnvironmentProblem("no Icarus Verilog; apt install iverilog")
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "top.v"
    # Icarus runs an `always @*` only once an input changes, and some never do. Yosys makes all of
    # a module read one variable for that; here it does change, at time 0.
    source.write_text(_TRIGGER.sub(r"\g<0> initial \1 <= 1;", text), encoding="utf-8")
    runner = get_runner("icarus")
    # Amaranth writes no timescale, and without one a Timer cannot count picoseconds.
    runner.build(
        sources=[source],
        hdl_toplevel="top",
        build_dir=folder,
        timescale=("1ns", "1ps"),
        always=True,
        log_file=folder / "build.log",
    )
    log = folder / "test.log"
    try:
        results = runner.test(
            test_module=module,
            hdl_toplevel="top",
            build_dir=folder,
            test_dir=folder,
            extra_env=dict(env),
            log_file=log,
        )
    except SystemExit as error:  # how the runner reports a failed test
        raise DeviceError(f"cocotb tests failed; see {str(log)!r}") from error
    tests, failed = get_results(results)
    if failed or not tests:
        raise DeviceError(f"{failed} of {tests} cocotb tests failed; see {str(log)!r}")
    return int(tests)
