# SPDX-License-Identifier: MIT
"""A `Netlist` as Verilog, and a short run of it in Icarus: a second opinion on ``lanes.cpp``."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.sim.proof.netlist import Cell, Netlist
from glintfpga.sim.proof.tables import Tables

__all__ = ["icarus_vectors", "verilog_text"]

_BITS = {"LUT4": 16, "ALU": 16, "RAM16": 16, "BSRAM": 18432}
_IN_BUS = {"ADA": 11, "ADB": 11, "DIA": 36, "DIB": 36}
_DRIVEN = ("F", "O", "SUM", "COUT", "Q", "DOUT", "DO", "DOA", "DOB")

_TOP = """
module chip(input clock, input [{inputs}:0] given, input floating, output [{outputs}:0] taken);
{nets}
assign n0 = 0;
assign n1 = 1;
assign n2 = floating;
{assigns}
{cells}
endmodule
"""


def verilog_text(netlist: Netlist) -> str:
    """Module ``chip``: ``given`` and ``taken`` are the inputs and outputs, in order, LSB first.

    ``clock`` drives the net that most registers have for a clock; PLLs have locked.
    """
    tables = Tables(netlist)
    given = [net for nets in netlist.inputs.values() for net in nets]
    taken = [net for nets in netlist.outputs.values() for net in nets]
    assigns = [f"assign n{tables.clock} = clock;"]
    assigns += [f"assign n{net} = 1;" for net in tables.locks]
    assigns += [
        f"assign n{net} = given[{at}];" for at, net in enumerate(given) if net != tables.clock
    ]
    assigns += [f"assign taken[{at}] = n{net};" for at, net in enumerate(taken)]
    driven = {net for cell in netlist.cells for port in _DRIVEN for net in cell.ports.get(port, ())}
    driven |= {0, 1, 2, tables.clock, *tables.locks, *given}
    read = {net for cell in netlist.cells for nets in cell.ports.values() for net in nets}
    assigns += [f"assign n{net} = 0;" for net in sorted((read | set(taken)) - driven)]
    nets = sorted(read | driven | set(taken))
    return _TOP.format(
        inputs=max(len(given) - 1, 0),
        outputs=max(len(taken) - 1, 0),
        nets="\n".join(f"wire n{net};" for net in nets),
        assigns="\n".join(assigns),
        cells="\n".join(_instances(netlist)),
    )


def _instances(netlist: Netlist) -> Iterator[str]:
    for number, cell in enumerate(netlist.cells):
        if cell.kind == "PLL":
            continue
        facts = dict(cell.parameters)
        if cell.kind == "MULT":
            del facts["ASYNC"]
        values = list(facts.items())
        parameters = ", ".join(f".{name}({_number(cell, name, value)})" for name, value in values)
        pins = ", ".join(f".{port}({_bus(port, nets)})" for port, nets in cell.ports.items())
        header = f"#({parameters}) " if parameters else ""
        yield f"GLINT_{cell.kind} {header}c{number} ({pins});"


def _number(cell: Cell, name: str, value: int) -> str:
    bits = 36 if name.startswith("START") else 32
    bits = _BITS.get(cell.kind, 32) if name.startswith("INIT") else bits
    return f"{bits}'h{value:x}"


def _bus(port: str, nets: Sequence[int]) -> str:
    if not nets:
        return ""
    padding = _IN_BUS.get(port, 0) - len(nets)
    names = ["1'b0"] * padding + [f"n{net}" for net in reversed(nets)]
    return names[0] if len(names) == 1 else "{" + ", ".join(names) + "}"


_VECTORS = """
module bench;
  reg clock = 0;
  reg [{inputs}:0] given = 0;
  wire [{outputs}:0] taken;
  reg [{inputs}:0] rows [0:{count}];
  integer cycle;
  chip chip(.clock(clock), .given(given), .floating(1'b{floating}), .taken(taken));
  initial begin
    $readmemh("rows.hex", rows);
    for (cycle = 0; cycle < {count}; cycle = cycle + 1) begin
      given = rows[cycle];
      #1; clock = 1; #1; clock = 0; #1;
      $display("%h", taken);
    end
    $finish;
  end
endmodule
"""


def icarus_vectors(netlist: Netlist, rows: Sequence[int], *, floating: int = 0) -> list[int]:
    """The outputs after each clock, given the inputs before it; both as one number."""
    bench = _VECTORS.format(
        inputs=len(_pins(netlist.inputs)) - 1,
        outputs=len(_pins(netlist.outputs)) - 1,
        count=len(rows),
        floating=floating,
    )
    with tempfile.TemporaryDirectory() as folder:
        text = "".join(f"{row:x}\n" for row in [*rows, 0])
        Path(folder, "rows.hex").write_text(text, encoding="utf-8")
        lines = _simulate(Path(folder), verilog_text(netlist) + bench, 600.0)
    return [int(line, 16) for line in lines if line and "finish" not in line]


def _pins(pads: Mapping[str, tuple[int, ...]]) -> list[str]:
    return [name for name, nets in pads.items() for _ in nets]


def _simulate(folder: Path, text: str, timeout_s: float) -> list[str]:
    if shutil.which("iverilog") is None:
        raise EnvironmentProblem("Icarus is not installed; run: apt install iverilog")
    models = resources.files("glintfpga.sim.proof").joinpath("models.v").read_text("utf-8")
    (folder / "chip.v").write_text(models + text, encoding="utf-8")
    commands = (["iverilog", "-g2012", "-o", "chip.vvp", "chip.v"], ["vvp", "-n", "chip.vvp"])
    try:
        for command in commands:
            done = subprocess.run(
                command,
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout_s,
            )
            if done.returncode:
                first = (done.stderr.splitlines() or ["?"])[0]
                raise EnvironmentProblem(f"{command[0]} failed: {first!r}")
    except subprocess.TimeoutExpired:
        raise EnvironmentProblem(
            f"Icarus was not done after {timeout_s:g} s; ask for fewer cycles"
        ) from None
    return done.stdout.splitlines()
