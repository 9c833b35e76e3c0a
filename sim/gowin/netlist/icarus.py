# SPDX-License-Identifier: MIT
"""Runs a netlist in Icarus Verilog and reads its nets after every cycle."""

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.sim.gowin.netlist.netlist import Netlist
from glintfpga.sim.gowin.netlist.vendor import vendor_models
from glintfpga.sim.gowin.netlist.verilog import instance, memory_files, nets_of, verilog_text

__all__ = ["IcarusRun", "available", "icarus_run", "icarus_vectors"]

ELABORATION_S = 300.0
"""Icarus needs some seconds for the whole chip."""
SILENCE_S = 300.0
"""Longest time that a run may take for the lines that are read together."""

_BENCH = """
module bench;
  reg clock = 0;
  reg [{inputs}:0] given = 0;
  reg [{inputs}:0] rows [0:{count}];
  reg [63:0] when [0:{count}];
  integer cycle, next = 0;
  chip chip(.clock(clock), .given(given), .floating(1'b{floating}));
  initial begin
    $readmemh("rows.hex", rows);
    $readmemh("when.hex", when);
    for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin
      while (next < {count} && when[next] <= cycle) begin
        given = rows[next];
        next = next + 1;
      end
      #1 clock = 1; #1 chip.show; clock = 0; #1;
    end
{ends}
    $finish(0);
  end
endmodule
"""


_END = """\
    chip.{name}.save;
    $writememh("{name}.end", chip.{name}.bytes);"""


@dataclass(frozen=True)
class IcarusRun:
    """A run in progress; at its end it writes the contents of its memories to ``folder``."""

    folder: Path
    process: subprocess.Popen[bytes]
    words: int
    """Words of 64 nets in a line, one line per cycle."""

    @property
    def output(self) -> IO[bytes]:
        """Its standard output."""
        assert self.process.stdout is not None
        return self.process.stdout

    def lines(self, count: int) -> NDArray[np.uint8]:
        """The next cycles, at most ``count``, as hexadecimal digits: shape (cycles, 16 words).

        A digit may be x or z. Word ``w`` is digits ``16 w`` to ``16 w + 15``, the highest first.
        """
        size = 16 * self.words + 1
        watchdog = threading.Timer(SILENCE_S, self.process.kill)
        watchdog.start()
        try:
            data = self.output.read(count * size)
        finally:
            watchdog.cancel()
        return np.frombuffer(data, np.uint8)[: len(data) // size * size].reshape(-1, size)[:, :-1]

    def memory(self, number: int) -> int | None:
        """Contents of a block RAM after the last cycle, as INIT; None if any bit is undefined.

        ``number`` is that of the cell in `FlatNetlist.cells`.
        """
        self.output.read()
        text = (self.folder / f"{instance(number)}.end").read_text("ascii")
        digits = [line for line in text.split("\n") if line and not line.startswith("//")]
        try:
            return sum(int(line, 16) << 9 * byte for byte, line in enumerate(digits))
        except ValueError:
            return None


def available() -> bool:
    """Whether Icarus is installed."""
    return shutil.which("iverilog") is not None and shutil.which("vvp") is not None


@contextmanager
def icarus_run(
    netlist: Netlist,
    watched: Sequence[int],
    changes: Sequence[tuple[int, int]],
    cycles: int,
    *,
    floating: int = 0,
    library: Path | None = None,
) -> Iterator[IcarusRun]:
    """Start a run of ``cycles`` cycles from power-up; it is killed when the block ends.

    Parameters
    ----------
    watched:
        Nets whose values the run prints after each clock edge.
    changes:
        Pairs of a cycle and the value of all inputs from then on, as one number; 0 before the
        first.
    library:
        The vendor's simulation library: its models of multipliers and memories replace
        ``models.v``.

    Raises ``EnvironmentProblem`` without Icarus, or when it rejects the netlist, and ``InputError``
    for a file that is no such library.
    """
    if not available():
        raise EnvironmentProblem("Icarus is not installed; run: apt install iverilog")
    if library is None:
        here = resources.files("glintfpga.sim.gowin.netlist")
        models = here.joinpath("models.v").read_text("utf-8")
    else:
        models = vendor_models(library, netlist)
    memories = memory_files(netlist)
    ends = (name.removesuffix(".hex") for name in memories)
    bench = _BENCH.format(
        inputs=max(len(nets_of(netlist.inputs)) - 1, 0),
        count=len(changes),
        cycles=cycles,
        floating=floating,
        ends="\n".join(_END.format(name=name) for name in ends),
    )
    files = memories | {
        "chip.v": models + verilog_text(netlist, watched, inline=library is not None) + bench,
        "rows.hex": "".join(f"{row:x}\n" for _, row in changes) + "0\n",
        "when.hex": "".join(f"{cycle:x}\n" for cycle, _ in changes) + "0\n",
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        try:
            _elaborate(folder)
        except EnvironmentProblem as problem:
            if library is None:
                raise
            raise InputError(f"{str(library)!r} cannot be simulated: {problem}") from None
        with subprocess.Popen(
            ["vvp", "-n", "chip.vvp"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                yield IcarusRun(folder, process, (len(watched) + 63) // 64)
            finally:
                process.kill()


def _elaborate(folder: Path) -> None:
    command = ["iverilog", "-g2012", "-s", "bench", "-o", "chip.vvp", "chip.v"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=ELABORATION_S
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentProblem(
            f"Icarus has not elaborated the netlist after {ELABORATION_S:g} s"
        ) from None
    if done.returncode:
        first = next((line for line in done.stderr.splitlines() if "error" in line), "?")
        raise EnvironmentProblem(f"{command[0]} failed: {first!r}")


def icarus_vectors(
    netlist: Netlist, rows: Sequence[int], *, floating: int = 0, library: Path | None = None
) -> list[int]:
    """The outputs after each clock, given the inputs before it; both as one number, LSB first."""
    with icarus_run(
        netlist,
        nets_of(netlist.outputs),
        list(enumerate(rows)),
        len(rows),
        floating=floating,
        library=library,
    ) as run:
        lines = run.lines(len(rows))
    words = [line.tobytes().decode("ascii") for line in lines]
    return [
        sum(int(word[at : at + 16], 16) << 4 * at for at in range(0, len(word), 16))
        for word in words
    ]
