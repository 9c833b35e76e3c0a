# SPDX-License-Identifier: MIT
"""The stage with the vendor's models: with a library of ours in its place, and what is none."""

import random
import shutil
from importlib import resources

import pytest

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.netlist import icarus
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim, Recording
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Cell, Netlist
from glintfpga.sim.gowin.netlist.second_opinion import compare_icarus
from glintfpga.sim.gowin.netlist.vendor import vendor_models, vendor_modules

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus")
CYCLES = 1200
LINES = {9: 11, 18: 10, 36: 9}
SHAPES = [(9, 0), (18, 0), (36, 0), (9, 9), (18, 18), (9, 18), (36, 36), (36, 9), (18, 36)]

_ROWS = [f"INIT_RAM_{row:02X}" for row in range(64)]
_MULT = """
module MULT{w}X{w} #(parameter AREG = 0, BREG = 0, PIPE_REG = 0, OUT_REG = 0)
  (input [{w}-1:0] A, B, SIA, SIB, input ASEL, BSEL, ASIGN, BSIGN, CLK, CE, RESET,
   output [2*{w}-1:0] DOUT);
  wire reset = RESET | ~GSR.GSRO;
  OUR_MULT #(.WIDTH({w}), .AREG(AREG), .BREG(BREG), .PIPE_REG(PIPE_REG), .OUT_REG(OUT_REG))
    our(.A(A), .B(B), .ASIGN(ASIGN), .BSIGN(BSIGN), .CLK(CLK), .CE(CE), .RESET(reset), .DOUT(DOUT));
endmodule
"""
_SMALL = """
module GSR (input GSRI); /* as the
  vendor's */ wire GSRO = GSRI; endmodule
module RAM16SDP4 #(parameter [15:0] INIT_0 = 0, INIT_1 = 0, INIT_2 = 0, INIT_3 = 0)
  (input [3:0] DI, WAD, RAD, input WRE, CLK, output [3:0] DO);
  OUR_RAM16 #(.INIT_0(INIT_0), .INIT_1(INIT_1), .INIT_2(INIT_2), .INIT_3(INIT_3))
    our(.DI(DI), .WAD(WAD), .RAD(RAD), .WRE(WRE), .CLK(CLK), .DO(DO));
endmodule
module unused; initial $fopen("inductive_clauses"); endmodule
"""
_LOAD = """
    for (a = 0; a < 64; a = a + 1) begin  // single bytes of so many bits take long
      row = INIT[288*a +: 288];
      for (b = 0; b < 32; b = b + 1) bytes[32*a+b] = row[9*b +: 9];
    end
"""
_MEMORIES = """
module SPX9 #(parameter BIT_WIDTH = 36, WRITE_MODE = 0, {rows})
  (input CLK, CE, OCE, RESET, WRE, input [2:0] BLKSEL, input [13:0] AD, input [35:0] DI,
   output [35:0] DO);
  OUR_BSRAM #(.WIDTH_A(BIT_WIDTH), .MODE_A(WRITE_MODE), .INIT({all}))
    our(.CLKA(CLK), .CEA(CE & OCE), .WREA(WRE), .ADA(AD >> (BIT_WIDTH / 16 + 3)), .DIA(DI),
        .DOA(DO));
endmodule
module DPX9B #(parameter BIT_WIDTH_0 = 18, BIT_WIDTH_1 = 18, WRITE_MODE0 = 0, WRITE_MODE1 = 0,
               {rows})
  (input CLKA, CEA, CLKB, CEB, OCEA, OCEB, RESETA, RESETB, WREA, WREB, input [2:0] BLKSELA, BLKSELB,
   input [13:0] ADA, ADB, input [17:0] DIA, DIB, output [17:0] DOA, DOB);
  OUR_BSRAM #(.WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .MODE_A(WRITE_MODE0),
              .MODE_B(WRITE_MODE1), .INIT({all}))
    our(.CLKA(CLKA), .CEA(CEA), .WREA(WREA), .ADA(ADA >> (BIT_WIDTH_0 / 16 + 3)), .DIA(DIA),
        .CLKB(CLKB), .CEB(CEB), .WREB(WREB), .ADB(ADB >> (BIT_WIDTH_1 / 16 + 3)), .DIB(DIB),
        .DOA(DOA), .DOB(DOB));
endmodule
module SDPX9B #(parameter BIT_WIDTH_0 = 36, BIT_WIDTH_1 = 36, {rows})
  (input CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB, input [2:0] BLKSELA, BLKSELB,
   input [13:0] ADA, ADB, input [35:0] DI, output [35:0] DO);
  OUR_BSRAM #(.WIDTH_A(BIT_WIDTH_0), .WIDTH_B(BIT_WIDTH_1), .INIT({all}))
    our(.CLKA(CLKA), .CEA(CEA), .WREA(1'b1), .ADA(ADA >> (BIT_WIDTH_0 / 16 + 3)), .DIA(DI),
        .CLKB(CLKB), .CEB(CEB), .WREB(1'b0), .ADB(ADB >> (BIT_WIDTH_1 / 16 + 3)), .DOB(DO));
endmodule
"""


