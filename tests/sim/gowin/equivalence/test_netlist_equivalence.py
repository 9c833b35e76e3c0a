# SPDX-License-Identifier: MIT
"""Two netlists of the same circuit are the same; any fault that a state can show is found."""

import random
from dataclasses import replace

import pytest

from glintfpga.sim.gowin.equivalence.fault_equivalence import Equivalence
from glintfpga.sim.gowin.equivalence.netlist_equivalence import compare_logic
from glintfpga.sim.gowin.faults.patches import Patch, Reroute, SetTable
from glintfpga.sim.gowin.netlist.flat_netlist import DFF_MODES, FlatNetlist, input_nets
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Cell, Netlist

PORTS = {
    "LUT4": ("I0", "I1", "I2", "I3"),
    "ALU": ("A", "B", "C", "D", "CIN"),
    "DFF": ("D", "CLK", "CE", "SR"),
}


def placed(netlist, seed=1):
    """The same circuit with other numbers of nets, names and order of cells; and its places."""
    numbers = random.Random(seed)
    nets = sorted({net for cell in netlist.cells for out in cell.ports.values() for net in out})
    nets += [net for pads in netlist.inputs.values() for net in pads if net not in nets]
    free = [net for net in nets if net > 2]
    moved = dict(zip(free, numbers.sample(range(3, 3 + 2 * len(free)), len(free)), strict=True))

    def of(names):
        return {name: tuple(moved.get(net, net) for net in nets) for name, nets in names.items()}

    places = {f"X{at}": cell.name for at, cell in enumerate(netlist.cells)}
    cells = [
        replace(cell, name=place, ports=of(cell.ports))
        for place, cell in zip(places, netlist.cells, strict=True)
    ]
    numbers.shuffle(cells)
    return Netlist(tuple(cells), of(netlist.inputs), of(netlist.outputs), {}), places


def compared(bitstream, netlist, places):
    return compare_logic(FlatNetlist(bitstream, loops=True), FlatNetlist(netlist), places)


def changed(netlist, at, **parameters):
    cells = list(netlist.cells)
    cells[at] = replace(cells[at], parameters=cells[at].parameters | parameters)
    return replace(netlist, cells=tuple(cells))


@pytest.mark.parametrize("seed", range(8))
def test_the_same_circuit(random_netlist, seed):
    netlist = random_netlist(seed, count=120)
    copy, places = placed(netlist)
    result = compared(copy, netlist, places)
    holding = [cell for cell in netlist.cells if cell.kind in ("DFF", "MULT", "BSRAM", "RAM16")]
    assert result.differences == ()
    assert result.cells == len(holding)
    assert result.pins == sum(len(input_nets(cell)) for cell in holding) + 40


def test_cells_that_are_missing(random_netlist):
    netlist = random_netlist(2)
    copy, places = placed(netlist)
    at = next(at for at, cell in enumerate(copy.cells) if cell.kind == "DFF")
    gone = replace(copy, cells=copy.cells[:at] + copy.cells[at + 1 :])
    place = copy.cells[at].name
    assert f"{places[place]} is not in the bitstream" in compared(gone, netlist, places).differences
    unplaced = {one: name for one, name in places.items() if one != place}
    differences = compared(copy, netlist, unplaced).differences
    assert f"{place} is not in the netlist" in differences
    assert f"{places[place]} is not in the bitstream" in differences


def test_pads_and_clocks(random_netlist):
    netlist = random_netlist(3)
    copy, places = placed(netlist)
    renamed = replace(copy, outputs={"other": copy.outputs["out"]})
    (difference,) = compared(renamed, netlist, places).differences
    assert difference.startswith("pads") and "('out', 'other', 40)" in difference
    plls = [
        Cell("PLL", name, {"CLKIN": (), "CLKOUT": ()}, {"FREQUENCY_HZ": hz})
        for name, hz in (("pll", 54_000_000), ("X9_PLL", 27_000_000))
    ]
    whole = replace(netlist, cells=(*netlist.cells, plls[0]))
    other = replace(copy, cells=(*copy.cells, plls[1]))
    (difference,) = compared(other, whole, places).differences
    assert difference.startswith("PLL") and "27000000" in difference


CLK, PAD, LOCK, FAST, Q, OUT, RESET = range(3, 10)


def locked(*, clock=FAST, source=CLK, reset=RESET, pads=("clk", "pad")):
    """A register that a PLL's lock holds, and its clock."""
    ports = {"D": (PAD,), "CLK": (clock,), "CE": (HIGH,), "SR": (reset,), "Q": (Q,)}
    not_locked = {"I0": (LOCK,), "I1": (LOW,), "I2": (LOW,), "I3": (LOW,), "F": (RESET,)}
    return Netlist(
        (
            Cell("PLL", "pll", {"CLKIN": (source,), "CLKOUT": (FAST,), "LOCK": (LOCK,)}, {}),
            Cell("DFF", "q", ports, {"VALUE": 0, "ASYNC": 1, "NEGEDGE": 0}),
            Cell("LUT4", "not locked", not_locked, {"INIT": 0x5555}),
        ),
        {pads[0]: (CLK,), pads[1]: (PAD,)},
        {"out": (Q,)},
        {},
    )


