# SPDX-License-Identifier: MIT
import copy

import pytest

from glintfpga.boards.gowin.bram_patch import cells_of
from glintfpga.boards.gowin.timing.analysis import analyze
from glintfpga.boards.gowin.timing.delays import Assumptions, Delay, Delays
from glintfpga.quant.errors import InputError


class AsTheRouter(Delays):
    """Without what the router leaves out: what hangs on a wire, and long wires."""

    def load(self, wire):
        return 0.0

    def hop(self, wire):
        found = super().hop(wire)
        return Delay(0.0, 0.0) if self.database.wire_delay.get(wire, "").startswith("LW") else found


def agree(routed, delays):
    """Every endpoint that the router reports, by its own rules."""
    timing = analyze(routed["netlist"], AsTheRouter(delays.database, part="C8/I7"))
    ours = {end.pin: end.delay_ns for end in timing.endpoints}
    ends = [end for net in routed["report"]["detailed_net_timings"] for end in net["endpoints"]]
    assert len(ends) > 40 and timing.skew_ns == 0
    # Theirs begins where the clock enters, and ends before the set-up. It has no delay for the
    # outputs of multipliers and of port B of a block RAM, so its paths begin at registers.
    clocked = next(end.pin[0] for end in timing.endpoints if end.kind == "register")
    clock = timing.wires((clocked, "CLK")).hops
    for end in ends:
        pin = (end["cell"], end["port"])
        found = clock + ours[pin]["register"] - delays.of("dff", "di_clksetpos").longest
        assert found == pytest.approx(max(end["delay"]), rel=0.005), pin


def test_agrees_with_the_router_where_it_times(routed, delays):
    agree(routed, delays)


@pytest.mark.slow
def test_agrees_with_a_new_route(routed_anew, delays):
    agree(routed_anew, delays)


def test_times_what_the_router_leaves_out(routed, delays):
    report = routed["report"]
    timed = {
        (end["cell"], end["port"])
        for net in report["detailed_net_timings"]
        for end in net["endpoints"]
    }
    ours = analyze(routed["netlist"], delays)
    cells = cells_of(routed["netlist"])
    kinds = {end.kind for end in ours.endpoints if end.pin not in timed}
    assert {"multiplier", "memory"} <= kinds
    assert any(end.pin[1].startswith("ADB") for end in ours.endpoints if end.pin not in timed)
    (multiplier,) = (name for name, cell in cells.items() if cell["type"] == "MULT18X18")
    factors = {
        port for port, bits in cells[multiplier]["connections"].items() if port[0] in "AB" and bits
    }
    inputs = {end.pin[1] for end in ours.endpoints if end.pin[0] == multiplier}
    assert factors & inputs and ours.worst()["multiplier", "register"].steps


@pytest.mark.quick
def test_a_path_by_hand(placed, delays):
    timing = analyze(placed.netlist(), delays)
    path = timing.worst()["register", "register"]
    hop = delays.of("wire", "X0").longest
    load_q = delays.of("fanout", "QFan").longest / 24
    load_x = delays.of("fanout", "X0Fan").longest / 22
    load_f = delays.of("fanout", "FFan").longest / 31
    assert [(step.kind, step.cell, step.port) for step in path.steps] == [
        ("clock-to-out", "first", "Q"),
        ("wires", "lut", "I0"),
        ("logic", "lut", "F"),
        ("wires", "last", "D"),
        ("setup", "last", "D"),
    ]
    expected = [
        delays.of("dff", "clk_qpos").longest,
        hop + load_q + load_x,
        delays.of("lut", "a_f").longest,
        load_f,
        delays.of("dff", "di_clksetpos").longest,
    ]
    assert [step.delay_ns for step in path.steps] == pytest.approx(expected)
    assert timing.period_ns == pytest.approx(sum(expected))
    assert timing.limit_mhz == pytest.approx(1e3 / sum(expected))


