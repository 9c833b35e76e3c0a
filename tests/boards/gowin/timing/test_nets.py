# SPDX-License-Identifier: MIT
from types import SimpleNamespace

import pytest

from glintfpga.boards.gowin.timing.delays import Delay
from glintfpga.boards.gowin.timing.nets import tree_of, wire_at
from glintfpga.quant.errors import InputError

HOPS = {"W": Delay(1.0, 0.5), "LW": Delay(4.0, 3.0), "OUT": Delay(0.0, 0.0)}


class Fake:
    """Each wire is called ``class.number``; a hop leaving it costs 0.125 of load."""

    database = SimpleNamespace(wire_delay={"ODD.1": "ISB"})
    wires = SimpleNamespace(node=lambda row, column, name: (row, column, name))

    def hop(self, wire):
        return HOPS.get(wire.split(".")[0])

    def is_long(self, wire):
        return wire.startswith("LW")

    def load(self, wire):
        return 0.125


def routing(*pips, root="X1Y1/OUT.1"):
    return ";".join([f"{root};;1", *(f"{pip.rpartition('/')[0]};{pip};1" for pip in pips)])


@pytest.mark.quick
def test_a_tree_whose_branches_come_before_their_trunk():
    tree = tree_of(
        routing("X1Y1/END.1/LW.1", "X1Y1/LW.1/W.1", "X1Y1/END.2/W.1", "X1Y1/W.1/OUT.1"),
        Fake(),
    )
    trunk, far, near = (tree.at[1, 1, name] for name in ("W.1", "END.1", "END.2"))
    assert (trunk.driver, trunk.total) == (0.125, 0.125)
    # Two hops leave W.1, and both pay for both; the long wire is kept apart.
    assert (near.hops, near.fan_out, near.driver) == (1.0, 0.25, 0.125)
    assert (far.hops, far.long, far.fan_out, far.shortest) == (1.0, 4.0, 0.375, 3.5)
    assert far.total == 1.0 + 4.0 + 0.375 + 0.125
    assert not tree.unknown


def test_a_net_longer_than_the_stack():
    names = ["OUT.1", *(f"W.{at}" for at in range(5000))]
    pips = [f"X1Y1/{to}/{start}" for start, to in zip(names, names[1:], strict=False)]
    tree = tree_of(routing(*reversed(pips)), Fake())
    assert tree.at[1, 1, "W.4999"].hops == 4999


def test_hops_without_a_number_are_counted_by_class():
    tree = tree_of(routing("X1Y1/ODD.1/OUT.1", "X1Y1/END.1/ODD.1", "X1Y1/END.2/ODD.1"), Fake())
    assert tree.unknown == {"ISB": 2}
    assert tree.at[1, 1, "END.1"].hops == 0


@pytest.mark.parametrize(
    "pips",
    [
        ("X1Y1/W.2/W.1",),  # nothing drives W.1
        ("X1Y1/W.2/W.1", "X1Y1/W.1/W.2"),  # a circle
    ],
)
def test_no_tree(pips):
    with pytest.raises(InputError, match="nothing drives"):
        tree_of(routing(*pips), Fake())


def test_no_tile():
    with pytest.raises(InputError, match="no tile"):
        wire_at(Fake(), "R1C1", "W.1")
