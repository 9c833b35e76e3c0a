# SPDX-License-Identifier: MIT
"""The small design through the real tools; the other tests take its bitstream as it was kept."""

import json
import re
from collections import Counter

import pytest

from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.boards.toolchain import GOWIN_PACK
from glintfpga.sim.gowin.decode.bitstream import decode
from glintfpga.sim.gowin.netlist.netlist import FLOATING

pytestmark = pytest.mark.slow

CONTENTS = re.compile(r"ram_\d+_16\.\d+\.\d+_LUT\d$")
ALL_LANES = (1 << 64) - 1
PREFIXES = {"LUT": "LUT4", "MUX2": "MUX2", "ALU": "ALU", "DFF": "DFF", "RAM16": "RAM16"}
KINDS = {"SP": "BSRAM", "DP": "BSRAM", "SDP": "BSRAM", "rPLL": "PLL"}


@pytest.fixture(scope="module")
def built(build_everything, tmp_path_factory):
    return build_everything(tmp_path_factory.mktemp("build"))


def routed_cells(netlist):
    """What the router placed, without LUTs for contents of LUT RAM and the ends of carries."""
    counts = Counter()
    for name, cell in netlist["modules"]["top"]["cells"].items():
        kind = cell["type"]
        if "DUMMY" in name or "DUMMY" in kind or CONTENTS.search(name):
            continue
        prefix = next((prefix for prefix in PREFIXES if kind.startswith(prefix)), None)
        if prefix or kind in KINDS or kind.startswith("MULT"):
            counts[PREFIXES[prefix] if prefix else KINDS.get(kind, "MULT")] += 1
    return counts


def test_follows_the_rtl(built, stimulus, rtl, run_netlist):
    bitstream, routed = built
    netlist = decode(bitstream, board=TANGNANO20K).netlist
    counts = Counter(cell.kind for cell in netlist.cells)
    assert counts == routed_cells(routed)
    for floating in (0, ALL_LANES):
        assert run_netlist(netlist, stimulus, floating=floating) == rtl


def test_without_the_repair_of_carries(built, stimulus, rtl, run_netlist, tmp_path):
    """The router's own netlist, packed as it is, depends on a carry-in that floats."""
    _, routed = built
    cells = routed["modules"]["top"]["cells"]
    heads = [
        cell
        for cell in cells.values()
        if cell["parameters"].get("CIN_NETTYPE", "").strip() == "LOGIC"
    ]
    assert heads
    for cell in heads:
        cell["parameters"]["RAW_ALU_LUT"] = f"{0x505A:032b}"
    routed_name = "top.pnr.json"
    (tmp_path / routed_name).write_text(json.dumps(routed))
    GOWIN_PACK.run(
        ["-d", TANGNANO20K.chip_database, "-o", "top.fs", routed_name, *TANGNANO20K.pack_options],
        folder=tmp_path,
        log=tmp_path / "pack.log",
    )
    netlist = decode(tmp_path / "top.fs", board=TANGNANO20K).netlist
    assert any((FLOATING,) in cell.ports.values() for cell in netlist.cells)
    low, high = (run_netlist(netlist, stimulus[:500], floating=each) for each in (0, ALL_LANES))
    assert low != high
    assert rtl[:500] != high
