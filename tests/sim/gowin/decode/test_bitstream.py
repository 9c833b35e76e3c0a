# SPDX-License-Identifier: MIT
import json
import random
import subprocess
import sys
from collections import Counter

import pytest

from glintfpga.boards.shipped import shipped
from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.bitstream import decode
from glintfpga.sim.gowin.decode.fuses import GROUPS, LOGIC, MEMORY, MODE, ROUTING
from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH, LOW

ALL_LANES = (1 << 64) - 1
CARRY_TABLE = 0x000A
FAULTY_TABLE = 0x505A


@pytest.fixture(scope="module")
def trace(decoded, stimulus, run_netlist):
    return run_netlist(decoded.netlist, stimulus)


@pytest.mark.parametrize("output", range(8))
def test_family_follows_its_rtl(rtl, trace, outputs, output):
    """LUTs and wide muxes, carries, flip-flops, LUT RAM, block RAM, multipliers: 10,000 cycles."""
    expected = [values[output] for values in rtl]
    assert sum(expected) > len(expected) // 3
    differ = [at for at, values in enumerate(trace) if values[output] != expected[at]]
    assert not differ, f"{outputs[output]} differs first in cycle {differ[0]}"


def test_cells(decoded):
    """As many of each as the router counted, but for carry cells that drive nothing."""
    kinds = Counter(cell.kind for cell in decoded.netlist.cells)
    assert kinds == {
        "LUT4": 48 + 246 + 16 + 295 - 12,  # 12 of them hold the contents of LUT RAM
        "MUX2": 65 + 16 + 5 + 2,
        "ALU": 88 - 5,
        "DFF": 374,
        "RAM16": 3,
        "BSRAM": 7,
        "MULT": 2,
        "PLL": 1,
    }
    flops = Counter(
        tuple(cell.parameters[key] for key in ("VALUE", "ASYNC", "NEGEDGE"))
        for cell in decoded.netlist.cells
        if cell.kind == "DFF"
    )
    # DFFR and DFFRE, DFFS and DFFSE, DFFC and DFFCE, DFFP and DFFPE, DFFN
    assert flops == {(0, 0, 0): 320, (1, 0, 0): 44, (0, 1, 0): 3, (1, 1, 0): 5, (0, 0, 1): 2}
    widths = sorted(
        (cell.parameters["WIDTH_A"], cell.parameters["WIDTH_B"])
        for cell in decoded.netlist.cells
        if cell.kind == "BSRAM"
    )
    assert widths == [(9, 0), (9, 0), (9, 9), (18, 18), (18, 18), (36, 36), (36, 36)]


def test_pads_and_clock(decoded):
    inputs = {"clk27_0__io", "uart_0__rx__io", "button_0__io", "button_1__io"}
    assert set(decoded.netlist.inputs) == inputs
    leds = {f"led_{at}__io" for at in range(6)}
    assert set(decoded.netlist.outputs) == leds | {"uart_0__tx__io", "ws2812_0__io"}
    (pll,) = (cell for cell in decoded.netlist.cells if cell.kind == "PLL")
    assert pll.ports["CLKIN"] == decoded.netlist.inputs["clk27_0__io"]
    assert decoded.clock_hz == 54_000_000
    decoded.check_clock(54.0)
    with pytest.raises(InputError, match=r"^the bitstream runs at 54 MHz, its build says 27 MHz"):
        decoded.check_clock(27.0)


def head_of(decoded):
    """The carry cell that passes a signal on as the carry of its chain."""
    (head,) = (
        cell
        for cell in decoded.netlist.cells
        if cell.kind == "ALU" and cell.parameters["INIT"] == CARRY_TABLE
    )
    return head


def test_carry_without_the_repair_is_noticed(decoded, stimulus, rtl, run_netlist):
    head = head_of(decoded)
    assert FLOATING not in {net for nets in head.ports.values() for net in nets}
    places = {
        decoded.fuses.at(position).bit: position
        for position in map(tuple, decoded.fuses.positions(LOGIC).tolist())
        if decoded.fuses.at(position).what == head.name
    }
    wrong = CARRY_TABLE ^ FAULTY_TABLE
    flips = [places[bit] for bit in range(16) if wrong >> bit & 1]
    faulty = decoded.with_flips(flips).netlist
    (same,) = (cell for cell in faulty.cells if cell.name == head.name)
    assert same.parameters["INIT"] == FAULTY_TABLE
    assert same.ports["CIN"] == (FLOATING,)
    low, high = (run_netlist(faulty, stimulus[:500], floating=each) for each in (0, ALL_LANES))
    assert low != high
    assert [row[1] for row in high] != [row[1] for row in rtl[:500]]


def test_floating_inputs_do_not_matter(decoded, stimulus, trace, run_netlist):
    assert run_netlist(decoded.netlist, stimulus[:500], floating=ALL_LANES) == trace[:500]


def by_name(netlist):
    return {cell.name: cell for cell in netlist.cells}


@pytest.mark.parametrize("group", (LOGIC, MEMORY))
def test_data_fuse_is_one_bit_of_a_parameter(decoded, group):
    positions = decoded.fuses.positions(group).tolist()
    random.Random(2).shuffle(positions)
    fuses = (decoded.fuses.at(tuple(position)) for position in positions)
    cells = by_name(decoded.netlist)
    for fuse in [fuse for fuse, _ in zip((f for f in fuses if f.is_data), range(6))]:
        assert fuse.group == group
        changed = by_name(decoded.with_flips([fuse.position]).netlist)
        (name,) = {name for name in cells if cells[name] != changed[name]}
        assert name == fuse.what
        before, after = (each[name].parameters[fuse.parameter] for each in (cells, changed))
        assert before ^ after == 1 << fuse.bit


