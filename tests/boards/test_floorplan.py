# SPDX-License-Identifier: MIT
import re
from collections import Counter
from pathlib import Path

import pytest
from amaranth.hdl import Fragment

from glintfpga.boards import floorplan as module
from glintfpga.boards.floorplan import block_of, floorplan
from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.hdl.device import Device
from glintfpga.hdl.row.machine import RowMachine

FLOOR = TANGNANO20K.floor
CORE = "device.machine.core"


def cell(kind, bel):
    return {"type": kind, "attributes": {"NEXTPNR_BEL": bel} if bel else {}}


CELLS = {
    f"{CORE}.norm.a_LUT4_F": cell("LUT4", "X2Y3/LUT0"),
    f"{CORE}.norm.b_LUT3_F": cell("LUT3", "X2Y3/LUT7"),
    f"{CORE}.norm.c_DFFRE_Q_passthrough_lut$": cell("LUT1", "X2Y3/LUT1"),
    f"{CORE}.norm.c_DFFRE_Q": cell("DFFRE", "X2Y3/DFF1"),
    f"{CORE}.lane3.d_ALU_SUM": cell("ALU", "X2Y3/ALU4"),
    f"{CORE}.lane3.dot_bank.0.1": cell("DP", "X4Y9/BSRAM"),
    f"{CORE}.lane3.dot0.dsp": cell("MULT18X18", "X1Y18/MULT18X1801"),
    f"{CORE}.lane3.dot0.part": cell("DUMMY_CELL", "X1Y18/MULT9X902"),
    "clocks.pll": cell("rPLL", "X55Y45/PLL"),
    "$PACKER_VCC_DRV": cell("GOWIN_VCC", "X0Y0/VCC"),
    "not.placed": cell("LUT4", ""),
}


@pytest.fixture
def plan_of(timing_json):
    """The floorplan of `CELLS` with a slowest path."""
    netlist = {"modules": {"top": {"cells": CELLS}}}
    return lambda **other: floorplan(netlist, timing_json(**other), TANGNANO20K)


def test_cells_are_counted_by_tile_kind_and_block(plan_of):
    plan = plan_of()
    found = {
        (x, y, plan["kinds"][kind], plan["blocks"][block]): count
        for x, y, kind, block, count in plan["cells"]
    }
    assert found == {
        (2, 3, "LUT", "norm"): 2,
        (2, 3, "route-through", "norm"): 1,
        (2, 3, "DFF", "norm"): 1,
        (2, 3, "ALU", "lane 3"): 1,
        (4, 9, "BSRAM", "lane 3"): 1,
        (1, 18, "MULT18X18", "lane 3"): 1,
        (55, 45, "PLL", "board"): 1,
    }
    assert (plan["columns"], plan["rows"], plan["board"]) == (56, 55, "tangnano20k")


def test_slowest_path(plan_of, timing_json):
    steps = [{"kind": "logic", "cell": f"{CORE}.norm.a_LUT4_F", "delay_ns": 1.5}]
    slow, fast = ({"from": "register", "to": "pad", "delay_ns": ns} for ns in (2.5, 1.5))
    path = plan_of(paths=[slow | {"steps": steps}, fast | {"steps": []}])["path"]
    assert path == slow | {"steps": [steps[0] | {"block": "norm"}]}


@pytest.mark.quick
@pytest.mark.parametrize(
    "name, block",
    [
        (f"{CORE}.lane0.dot_bank.0.0", "lane 0"),
        (f"{CORE}.softmax_maximum.maximum_DFFR_Q", "softmax"),
        (f"{CORE}.sampler.logit_crc.state_64", "logit CRC"),
        (f"{CORE}.sampler.argmax.best_DFFRE_Q", "sampler"),
        (f"{CORE}.score5_1_LUT4_F", "core"),
        ("device.service.hello$191.bytes.0.0", "commands"),
        ("lights.time_DFFR_Q", "board"),
        ("oscillator.buf.buf0", "board"),
    ],
)
def test_block_of_a_cell(name, block):
    assert block_of(name) == block


def modules(fragment, name):
    """Names of all modules below, with a dot behind, as cells in them begin."""
    for inner, inner_name, _ in fragment.subfragments:
        if inner_name:
            yield f"{name}.{inner_name}."
            yield from modules(Fragment.get(inner, None), f"{name}.{inner_name}")


def test_blocks_are_those_of_the_gateware():
    device = Device(RowMachine(DeviceConfig(lanes=4, clock_hz=54_000_000)))
    names = list(modules(Fragment.get(device, None), "device"))
    names.remove("device.machine.")  # has no cells of its own
    used = Counter(map(block_of, names))
    patterns = {re.sub(r" \{\}$", "", name) for _, name in module._BLOCKS}
    assert {re.sub(r" \d+$", "", name) for name in used} == patterns - {"board"}
    assert used["lane 3"] > 0 and "lane 4" not in used
    assert [name for name in names if block_of(name) == "core"] == [f"{CORE}."]


def test_floor_agrees_with_the_capacity():
    capacity = TANGNANO20K.capacity
    assert sum(map(len, FLOOR.bsram.values())) == capacity.bsram
    assert 4 * sum(map(len, FLOOR.dsp.values())) == capacity.mult18x18
    special = len(FLOOR.bsram) + len(FLOOR.dsp) + 2  # rows of pins at top and bottom
    assert 8 * (FLOOR.columns - 2) * (FLOOR.rows - special) == capacity.lut4
    for rows, width in ((FLOOR.bsram, FLOOR.BSRAM_TILES), (FLOOR.dsp, FLOOR.DSP_TILES)):
        for columns in rows.values():
            tiles = [x + i for x in columns for i in range(width)]
            assert len(set(tiles)) == len(tiles) and max(tiles) < FLOOR.columns - 1


def test_floor_agrees_with_the_chip_database():
    chipdb = pytest.importorskip("apycula.chipdb", reason="needs the build extra")
    folder = Path(chipdb.__file__).parent
    chip = chipdb.load_chipdb(str(folder / f"{TANGNANO20K.chip_database}.msgpack.xz"))
    assert (chip.cols, chip.rows) == (FLOOR.columns, FLOOR.rows)
    for name, rows in (("BSRAM", FLOOR.bsram), ("DSP", FLOOR.dsp)):
        found = {}
        for y in range(chip.rows):
            columns = tuple(x for x in range(chip.cols) if name in chip[y, x].bels)
            found |= {y: columns} if columns else {}
        assert found == dict(rows), name
