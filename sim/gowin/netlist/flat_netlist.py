# SPDX-License-Identifier: MIT
"""A `Netlist` as flat arrays, in the layout that ``bitparallel.cpp`` reads; also pins and arcs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH, LOW, Cell, Netlist

__all__ = [
    *("ADDRESS_BITS", "DFF_MODES", "MEMORY_BITS", "MULT_FLAGS", "FlatNetlist"),
    *("clock_pins", "input_nets", "simulated_form", "comb_arcs"),
]

_KINDS = {"LUT4": 0, "ALU": 1, "DFF": 2, "MULT": 3, "BSRAM": 4, "RAM16": 5}
_INPUTS = {
    0: (("I0", 1), ("I1", 1), ("I2", 1), ("I3", 1)),
    1: (("A", 1), ("B", 1), ("C", 1), ("D", 1), ("CIN", 1)),
    2: (("D", 1), ("CLK", 1), ("CE", 1), ("SR", 1)),
    3: (("A", 18), ("B", 18), *((pin, 1) for pin in ("ASIGN", "BSIGN", "CLK", "CE", "RESET"))),
    4: tuple(
        (f"{pin}{side}", size)
        for side in "AB"
        for pin, size in (("CLK", 1), ("CE", 1), ("WRE", 1), ("AD", 11), ("DI", 36))
    ),
    5: (("DI", 4), ("WAD", 4), ("WRE", 1), ("CLK", 1), ("RAD", 4)),
}
_OUTPUTS = {
    0: (("F", 1),),
    1: (("SUM", 1), ("COUT", 1)),
    2: (("Q", 1),),
    3: (("DOUT", 36),),
    4: (("DOA", 36), ("DOB", 36)),
    5: (("DO", 4),),
}
_CLOCKS = {"CLK", "CLKA", "CLKB"}
DFF_MODES = ("VALUE", "ASYNC", "NEGEDGE")
"""Modes of a register, in the order of its state."""
_PARAMETERS = {
    0: ("INIT",),
    1: ("INIT",),
    2: DFF_MODES,
    3: ("WIDTH", "AREG", "BREG", "PIPE_REG", "OUT_REG"),
    4: ("WIDTH_A", "MODE_A", "WIDTH_B", "MODE_B"),
    5: ("INIT_0", "INIT_1", "INIT_2", "INIT_3"),
}
_MOST_PARAMETERS = 6
MEMORY_BITS = 18_432
ADDRESS_BITS = 11
"""Address bits of a byte in a block RAM."""
MULT_FLAGS = 144
"""Position in a multiplier's state of the flags of its four registers."""

_MUX2 = 0b11001010
"""Table of a LUT with inputs I0, I1, S0: ``I1 if S0 else I0``."""


def simulated_form(cell: Cell) -> tuple[Cell, int]:
    """A cell as the simulator knows it (a MUX2 becomes a LUT4), and the number of its kind.

    Raises ``InputError`` for a kind that cannot be simulated.
    """
    if cell.kind == "MUX2":
        nets = {"I0": cell.ports["I0"], "I1": cell.ports["I1"], "I2": cell.ports["S0"]}
        ports = nets | {"F": cell.ports["O"]}
        cell = Cell("LUT4", cell.name, ports, {"INIT": _MUX2})
    if cell.kind not in _KINDS:
        raise InputError(f"cell {cell.name!r} is a {cell.kind!r}, which cannot be simulated")
    if cell.kind == "MULT" and set(cell.ports.get("RESET", (LOW,))) != {LOW}:
        raise InputError(f"multiplier {cell.name!r} has a reset, which cannot be simulated")
    return cell, _KINDS[cell.kind]