def test_two_flips_are_none(decoded):
    position = tuple(decoded.fuses.positions(LOGIC)[1000].tolist())
    again = decoded.with_flips([position]).with_flips([position])
    assert again.netlist == decoded.netlist


def test_fuses_are_told_apart(decoded):
    places = {group: set(map(tuple, decoded.fuses.positions(group).tolist())) for group in GROUPS}
    assert all(places.values())
    assert sum(map(len, places.values())) == len(set().union(*places.values()))
    for group, positions in places.items():
        for position in random.Random(3).sample(sorted(positions), 20):
            fuse = decoded.fuses.at(position)
            assert (fuse.group, fuse.position) == (group, position)
            assert fuse.is_set == bool(decoded.bitmap[position])
    assert decoded.fuses.at((0, 0)) is None
    assert len(places[LOGIC]) == 16 * (593 + 83 + 3 * 4)


@pytest.mark.parametrize("group", (MODE, ROUTING))
def test_any_flip_is_a_circuit_or_an_error(decoded, group):
    """And in most cases another circuit."""
    positions = decoded.fuses.positions(group).tolist()
    outcomes = Counter()
    for position in random.Random(4).sample(positions, 60):
        try:
            changed = decoded.with_flips([tuple(position)]).netlist
        except InputError as error:
            assert "\n" not in str(error)
            outcomes["error"] += 1
        else:
            outcomes["same" if changed == decoded.netlist else "other"] += 1
    assert outcomes["error"] > 10 and outcomes["same"] < 30, outcomes


@pytest.mark.parametrize("group", (MODE, ROUTING))
def test_alternatives_are_circuits(decoded, group):
    """Another source of a mux, or another setting of a slice, is known; most are noticed."""
    generator = random.Random(6)
    outcomes = Counter()
    places = decoded.fuses.positions(group).tolist()
    for position in generator.sample(places, 60):
        found = decoded.fuses.alternatives(tuple(position))
        if not found:
            continue
        name = generator.choice(sorted(found))
        try:
            changed = decoded.with_flips(found[name])
            assert list(found[name][0]) in places
            outcomes["same" if changed.netlist == decoded.netlist else "other"] += 1
        except InputError as error:
            # Two drivers, a long wire driven twice, a wire that nothing drives: never the fuses.
            assert "no known" not in str(error)
            outcomes["error"] += 1
    assert outcomes["other"] > 10, outcomes
    assert decoded.fuses.alternatives((0, 0)) == {}
    assert decoded.fuses.alternatives((2000, 0)) == {}


def test_unknown_fuse_is_named(decoded):
    """A tile of logic has fuses that nothing uses."""
    row, column = 20, 30
    kind = decoded.chip.kind(row, column)
    unused = next(at for at in range(kind.width * kind.height) if at not in kind.owner)
    down, right = divmod(unused, kind.width)
    position = decoded.chip.top[row] + down, decoded.chip.left[column] + right
    with pytest.raises(InputError) as error:
        decoded.with_flips([position])
    assert str(error.value).startswith(
        f"tile X30Y20 of the bitstream: the fuse in row {down}, column {right} has no known meaning"
    )


def test_contents_of_an_unused_block(decoded):
    used = {cell.name for cell in decoded.netlist.cells if cell.kind == "BSRAM"}
    assert "X46Y45_BSRAM" not in used
    position = decoded.bitmap.shape[0] - 1, decoded.chip.left[46] + 5
    with pytest.raises(InputError, match=r"^tile X46Y45 of the bitstream: contents in frame 2109"):
        _ = decoded.with_flips([position]).netlist


@pytest.mark.quick
@pytest.mark.parametrize("position", ((-1, 0), (0, -1), (2110, 0), (0, 3376)))
def test_no_such_fuse(decoded, position):
    with pytest.raises(InputError, match="^the bitstream has no fuse"):
        decoded.with_flips([position])


@pytest.mark.parametrize("keep", (0, 100, 5_000_000))
def test_cut_off(tmp_path, bitstream, keep):
    path = tmp_path / "cut.fs"
    path.write_bytes(bitstream.read_bytes()[:keep])
    with pytest.raises(InputError):
        decode(path, board=TANGNANO20K)


def test_shipped_chip():
    """Every cell that the router counted; nothing floats."""
    with shipped("tangnano20k").unpacked() as path:
        chip = decode(path, board=TANGNANO20K)
    release = shipped("tangnano20k")
    chip.check_clock(release.manifest.clock_mhz)
    kinds = Counter(cell.kind for cell in chip.netlist.cells)
    report = json.loads((release.folder / "report.json").read_text())
    used = {name: item["used"] for name, item in report["utilization"].items()}
    assert kinds["DFF"] == used["DFF"]
    assert kinds["BSRAM"] == used["BSRAM"]
    assert kinds["MULT"] == used["MULT18X18"] + used["MULT9X9"]
    # Of the carry cells the router adds one behind a chain whose last carry is not used.
    assert kinds["LUT4"] == used["LUT4"] - used["ALU"] + report["lut_route_through"]
    assert report["synthesized_cells"]["ALU"] < kinds["ALU"] <= used["ALU"]
    nets = {net for cell in chip.netlist.cells for each in cell.ports.values() for net in each}
    assert FLOATING not in nets and {LOW, HIGH} <= nets


def test_nothing_heavy_is_imported():
    check = (
        "import sys, glintfpga.sim.gowin.decode.bitstream as b; "
        "sys.exit(any(m in sys.modules for m in ('apycula', 'amaranth')))"
    )
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
