# SPDX-License-Identifier: MIT
import json

import pytest

from glintfpga.boards.gowin.timing.analysis import analyze
from glintfpga.boards.gowin.timing.report import (
    check_margin,
    headline,
    router_view,
    source_of,
    summary,
    text,
)
from glintfpga.quant.errors import InputError

SOURCES = {"first": "hdl/a.py:3", "a": "hdl/b.py:5", "core": "hdl/row/core.py:1"}


@pytest.fixture
def timing(routed, delays):
    return analyze(routed["netlist"], delays)


@pytest.fixture
def made(timing, routed):
    return summary(timing, clock_mhz=27.0, routed=routed["report"], sources={})


def test_summary(made, timing):
    assert json.loads(json.dumps(made)) == made
    assert made["limit_mhz"] == round(timing.limit_mhz, 2)
    assert made["margin"] == pytest.approx(timing.limit_mhz / 27 - 1, abs=1e-4)
    assert made["assumed"]["multiplier"] == 4.5
    assert sum(made["slack"]["counts"]) == len(timing.endpoints)
    delays_ns = [path["delay_ns"] for path in made["paths"]]
    assert delays_ns == sorted(delays_ns, reverse=True)
    for path in made["paths"]:
        total = sum(step["delay_ns"] for step in path["steps"])
        assert total == pytest.approx(path["delay_ns"], abs=0.02)
    kinds = {(path["from"], path["to"]) for path in made["paths"]}
    assert {("register", "register"), ("multiplier", "register"), ("register", "pad")} <= kinds


def test_slack_is_counted_from_the_period(made):
    first, step = made["slack"]["first_ns"], made["slack"]["step_ns"]
    worst = 1e3 / 27 - made["paths"][0]["delay_ns"]
    assert first <= worst < first + step


def test_the_router_is_recomputed(timing, routed):
    view = router_view(timing, routed["report"])
    assert abs(view["difference"]) < 0.005
    assert view["limit_mhz"] > timing.limit_mhz
    slower = json.loads(json.dumps(routed["report"]))
    for path in slower["critical_paths"]:
        for step in path["path"]:
            step["delay"] *= 1.05 if step["type"] == "routing" else 1
    assert abs(router_view(timing, slower)["difference"]) > 0.005
    with pytest.raises(InputError, match="^the router's slowest path takes .* install the pinned"):
        summary(timing, clock_mhz=27.0, routed=slower, sources={})


def test_long_wires_are_no_difference_to_the_router(placed, delays):
    placed.net("a", "X2Y2/Q0", "X2Y2/X01/Q0", "X2Y2/LB01/X01", "X2Y2/A1/LB01")
    timing = analyze(placed.netlist(), delays)
    wires = timing.wires(("lut", "I0"))
    assert wires.long > 0.06
    routing = {"type": "routing", "to": {"cell": "lut", "port": "I0"}, "delay": wires.hops}
    path = {"from": "clk", "to": "clk", "path": [routing]}
    view = router_view(timing, {"critical_paths": [path], "fmax": {"clk": {"achieved": 90}}})
    assert view["difference"] == 0


def test_a_router_without_paths(timing):
    view = router_view(timing, {"critical_paths": [], "fmax": {}})
    assert set(view.values()) == {None}


@pytest.mark.quick
def test_margin(timing_json):
    check_margin(timing_json(margin=0.1))
    with pytest.raises(InputError) as caught:
        check_margin(timing_json(margin=0.0999))
    assert str(caught.value) == (
        "the clock of 54 MHz has 10.0 % of margin, 10 % are wanted: a path from register to "
        "memory, a.b_DFF_Q to a.c_LUT4_F, allows 100.5 MHz; try another --seed or a lower "
        "--clock-mhz"
    )


def test_text(timing_json):
    found = text(timing_json())
    assert found.startswith("clock 54 MHz; every path allows 100.5 MHz: 86.1 % of margin")
    assert "the router says 110.0 MHz" in found and "multiplier 4.5 ns" in found
    assert "3 hops of ISB" in found and "0.065 ns to spare" in found
    assert "hdl/row/core.py:7" in found
    assert len(headline(timing_json())) == 2
    router = {"limit_mhz": None}
    assert len(headline(timing_json(router=router))) == 1


@pytest.mark.parametrize(
    "net, source",
    [
        ("first_DFFR_Q_7", "hdl/a.py:3"),
        ("first[3]", "hdl/a.py:3"),
        ("core.thing_LUT4_F", "hdl/row/core.py:1"),
        ("a", "hdl/b.py:5"),
        ("other", None),
    ],
)
def test_source_of_a_net(net, source):
    assert source_of(net, SOURCES) == source