def test_hold_is_by_the_smallest_numbers(placed, delays):
    timing = analyze(placed.netlist(), delays)
    direct = delays.of("dff", "clk_qpos").shortest + delays.of("wire", "X2").shortest
    assert timing.hold_ns == pytest.approx(direct - delays.of("dff", "di_clkholdpos").longest)


def test_clock_skew_is_taken_off(placed, delays):
    placed.cells["last"]["attributes"]["NEXTPNR_BEL"] = "X2Y2/DFF2"
    placed.net("b", "X2Y2/F1", "X2Y2/XD2/F1")
    placed.net("clk", "X2Y2/CLK0", "X2Y2/N200/CLK0", "X2Y2/CLK1/N200")
    timing = analyze(placed.netlist(), delays)
    worst = max(path.delay_ns for path in timing.worst().values())
    assert timing.skew_ns > 0.2
    assert timing.period_ns == pytest.approx(worst + timing.skew_ns)


def test_fan_out_costs(placed, delays):
    alone = analyze(placed.netlist(), delays).period_ns
    placed.net("a", "X2Y2/Q0", "X2Y2/X01/Q0", "X2Y2/A1/X01", "X2Y2/B1/X01", "X2Y2/C1/X01")
    extra = 2 * delays.of("fanout", "X0Fan").longest / 22
    assert analyze(placed.netlist(), delays).period_ns == pytest.approx(alone + extra)


def test_long_wires_cost(placed, delays):
    alone = analyze(placed.netlist(), delays).period_ns
    placed.net("a", "X2Y2/Q0", "X2Y2/X01/Q0", "X2Y2/LB01/X01", "X2Y2/A1/LB01")
    extra = delays.of("glbsrc", "TAP_BRANCH_SCLK").longest
    assert analyze(placed.netlist(), delays).period_ns == pytest.approx(alone + extra)


def test_two_drivers_are_refused(placed, delays):
    placed.cell("other", "LUT4", "X2Y2/LUT2", inputs={"I0": "a"}, outputs={"F": "b"})
    with pytest.raises(InputError, match="^two cells drive the net of 'F'"):
        analyze(placed.netlist(), delays)


def test_a_driver_that_nothing_times_is_refused(placed, delays):
    placed.cells["lut"]["type"] = "BUFG"
    with pytest.raises(InputError, match="^nothing times 'lut', which drives 'last'"):
        analyze(placed.netlist(), delays)


@pytest.mark.parametrize("routing", ["a;b;c", "a;X1Y1/A;1", "X2Y2/Q0;;1;X2Y2/A1;X2Y2/A1;1"])
def test_malformed_nets_are_refused(placed, delays, routing):
    placed.nets["a"] = routing
    with pytest.raises(InputError, match="routed netlist"):
        analyze(placed.netlist(), delays)


@pytest.mark.parametrize("missing", ["netnames", "cells"])
def test_malformed_netlists_are_refused(placed, delays, missing):
    netlist = placed.netlist()
    del netlist["modules"]["top"][missing]
    with pytest.raises(InputError, match="netlist"):
        analyze(netlist, delays)


def test_cells_without_a_place_are_refused(placed, delays):
    placed.cells["lut"]["attributes"] = {}
    with pytest.raises(InputError, match="routed netlist"):
        analyze(placed.netlist(), delays)


def test_wires_without_a_number_are_counted(placed, delays):
    placed.net("a", "X2Y2/Q0", "X2Y2/X01/Q0", "X2Y2/DLLDLY_OUT/X01", "X2Y2/A1/DLLDLY_OUT")
    assert analyze(placed.netlist(), delays).unknown == {"ISB": 1}


