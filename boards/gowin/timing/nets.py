# SPDX-License-Identifier: MIT
"""Delays of routed nets, from the driver's wire to every wire that the net reaches.

The router writes a net as a tree: ``wire;pip;strength`` for each of its wires, where a pip
``X40Y2/XD2/F2`` is a switch in a tile, with the names that the tile gives to both ends. One node
has many names, so both are taken to the node's own (`boards.gowin.wires`).

    delay(wire) = delay(before) + hop(before) + hops that leave it x load(before)

Wires and switches that are not in the database have no delay here; they are counted.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from glintfpga.boards.gowin.timing.delays import Delays
from glintfpga.boards.gowin.wires import Wire
from glintfpga.quant.errors import InputError

__all__ = ["Reach", "Tree", "tree_of", "wire_at"]

_TILE = re.compile(r"X(\d+)Y(\d+)$")


@dataclass(frozen=True)
class Reach:
    """Delay from a net's driver to a wire, in ns."""

    hops: float
    """The wires except long ones, at their longest delays."""
    long: float
    """The long wires, at their longest delays."""
    fan_out: float
    """The loads on all wires but the first."""
    driver: float
    """The loads on the first wire, the output of a cell."""
    shortest: float
    """All wires at their shortest delays, without loads."""

    @property
    def total(self) -> float:
        """The longest delay: wires and loads."""
        return self.hops + self.long + self.fan_out + self.driver


_NOTHING = Reach(0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass
class Tree:
    """A routed net: `at` gives the reach of each of its nodes."""

    at: dict[Wire, Reach] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    """Classes of wires without a number, by how many hops start on them."""


def wire_at(delays: Delays, tile: str, name: str) -> Wire:
    """The node that the tile ``X40Y2`` calls ``name``."""
    match = _TILE.match(tile)
    if match is None:
        raise InputError(f"the routed netlist has a wire at {tile!r}, no tile: route again")
    return delays.wires.node(int(match[2]), int(match[1]), name)


def tree_of(routing: str, delays: Delays) -> Tree:
    """Read the attribute ROUTING of a net. Raises ``InputError`` when it is not a tree."""
    parts = routing.split(";")
    before: dict[Wire, tuple[Wire, str]] = {}
    roots = []
    for place, pip in zip(parts[0:-2:3], parts[1:-1:3], strict=True):
        if pip:
            tile, target, source = pip.split("/")
            before[wire_at(delays, tile, target)] = (wire_at(delays, tile, source), source)
        else:
            tile, name = place.split("/")
            roots.append(wire_at(delays, tile, name))
    leaving = Counter(source for source, _ in before.values())
    tree = Tree(at=dict.fromkeys(roots, _NOTHING))
    for wire in before:
        _reach(wire, before, leaving, tree, delays)
    return tree


def _reach(
    wire: Wire,
    before: Mapping[Wire, tuple[Wire, str]],
    leaving: Mapping[Wire, int],
    tree: Tree,
    delays: Delays,
) -> None:
    """Enter ``wire`` and all before it; without recursion, as nets are longer than stacks."""
    chain: list[Wire] = []
    while wire not in tree.at:
        if wire not in before or len(chain) > len(before):
            raise InputError(
                f"the routed netlist has a net whose wire {wire!r} nothing drives: route again"
            )
        chain.append(wire)
        wire = before[wire][0]
    for following in reversed(chain):
        source, name = before[following]
        reach = tree.at[source]
        hop = delays.hop(name)
        if hop is None:
            tree.unknown[delays.database.wire_delay.get(name, name)] += 1
        longest = hop.longest if hop else 0.0
        load = leaving[source] * delays.load(name)
        first = source not in before
        tree.at[following] = Reach(
            reach.hops + (0.0 if delays.is_long(name) else longest),
            reach.long + (longest if delays.is_long(name) else 0.0),
            reach.fan_out + (0.0 if first else load),
            reach.driver + (load if first else 0.0),
            reach.shortest + (hop.shortest if hop else 0.0),
        )