@dataclass(frozen=True)
class FlatNetlist:
    """A netlist with numbered cells; everything is computed when it is first used."""

    netlist: Netlist
    loops: bool = False
    """Whether combinational loops are allowed, which mutants can have."""

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The simulated cells: all except PLLs."""
        return tuple(simulated_form(cell)[0] for cell in self.netlist.cells if cell.kind != "PLL")

    @cached_property
    def index(self) -> dict[str, int]:
        """Number of each cell, by name."""
        return {cell.name: at for at, cell in enumerate(self.cells)}

    @cached_property
    def locks(self) -> tuple[int, ...]:
        """The LOCK outputs of PLLs, which are high from the start."""
        plls = [cell for cell in self.netlist.cells if cell.kind == "PLL"]
        return tuple(net for cell in plls for net in cell.ports.get("LOCK", ()))

    @cached_property
    def clock(self) -> int:
        """The common clock: the net that clocks most registers."""
        nets = [net for cell in self.cells for pin in _CLOCKS for net in cell.ports.get(pin, ())]
        counts = np.bincount(nets, minlength=3)
        counts[:3] = 0
        if not counts.any():
            raise InputError("the netlist has no register with a clock: nothing to simulate")
        return int(np.argmax(counts))

    @cached_property
    def size(self) -> int:
        """One more than the highest net."""
        groups = [*self.netlist.inputs.values(), *self.netlist.outputs.values()]
        groups += [nets for cell in self.netlist.cells for nets in cell.ports.values()]
        return 1 + max((max(nets, default=0) for nets in groups), default=FLOATING)

    @cached_property
    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint64]]:
        """Cells (count, 9): kind, first input, first output, parameters; pins; block RAM bits."""
        rows: list[list[int]] = []
        pins: list[int] = []
        contents = b""
        for cell in self.cells:
            kind = _KINDS[cell.kind]
            values = [cell.parameters.get(name, 0) for name in _PARAMETERS[kind]]
            values += [0] * (_MOST_PARAMETERS - len(values))
            starts = [len(pins)]
            pins += _nets(cell, _INPUTS[kind], LOW)
            starts.append(len(pins))
            pins += _nets(cell, _OUTPUTS[kind], self.size)
            rows.append([kind, *starts, *values])
            if cell.kind == "BSRAM":
                contents += cell.parameters["INIT"].to_bytes(MEMORY_BITS // 8, "little")
        return (
            np.array(rows, np.int32),
            np.array(pins, np.int32),
            np.frombuffer(contents, np.uint64),
        )

    @cached_property
    def order(self) -> NDArray[np.int32]:
        """Cells with a combinational path, in topological order.

        Raises ``InputError`` when there is a loop.
        """
        ways = {at: comb_arcs(cell) for at, cell in enumerate(self.cells)}
        drivers = {net: at for at, (_, outs) in ways.items() for net in outs}
        waits = {
            at: {drivers[net] for net in ins if net in drivers} for at, (ins, _) in ways.items()
        }
        followers: dict[int, list[int]] = {}
        for at, before in waits.items():
            for one in before:
                followers.setdefault(one, []).append(at)
        left = {at: len(before) for at, before in waits.items()}
        ready = [at for at, count in left.items() if count == 0]
        for at in ready:
            for after in followers.get(at, ()):
                left[after] -= 1
                if left[after] == 0:
                    ready.append(after)
        if len(ready) < len(ways):
            stuck = [at for at, count in left.items() if count]
            if not self.loops:
                name = self.cells[stuck[0]].name
                raise InputError(f"cell {name!r} is behind a combinational loop")
            ready += stuck
        return np.array([at for at in ready if ways[at][1]], np.int32)


def comb_arcs(cell: Cell) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Inputs and outputs of a cell's combinational paths, as nets."""
    kind = _KINDS[cell.kind]
    if cell.kind in ("LUT4", "ALU"):
        pins: Iterable[str] = (name for name, _ in _INPUTS[kind])
    elif cell.kind == "MULT":
        # The simulator computes the product with the logic, also between registers.
        piped = cell.parameters["PIPE_REG"] or cell.parameters["OUT_REG"]
        pins = () if piped else ("A",) * (not cell.parameters["AREG"])
        pins = (*pins, *(("B",) if not (piped or cell.parameters["BREG"]) else ()))
    elif cell.kind == "RAM16":
        pins = ("RAD",)
    else:
        return (), ()
    outs = (net for name, _ in _OUTPUTS[kind] for net in cell.ports.get(name, ()))
    return tuple(net for name in pins for net in cell.ports.get(name, ())), tuple(outs)


def input_nets(cell: Cell) -> list[int]:
    """Nets of all input pins, in the simulator's order."""
    return list(_nets(cell, _INPUTS[_KINDS[cell.kind]], LOW))


def clock_pins(cell: Cell) -> set[int]:
    """Numbers of the clock pins in `input_nets`."""
    names = [name for name, size in _INPUTS[_KINDS[cell.kind]] for _ in range(size)]
    return {pin for pin, name in enumerate(names) if name in _CLOCKS}


def _nets(cell: Cell, pins: Iterable[tuple[str, int]], absent: int) -> Iterator[int]:
    unused = {"CE": HIGH} if cell.kind in ("DFF", "MULT") else {}
    for name, size in pins:
        nets = cell.ports.get(name, (unused.get(name, absent),))
        if len(nets) > size:
            raise InputError(f"{cell.name!r} has {len(nets)} nets at {name!r}, not {size}")
        yield from nets
        yield from [absent] * (size - len(nets))
