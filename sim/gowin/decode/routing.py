# SPDX-License-Identifier: MIT
"""The routing graph of a bitstream: from an input back to the output that drives it."""

from collections.abc import Iterable, Mapping

from glintfpga.boards.gowin.wires import Wire
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.decode.chip import Chip
from glintfpga.sim.gowin.decode.tiles import Tile, place
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW

__all__ = ["Drivers", "Router", "drivers_of", "redrive"]

Drivers = dict[Wire, "Wire | int"]
"""Nodes and what their muxes connect them to: a node, `LOW` or `HIGH`."""

_Tiles = Mapping[tuple[int, int], Tile]
_CONSTANTS = {"VCC": HIGH, "VSS": LOW}


def drivers_of(tiles: Iterable[Tile]) -> Drivers:
    """All muxes with fuses. Raises InputError for a node with two drivers."""
    drivers: Drivers = {}
    count = 0
    for tile in tiles:
        drivers.update(tile.edges)
        count += len(tile.edges)
    if len(drivers) != count:
        seen: set[Wire] = set()
        for tile in tiles:
            for node, _ in tile.edges:
                if node in seen:
                    raise _twice(node)
                seen.add(node)
    return drivers


def redrive(drivers: Drivers, changes: Iterable[tuple[Tile, Tile]]) -> Drivers:
    """`drivers` after some tiles were replaced by others: pairs of old and new ones."""
    drivers = dict(drivers)
    changes = list(changes)
    for old, _ in changes:
        for node, _ in old.edges:
            drivers.pop(node, None)
    for _, new in changes:
        for node, driver in new.edges:
            if node in drivers:
                raise _twice(node)
            drivers[node] = driver
    return drivers


def _twice(node: Wire) -> InputError:
    row, column, name = node
    return InputError(
        f"tile {place(row, column)} of the bitstream: wire {name} has two drivers; only "
        "bitstreams of this project's builds can be decoded"
    )


class Router:
    """Finds what drives a wire."""

    def __init__(self, chip: Chip, tiles: _Tiles, drivers: Drivers):
        self._chip = chip
        self._tiles = tiles
        self._drivers = drivers
        self._known: dict[Wire, Wire | int] = {}
        self.used: set[Wire] = set()
        """Nodes whose mux matters."""
        self._check_long_wires()

    def source(self, row: int, column: int, name: str) -> Wire | int:
        """The node of an output that drives this wire, or `LOW` or `HIGH`.

        A mux without fuses has a source too. The node that is returned has no mux; whether it is
        an output of anything, the caller must see. Raises InputError for a ring of muxes.
        """
        node: Wire | int = self._chip.node(row, column, name)
        path: list[Wire] = []
        while not isinstance(node, int) and node not in self._known:
            path.append(node)
            following = self._drivers.get(node)
            if following is None:
                following = self._default(node)
            if following is None:
                self._known[node] = node
                path.pop()
                break
            if len(path) > 1000:
                raise InputError(
                    f"tile {place(row, column)} of the bitstream: wire {name} is driven by a ring "
                    "of muxes; only bitstreams of this project's builds can be decoded"
                )
            node = following
        result = node if isinstance(node, int) else self._known[node]
        for each in path:
            self._known[each] = result
        self.used.update(path)
        return result

    def _default(self, node: Wire) -> Wire | int | None:
        row, column, name = node
        defaults = self._chip.kind(row, column).defaults
        source = defaults.get(name) or defaults.get(f"{name}0")
        if source is None:
            return None
        if source in _CONSTANTS:
            return _CONSTANTS[source]
        return self._chip.node(row, column, source)

    def _check_long_wires(self) -> None:
        """The upper end of a long wire that is driven from below must be cut off."""
        for top, bottom in self._chip.wires.segments:
            if self._chip.node(*top) not in self._drivers:
                continue
            for row, column, name in (top, bottom):
                tile, kind = self._tiles[row, column], self._chip.kind(row, column)
                features = (kind.features[at] for at in tile.masks)
                own = {feature.name for feature in features if feature.group == "mux"}
                if name in kind.cuttable and name not in own:
                    raise InputError(
                        f"tile {place(row, column)} of the bitstream: the end {name} of a long "
                        "wire is not cut off, though its other end drives; only bitstreams of "
                        "this project's builds can be decoded"
                    )
