# SPDX-License-Identifier: MIT
"""Routes the designs of lut-timing-gap.md three times each and prints what the router reports:
``python docs/lut_timing_gap.py``."""

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from glintfpga.boards.toolchain import NEXTPNR, YOSYS

__all__ = ["CASES", "designs", "fmax_mhz", "with_lut4", "with_through_luts"]

PAGE = Path(__file__).with_name("lut-timing-gap.md")
PART, CHIP = "GW2AR-LV18QN88C8/I7", "GW2A-18C"
PINS = 'IO_LOC "clk" 4;\nIO_LOC "d" 70;\nIO_LOC "q" 15;\n'

_DESIGN = re.compile(r"^```verilog\n// ([^\n]+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

Netlist = dict[str, Any]


def designs() -> dict[str, str]:
    """Verilog by name, from the page."""
    return dict(_DESIGN.findall(PAGE.read_text(encoding="utf-8")))


def with_lut4(netlist: Netlist) -> None:
    """Write LUT1, LUT2 and LUT3 as LUT4."""
    for cell in netlist["modules"]["top"]["cells"].values():
        if cell["type"] in ("LUT1", "LUT2", "LUT3"):
            table = cell["parameters"]["INIT"]
            cell["parameters"]["INIT"] = table * (16 // len(table))
            cell["type"] = "LUT4"


def with_through_luts(netlist: Netlist) -> None:
    """`with_lut4`, and a LUT4 in front of each register whose D is no LUT's or carry cell's."""
    with_lut4(netlist)
    cells = netlist["modules"]["top"]["cells"]
    driver = {
        bit: cell["type"]
        for cell in cells.values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "output"
        for bit in bits
    }
    registers = [
        (name, cell)
        for name, cell in cells.items()
        if cell["type"].startswith("DFF")
        and driver.get(cell["connections"]["D"][0]) not in ("LUT4", "ALU")
    ]
    for number, (name, cell) in enumerate(registers, 1 + max(driver)):
        cells[f"{name}_through"] = {
            "type": "LUT4",
            "parameters": {"INIT": "1" * 8 + "0" * 8},
            "attributes": {},
            "port_directions": {"I3": "input", "F": "output"},
            "connections": {"I3": cell["connections"]["D"], "F": [number]},
        }
        cell["connections"]["D"] = [number]


CASES: dict[str, Callable[[Netlist], None]] = {
    "as is": lambda netlist: None,
    "LUT4": with_lut4,
    "and through": with_through_luts,
}


def fmax_mhz(verilog: str, change: Callable[[Netlist], None]) -> float | None:
    """The clock that the router reports for a design; None where it sees no path."""
    with tempfile.TemporaryDirectory(prefix="glintfpga-") as name:
        folder = Path(name)
        (folder / "top.v").write_text(verilog, encoding="utf-8")
        (folder / "top.cst").write_text(PINS, encoding="utf-8")
        script = "read_verilog top.v; synth_gowin -family gw2a -nowidelut -nodsp -top top"
        YOSYS.run(["-p", f"{script} -json top.json"], folder=folder, log=folder / "synth.log")
        netlist = json.loads((folder / "top.json").read_text(encoding="utf-8"))
        change(netlist)
        (folder / "top.json").write_text(json.dumps(netlist), encoding="utf-8")
        arguments = [
            *("--device", PART, "--vopt", f"family={CHIP}", "--vopt", "cst=top.cst"),
            *("--freq", "54", "--seed", "1", "--json", "top.json", "--report", "report.json"),
        ]
        NEXTPNR.run(arguments, folder=folder, log=folder / "route.log")
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return min((clock["achieved"] for clock in report["fmax"].values()), default=None)


def main() -> None:
    print(f"{'MHz reported':<14}" + "".join(f"{case:>14}" for case in CASES))
    for name, verilog in designs().items():
        reached = [fmax_mhz(verilog, change) for change in CASES.values()]
        shown = ["no path" if mhz is None else f"{mhz:.2f}" for mhz in reached]
        print(f"{name:<14}" + "".join(f"{each:>14}" for each in shown), flush=True)


if __name__ == "__main__":
    main()
