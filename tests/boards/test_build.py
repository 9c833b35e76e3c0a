# SPDX-License-Identifier: MIT
import json
import random

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from glintfpga.boards.build import STEPS, build_design
from glintfpga.boards.catalog import board_of
from glintfpga.boards.design import Design
from glintfpga.boards.gowin.bram_patch import cells_of
from glintfpga.boards.gowin.resources import Resources
from glintfpga.boards.toolchain import YOSYS
from glintfpga.boards.top import BoardTop
from glintfpga.hdl.primitives.multiplier import Multiplier

pytestmark = pytest.mark.slow

BOARD = board_of("tangnano20k")
MEMORIES = {
    # name: width, depth, registered read, read ports
    "bank": (36, 1024, True, 1),
    "narrow": (12, 256, True, 1),
    "deep": (12, 4096, True, 1),
    "wide": (48, 512, True, 1),
    "double": (18, 512, True, 2),
    "table": (48, 16, False, 1),
    "tiny": (48, 3, False, 1),
    "odd": (20, 24, False, 1),
}
EXPECTED = Resources(mult18x18=1, bsram=10, ram16=12 + 12 + 10)


class Everything(wiring.Component):
    """Each kind of memory, a multiplier and a sum with a carry-in that is a signal."""

    rx: In(1)
    tx: Out(1)
    status: Out(StructLayout({"busy": 1, "error": 1, "failed": 1}))

    def __init__(self, seed):
        self.seed = seed
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        generator = random.Random(self.seed)
        state = Signal(120)
        m.d.sync += state.eq(Cat(self.rx, state))
        outputs = []
        for name, (width, depth, registered, ports) in MEMORIES.items():
            words = [generator.getrandbits(width) for _ in range(depth)]
            store = memory.Memory(shape=width, depth=depth, init=words)
            m.submodules[name] = store
            for port in range(ports):
                read = store.read_port(domain="sync" if registered else "comb")
                m.d.comb += read.addr.eq(state[port * 9 :])
                outputs.append(read.data)
            write = store.write_port()
            m.d.comb += [write.addr.eq(state[20:]), write.data.eq(state[40:])]
            m.d.comb += write.en.eq(state[9])
        m.submodules.multiplier = multiplier = Multiplier(a_width=12, b_width=16)
        m.d.comb += [multiplier.a.eq(state[:12]), multiplier.b.eq(state[12:28])]
        total = Signal(20)
        m.d.sync += total.eq(state[:20] + state[20:40] + state[101])
        mixed = Signal(len(Cat(outputs)))
        m.d.sync += mixed.eq(Cat(outputs))
        m.d.sync += self.tx.eq(mixed.xor() ^ multiplier.p.xor() ^ total.xor())
        m.d.comb += self.status.busy.eq(total[3])
        return m


def design(seed, *, expected=EXPECTED, clock=54.0):
    def top():
        return BoardTop(device=Everything(seed), board=BOARD, clock_mhz=clock)

    return Design(
        top=top, inputs=("test", str(seed)), expected=expected, facts={"build_id": "12345678"}
    )


def run(out, seed, **kwargs):
    told = []
    result = build_design(
        design(seed, **kwargs),
        board=BOARD,
        clock_mhz=kwargs.get("clock", 54.0),
        seed=1,
        name="test",
        out=out,
        facts={"image_sha256": str(seed)},
        progress=lambda *event: told.append(event),
    )
    return result, told


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("build")
    return out, *run(out, 1)


def cached(result):
    return {step["name"]: step["cached"] for step in result.facts["steps"]}


def test_results(built):
    out, result, told = built
    assert result.bitstream == out / "test.fs"
    assert result.facts == json.loads(result.report.read_text())
    assert result.facts["carry_heads_repaired"] >= 1
    assert set(result.facts["memories"]) == {f"top.device.{name}" for name in MEMORIES}
    timing = result.facts["timing"]
    assert timing["limit_mhz"] > 1.1 * timing["clock_mhz"] and timing["clock_mhz"] == 54.0
    assert abs(timing["router"]["difference"]) < 0.005 and timing["left_out"] == {}
    kinds = {kind for path in timing["paths"] for kind in (path["from"], path["to"])}
    assert {"register", "memory", "multiplier", "pad"} <= kinds
    assert any("source" in step for path in timing["paths"] for step in path["steps"])
    assert result.facts["luts_widened"] > 0
    assert not any(cached(result).values())
    manifest = json.loads(result.manifest.read_text())
    assert manifest["build_id"] == "12345678" and manifest["image_sha256"] == "1"
    assert manifest["clock_mhz"] == 54.0 and manifest["seed"] == 1
    assert manifest["resources"]["BSRAM"] == 10
    assert set(manifest["tools"]) == {"yosys", "nextpnr-himbaechel", "gowin_pack"}
    assert list(dict.fromkeys(event[0] for event in told)) == list(STEPS)
    fractions = [event[2] for event in told]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1.0)
    assert sum(1 for event in told if event[0] == "route") > 4


def test_other_weights_reuse_the_route_and_equal_a_direct_synthesis(built, tmp_path):
    out, first, _ = built
    result, _ = run(out, 2)
    assert cached(result) == {
        name: name in ("synth", "lut4", "route", "timing") for name in list(STEPS)[:-1]
    }

    # The same weights through synthesis, without signatures.
    plan = BOARD.platform().prepare(design(2).top(), "top", emit_src=False)
    for name in ("top.il", "top.ys"):
        (tmp_path / name).write_text(plan.files[name])
    YOSYS.run(["top.ys"], folder=tmp_path, log=tmp_path / "log")
    direct = cells_of(json.loads((tmp_path / "top.syn.json").read_text()))
    newest = max((out / "cache/carry").iterdir(), key=lambda path: path.stat().st_mtime)
    routed = cells_of(json.loads((newest / "top.pnr.json").read_text()))
    compared = 0
    for name, cell in direct.items():
        for key, value in cell["parameters"].items():
            if key.startswith("INIT_"):
                assert routed[name]["parameters"][key].strip() == value.replace("x", "0"), name
                compared += 1
    assert compared == 10 * 64 + 34 * 4