def test_a_multiplier_without_registers_is_a_part_of_the_path(placed, delays):
    placed.cell(
        "mul", "MULT18X18", "X1Y18/MULT18X1800", inputs={"A0": "factor"}, outputs={"DOUT0": "p"}
    )
    placed.feeder()
    placed.register("product", ("X1Y18", 2), data="p", out="end")
    tile = delays.database[18, 1].bels["MULT18X1800"].portmap
    placed.net("clk", f"X2Y2/CLK0 X1Y18/CLK0 X1Y18/CLK1 X1Y18/{tile['CLK0']}")
    placed.net("factor", "X1Y18/Q0", f"X1Y18/{tile['A0']}/Q0")
    placed.net("p", f"X1Y18/{tile['DOUT0']}", f"X1Y18/XD2/{tile['DOUT0']}")
    found = []
    for slow in (1.0, 4.5):
        timing = analyze(placed.netlist(), delays, Assumptions(multiplier=slow))
        path = timing.worst()["register", "register"]
        assert [step.cell for step in path.steps if step.kind == "logic"] == ["mul"]
        found.append(path.delay_ns)
    assert found[1] - found[0] == pytest.approx(3.5)


def test_registers_cut_a_multiplier(placed, delays):
    placed.cell(
        "mul",
        "MULT18X18",
        "X1Y18/MULT18X1800",
        inputs={"A0": "factor", "CLK": "clk"},
        outputs={"DOUT0": "p"},
        AREG="1",
        BREG="1",
        OUT_REG="1",
    )
    placed.feeder()
    tile = delays.database[18, 1].bels["MULT18X1800"].portmap
    placed.net("clk", f"X2Y2/CLK0 X1Y18/CLK0 X1Y18/CLK1 X1Y18/{tile['CLK0']}")
    placed.net("factor", "X1Y18/Q0", f"X1Y18/{tile['A0']}/Q0")
    timing = analyze(placed.netlist(), delays)
    path = timing.worst()["register", "multiplier"]
    assert path.steps[-1].delay_ns == timing.assumed.multiplier_setup
    assert timing.period_ns == timing.assumed.multiplier


@pytest.mark.parametrize("kind", ["LUT5", "DFFNR", "MULTALU18X18", "IDDR"])
def test_cells_without_delays_are_refused(placed, delays, kind):
    placed.cell("odd", kind, "X3Y3/LUT0", inputs={"I0": "a"})
    with pytest.raises(InputError, match=f"^static timing has no delays for a cell .* {kind!r}"):
        analyze(placed.netlist(), delays)


def test_two_clocks_are_refused(placed, delays):
    placed.cell("pad", "IBUF", "X0Y6/IOBA", outputs={"O": "other"})
    placed.register("odd", ("X2Y2", 4), data="b", out="c", clock="other")
    placed.net("other", "X2Y2/CLK2")
    placed.net("b", "X2Y2/F1", "X2Y2/XD1/F1", "X2Y2/XD4/F1")
    with pytest.raises(InputError, match="is for one clock, the design has clk, other"):
        analyze(placed.netlist(), delays)


def test_a_loop_is_refused(placed, delays):
    placed.cells["lut"]["connections"]["I1"] = [placed.bit("b")]
    placed.cells["lut"]["port_directions"]["I1"] = "input"
    placed.net("b", "X2Y2/F1", "X2Y2/XD1/F1", "X2Y2/B1/F1")
    with pytest.raises(InputError, match="^a combinational loop goes through 'lut'"):
        analyze(placed.netlist(), delays)


def test_an_input_off_its_net_is_refused(placed, delays):
    placed.net("a", "X2Y2/Q0", "X2Y2/X01/Q0", "X2Y2/B1/X01")
    with pytest.raises(InputError, match="^input 'I0' of 'lut' is not on its net"):
        analyze(placed.netlist(), delays)


def test_a_broken_net_is_refused(placed, delays):
    placed.net("a", "X2Y2/Q0", "X2Y2/A1/X01")
    with pytest.raises(InputError, match="nothing drives"):
        analyze(placed.netlist(), delays)


def test_nothing_to_time(placed, delays):
    netlist = copy.deepcopy(placed.netlist())
    netlist["modules"]["top"]["cells"] = {}
    with pytest.raises(InputError, match="has no path"):
        analyze(netlist, delays)


def test_an_unknown_grade_is_refused(delays):
    with pytest.raises(InputError, match="no delays for the speed grade of 'GW2A-C3'"):
        Delays(delays.database, part="GW2A-C3")