@pytest.fixture
def library(tmp_path):
    """A library of ours with the vendor's names: models.v, behind the vendor's ports."""
    models = resources.files("glintfpga.sim.gowin.netlist").joinpath("models.v").read_text("utf-8")
    models = models.replace("GLINT_", "OUR_").replace('INIT = ""', "[18431:0] INIT = 0")
    models = models.replace("$readmemh(INIT, bytes);", _LOAD)
    models = models.replace("initial", "reg [287:0] row; initial")
    rows = "parameter [287:0] " + ", ".join(f"{row} = 0" for row in _ROWS)
    memories = _MEMORIES.replace("{rows}", rows)
    memories = memories.replace("{all}", "{" + ", ".join(reversed(_ROWS)) + "}")
    path = tmp_path / "prim_sim.v"
    path.write_text(models + _SMALL + _MULT.format(w=9) + _MULT.format(w=18) + memories)
    return path


def memories(chip, seed):
    """The netlist with block RAMs of all shapes that share its nets; port B reads odd rows."""
    numbers = random.Random(seed)
    known = [net for cell in chip.cells if "Q" in cell.ports for net in cell.ports["Q"]]
    known += chip.inputs["data"]
    top, cells = 100_000, []
    for number, (width_a, width_b) in enumerate(SHAPES):
        semi = width_b and 36 in (width_a, width_b)
        ports, values = {}, {"INIT": numbers.getrandbits(18432)}
        for side, width in (("A", width_a), ("B", width_b)):
            values |= {f"WIDTH_{side}": width, f"MODE_{side}": 0 if semi else numbers.randrange(3)}
            if not width:
                continue
            few = tuple(numbers.choices((*known, LOW), k=LINES[width] - 9))
            top_bit = LOW if side == "A" else HIGH
            ports |= {f"CLK{side}": (3,), f"CE{side}": (numbers.choice(known),)}
            ports[f"AD{side}"] = (*few, *numbers.choices(known, k=3), *(LOW,) * 5, top_bit)
            ports[f"WRE{side}"] = (LOW,)
            if side == "A":
                ports["WREA"] = (HIGH,) if semi else (numbers.choice(known),)
                ports["DIA"] = tuple(numbers.choices(known, k=width))
            if side == "B" or not semi:
                ports[f"DO{side}"] = tuple(range(top, top + width))
                top += width
        cells.append(Cell("BSRAM", f"memory{number}", ports, values))
    return Netlist((*chip.cells, *cells), chip.inputs, chip.outputs, {})


def line(seed):
    import numpy as np

    edges = np.flatnonzero(np.random.default_rng(seed).integers(0, 3, CYCLES) == 0)
    return Recording(edges.astype(np.uint64), np.zeros(0, np.uint64), CYCLES)


@needs_icarus
@pytest.mark.parametrize("seed", range(3))
def test_every_wrapper_in_a_random_netlist(random_netlist, library, seed):
    kinds = ("LUT4", "DFF", "MULT", "RAM16")
    chip = memories(random_netlist(seed, count=120, kinds=kinds), seed)
    found = {cell.kind for cell in chip.cells}
    assert found == {"LUT4", "DFF", "MULT", "RAM16", "BSRAM"}
    sim = BitParallelSim(chip, clk_hz=1e6, rx="data", tx="out")
    result = compare_icarus(sim, line(seed), CYCLES, rx="data", library=library)
    assert (result.difference, result.cycles) == (None, CYCLES)


