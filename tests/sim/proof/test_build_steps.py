# SPDX-License-Identifier: MIT
"""Where the registers of the source are in a bitstream."""

import pytest

from glintfpga.sim.gowin.netlist.flat_netlist import FlatNetlist
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Cell, Netlist
from glintfpga.sim.proof.build_steps import Origin


def registers(**outs):
    """A netlist of registers with these outputs, which take nothing."""
    return tuple(
        Cell(
            "DFF",
            name,
            {"D": (LOW,), "CLK": (3,), "CE": (HIGH,), "SR": (LOW,), "Q": (net,)},
            {"VALUE": 0, "ASYNC": 0, "NEGEDGE": 0},
        )
        for name, net in outs.items()
    )


@pytest.mark.quick
def test_wires_by_their_names():
    """Those of which all bits are registers that were placed, or constants."""
    wires = {"one": (10,), "two": (11, 10), "padded": (10, LOW, HIGH), "logic": (20, 10)}
    wires["gone"] = (12,)
    origin = Origin(
        synthesized=Netlist(registers(a=10, b=11, c=12), {}, {}, wires),
        places={"X1Y1_DFF0": "a", "X1Y1_DFF1": "b", "X9Y9_DFF0": "c", "X1Y1_LUT0": "lut"},
        heads_patched=0,
    )
    assert origin.registers == {"X1Y1_DFF0": "a", "X1Y1_DFF1": "b", "X9Y9_DFF0": "c"}
    placed = FlatNetlist(Netlist(registers(X1Y1_DFF0=5, X1Y1_DFF1=7, X2Y1_DFF0=8), {}, {}, {}))
    assert origin.wires(placed) == {"one": (5,), "two": (7, 5), "padded": (5, LOW, HIGH)}