@pytest.mark.quick
@pytest.mark.parametrize(
    "change, difference",
    [
        ({}, ()),
        ({"clock": CLK}, ("clock from clk instead of CLKOUT of a PLL at ['clk']",)),
        ({"source": PAD}, ("clock from CLKOUT of a PLL at ['pad'] instead of",)),
        ({"reset": LOW}, ("q pin 3",)),
        ({"reset": PAD}, ("q pin 3",)),
        ({"reset": Q}, ("q is set or reset by what is set or reset itself", "q pin 3")),
    ],
)
def test_clock_and_lock(change, difference):
    places = {cell.name: cell.name for cell in locked().cells}
    found = compared(locked(**change), locked(), places).differences
    assert len(found) == len(difference)
    assert all(one.startswith(start) for one, start in zip(found, difference, strict=True))


def test_pads_have_a_direction():
    pair = Netlist((), {"a": (4,)}, {"b": (4,)}, {}), Netlist((), {"b": (4,)}, {"a": (4,)}, {})
    register = Cell(
        "DFF",
        "q",
        {"D": (LOW,), "CLK": (3,), "CE": (HIGH,), "SR": (LOW,), "Q": (9,)},
        {"VALUE": 0, "ASYNC": 0, "NEGEDGE": 0},
    )
    one, other = (replace(netlist, cells=(register,)) for netlist in pair)
    assert compared(one, other, {"q": "q"}).differences[0].startswith("pads [('in', 'a', 1)")


@pytest.mark.parametrize(
    "kind, port",
    [
        *(("MULT", "B"), ("BSRAM", "DIA"), ("RAM16", "RAD"), ("DFF", "CE")),
    ],
)
def test_pins(random_netlist, kind, port):
    netlist = random_netlist(4, kinds=("DFF", "BSRAM", "RAM16", "MULT", "LUT4"))
    copy, places = placed(netlist)
    at = next(at for at, cell in enumerate(copy.cells) if cell.kind == kind)
    cell = copy.cells[at]
    other = next(one for one in copy.cells if one.kind == "DFF" and one is not cell).ports["Q"]
    assert cell.ports[port][:1] != other
    wired = replace(cell, ports=cell.ports | {port: (*other, *cell.ports[port][1:])})
    cells = (*copy.cells[:at], wired, *copy.cells[at + 1 :])
    (difference,) = compared(replace(copy, cells=cells), netlist, places).differences
    assert difference.startswith(f"{cell.name} pin ")


@pytest.mark.parametrize(
    "kind, key",
    [
        *(("DFF", key) for key in DFF_MODES),
        *(("BSRAM", "INIT"), ("BSRAM", "MODE_A"), ("RAM16", "INIT_2")),
        *(("MULT", "OUT_REG"), ("MULT", "AREG")),
    ],
)
def test_parameters(random_netlist, kind, key):
    netlist = random_netlist(4, kinds=("DFF", "BSRAM", "RAM16", "MULT", "LUT4"))
    copy, places = placed(netlist)
    at = next(at for at, cell in enumerate(copy.cells) if cell.kind == kind)
    value = copy.cells[at].parameters[key] ^ 1
    differences = compared(changed(copy, at, **{key: value}), netlist, places).differences
    assert f"{copy.cells[at].name} {key}" in differences


def any_patch(netlist, numbers):
    flat = FlatNetlist(netlist)
    cell = numbers.choice([one for one in flat.cells if one.kind in PORTS])
    if cell.kind != "DFF" and numbers.randrange(2):
        table = cell.parameters["INIT"] ^ 1 << numbers.randrange(16)
        return Patch([SetTable(cell=cell.name, table=table)])
    clock = {1} if cell.kind == "DFF" else set()
    pin = numbers.choice([pin for pin in range(len(PORTS[cell.kind])) if pin not in clock])
    data = [net for one in flat.cells for net in one.ports.get("Q", ())]
    return Patch([Reroute(cell=cell.name, pin=pin, net=numbers.choice(data))])


def patched(netlist, patch):
    """The netlist that a patch makes."""
    (change,) = patch.changes
    cells = []
    for cell in netlist.cells:
        if cell.name == change.cell and isinstance(change, SetTable):
            cell = replace(cell, parameters=cell.parameters | {"INIT": change.table})
        elif cell.name == change.cell:
            port = PORTS[cell.kind][change.pin]
            cell = replace(cell, ports=cell.ports | {port: (change.net,)})
        cells.append(cell)
    return replace(netlist, cells=tuple(cells))


@pytest.mark.parametrize("seed", range(6))
def test_what_a_state_can_show_is_found(random_netlist, seed):
    """That is what a campaign says of faults which no run has shown."""
    netlist = random_netlist(seed, kinds=("LUT4", "ALU", "DFF"), count=50)
    numbers = random.Random(seed)
    flat = FlatNetlist(netlist)
    found = 0
    for _ in range(25):
        patch = any_patch(netlist, numbers)
        if not Equivalence(flat).is_equivalent(patch):
            copy, places = placed(patched(netlist, patch))
            assert compared(copy, netlist, places).differences, patch
            found += 1
    assert found >= 3