@needs_icarus
@pytest.mark.parametrize(
    ("module", "other"),
    [("OUR_MULT", ".CE(1'b1)"), ("OUR_BSRAM", ".INIT(~{"), ("OUR_RAM16", ".RAD(~RAD)")],
)
def test_a_library_that_computes_something_else_is_a_difference(
    random_netlist, library, module, other
):
    text = library.read_text()
    was = {".CE(1'b1)": ".CE(CE)", ".INIT(~{": ".INIT({", ".RAD(~RAD)": ".RAD(RAD)"}[other]
    assert was in text
    library.write_text(text.replace(was, other))
    chip = memories(random_netlist(1, count=120, kinds=("LUT4", "DFF", "MULT", "RAM16")), 1)
    sim = BitParallelSim(chip, clk_hz=1e6, rx="data", tx="out")
    found = compare_icarus(sim, line(1), CYCLES, rx="data", library=library).difference
    kind = module.removeprefix("OUR_")
    names = {"BSRAM": "memory"}.get(kind, kind)
    assert any(signal.startswith(names) for signal in found.signals)


def test_only_what_is_named_is_taken(library):
    text = vendor_modules(library, ["MULT9X9"])
    for name in ("MULT9X9", "OUR_MULT", "GSR"):
        assert f"module {name} " in text
    assert "MULT18X18" not in text and "$" not in text and "as the" not in text


@pytest.mark.quick
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read"),
        (b"", "has no module 'GSR'"),
        (bytes(range(256)) * 99, "has no module 'GSR'"),
        (b"module GSR (GSRI);", "has no module 'GSR'"),
        (b"/* module GSR; endmodule", "has no module 'GSR'"),
        (b"// module GSR; endmodule\n" * 9, "has no module 'GSR'"),
        (b'module GSR; initial $fopen("x"); endmodule', r"calls '\$fopen'"),
        (b'module GSR;\n`include "/etc/passwd"\nendmodule', "calls '`include'"),
        (b" " * (9 << 20), "too large"),
        (b"module GSR (" * 100_000, "has no module 'GSR'"),
        (b"/*" * (1 << 20), "has no module 'GSR'"),
    ],
)
def test_what_is_no_library(tmp_path, content, said):
    path = tmp_path / "prim_sim.v"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said) as error:
        vendor_models(path, Netlist((), {}, {}, {}))
    assert "\n" not in str(error.value) and "gw2a/prim_sim.v" in str(error.value)


def test_a_folder_and_a_device_are_no_library(tmp_path):
    for path in (tmp_path, tmp_path.__class__("/dev/zero")):
        with pytest.raises(InputError, match="is no file"):
            vendor_modules(path, ["GSR"])


@needs_icarus
def test_a_library_that_does_not_compile(random_netlist, library):
    text = library.read_text()
    library.write_text(text.replace("module RAM16SDP4", "module RAM16SDP4 (syntax"))
    chip = random_netlist(1, kinds=("LUT4", "DFF", "RAM16"))
    with (
        pytest.raises(InputError, match="prim_sim.v' cannot be simulated: iverilog failed"),
        icarus.icarus_run(chip, [], [], 1, library=library),
    ):
        pass


@needs_icarus
def test_a_library_that_never_ends(random_netlist, library, monkeypatch):
    monkeypatch.setattr(icarus, "SILENCE_S", 1.0)
    text = library.read_text()
    spin = "initial begin : spin integer n; n = 0; while (n < 1) n = 0; end\n"
    library.write_text(text.replace("wire GSRO", f"{spin} wire GSRO"))
    chip = random_netlist(1, kinds=("LUT4", "DFF", "MULT"))
    with icarus.icarus_run(chip, [], [], 1, library=library) as run:
        assert len(run.lines(1)) == 0


def test_a_block_ram_without_a_wrapper(library):
    sizes = {"WIDTH_A": 16, "MODE_A": 0, "WIDTH_B": 0, "MODE_B": 0, "INIT": 0}
    chip = Netlist((Cell("BSRAM", "words", {}, sizes),), {}, {}, {})
    with pytest.raises(InputError, match="'words' is 16 columns wide"):
        vendor_models(library, chip)
