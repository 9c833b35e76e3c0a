# SPDX-License-Identifier: MIT
import gc
import re
import warnings

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from glintfpga.boards.catalog import board_of
from glintfpga.boards.top import BoardTop
from glintfpga.quant.errors import InputError

BOARD = board_of("tangnano20k")


class Loop(wiring.Component):
    """Sends what it receives."""

    rx: In(1)
    tx: Out(1)
    status: Out(StructLayout({"busy": 1, "error": 1, "failed": 1}))

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.tx.eq(self.rx)
        return m


def files(clock_mhz):
    top = BoardTop(device=Loop(), board=BOARD, clock_mhz=clock_mhz)
    return BOARD.platform().prepare(top, "top", emit_src=False).files


def test_pins():
    pins = dict(re.findall(r'IO_LOC "(\w+)" (\d+);', files(54.0)["top.cst"]))
    assert pins == {
        "clk27_0__io": "4",
        "uart_0__rx__io": "70",
        "uart_0__tx__io": "69",
        **{f"led_{number}__io": str(15 + number) for number in range(6)},
    }


@pytest.mark.parametrize(
    "clock, period", [(27.0, "37.0370"), (54.0, "18.5185"), (81.0, "12.3457"), (94.5, "10.5820")]
)
def test_clock_is_constrained_behind_the_pll(clock, period):
    found = files(clock)
    assert f"create_clock -name clock -period {period} [get_nets {{clocks.clock}}]" in (
        re.sub(r" +", " ", found["top.sdc"])
    )
    assert ("\\rPLL" in found["top.il"]) == (clock != 27.0)


def test_scripts():
    found = files(81.0)
    assert re.search(r"^synth_gowin -family gw2a .*-top top", found["top.ys"], re.MULTILINE)
    assert "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:CLK_ENABLE=1 %i" in found["top.ys"]
    script = found["build_top.sh"]
    assert "--vopt family=GW2A-18C --vopt cst=top.cst --sdc top.sdc" in script
    assert "-d GW2A-18C -o top.fs --sspi_as_gpio --mspi_as_gpio" in script
    assert not any(name.endswith(".debug.v") for name in found)


def test_result_does_not_depend_on_the_machine():
    found = files(81.0)
    assert found == files(81.0)
    assert "/" not in re.sub(r"#.*", "", found["top.il"])


@pytest.mark.quick
def test_unknown_clock():
    # Amaranth warns of components that nobody elaborates, when they are collected.
    with warnings.catch_warnings(action="ignore"):
        with pytest.raises(InputError, match=r"^tangnano20k has no clock of 48 MHz"):
            BoardTop(device=Loop(), board=BOARD, clock_mhz=48)
        gc.collect()
