# SPDX-License-Identifier: MIT
"""Static timing of a routed netlist: how late every sampled input is after the clock edge.

    arrival(output) = clock to out                                   of a clocked cell
                    = max over inputs: arrival(input) + delay of the cell     of any other
    arrival(input)  = arrival(driver) + reach of its wire in the net's tree
    slack(input)    = period - set-up - clock skew - arrival(input)

The clock skew is the difference of the latest and the earliest clock pin, from the same tables;
it is taken off every path. Arrivals are kept by the kind of cell where a path starts, so that the
worst path of each pair of kinds can be reported, not only the worst of all.

Hold is the same with the smallest numbers of the tables, and the earliest arrivals:

    hold slack(input) = earliest arrival(input) - hold - clock skew

The tables are of the slow corner, so this finds only races that occur at any speed of the chip.
Inputs of multipliers and pads, whose hold time is not known, are not checked.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from graphlib import CycleError, TopologicalSorter

from glintfpga.boards.gowin.bram_patch import Netlist, cells_of
from glintfpga.boards.gowin.timing.cells import (
    Cell,
    End,
    Pins,
    ends_of,
    kind_of,
    starts_of,
    through,
)
from glintfpga.boards.gowin.timing.delays import ASSUMED, Assumptions, Delay, Delays
from glintfpga.boards.gowin.timing.nets import Reach, Tree, tree_of
from glintfpga.quant.errors import InputError

__all__ = ["Path", "PathStep", "SampledInput", "Timing", "analyze"]

Pin = tuple[str, str]
"""Name of a cell and of its port."""

_CLOCK_PORTS = frozenset(("CLK", "CLKA", "CLKB", "CLK0", "CLK1"))
_NO_WIRE = Reach(0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class PathStep:
    """One delay of a path, which ends at a pin of `cell`."""

    kind: str
    """clock-to-out, wires, logic or setup."""
    delay_ns: float
    cell: str
    port: str
    net: str | None = None


@dataclass(frozen=True)
class Path:
    """From the clock edge that starts it to the set-up before the one that ends it."""

    start_kind: str
    end_kind: str
    steps: tuple[PathStep, ...]

    @property
    def delay_ns(self) -> float:
        """The shortest period it allows, without clock skew."""
        return sum(step.delay_ns for step in self.steps)


@dataclass(frozen=True)
class SampledInput:
    """A sampled input, and the latest arrival there with the set-up, by kind of its start."""

    pin: Pin
    kind: str
    delay_ns: Mapping[str, float]


@dataclass
class Timing:
    """What `analyze` found; times in ns."""

    endpoints: list[SampledInput]
    skew_ns: float
    """Between the latest and the earliest clock pin."""
    hold_ns: float
    """The least hold slack."""
    unknown: Mapping[str, int]
    """Classes of wires that have no delay in the tables, by hops that start on them."""
    grade: str
    """Speed grade of the tables."""
    assumed: Assumptions
    _trace: "_Arrivals" = field(repr=False)

    def cell(self, name: str) -> Cell:
        """A cell of the netlist."""
        return self._trace.graph.cells[name]

    def wires(self, pin: Pin) -> Reach:
        """How late an input is after its driver."""
        return self._trace.graph.reach(pin)

    def worst(self) -> dict[tuple[str, str], Path]:
        """The slowest path of each pair of kinds, slowest first."""
        found: dict[tuple[str, str], tuple[float, SampledInput]] = {}
        for end in self.endpoints:
            for start, delay in end.delay_ns.items():
                key = (start, end.kind)
                if key not in found or delay > found[key][0]:
                    found[key] = (delay, end)
        ordered = sorted(found.items(), key=lambda item: -item[1][0])
        return {key: self._trace.path(key[0], end) for key, (_, end) in ordered}

    @property
    def period_ns(self) -> float:
        """The shortest period that every path allows, those inside multipliers included."""
        longest = max(max(end.delay_ns.values()) for end in self.endpoints)
        if any(end.kind == "multiplier" for end in self.endpoints):
            longest = max(longest, self.assumed.multiplier)
        return longest + self.skew_ns

    @property
    def limit_mhz(self) -> float:
        """The highest clock."""
        return 1e3 / self.period_ns


def analyze(netlist: Netlist, delays: Delays, assumed: Assumptions = ASSUMED) -> Timing:
    """Time every path of a routed netlist.

    Raises ``InputError`` for cells without delays, for more than one clock, for a combinational
    loop, for an input that is not on its net or whose driver has no arrival, and for what is no
    routed netlist.
    """
    try:
        return _analyze(netlist, delays, assumed)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"the routed netlist is malformed ({type(error).__name__}: {error}): route again"
        ) from error


def _analyze(netlist: Netlist, delays: Delays, assumed: Assumptions) -> Timing:
    graph = _Graph(netlist, delays, assumed)
    arrivals = _Arrivals(graph)
    endpoints = []
    for name, end in graph.ends:
        by_kind = {kind: at + end.setup for kind, at in arrivals.at_input((name, end.port)).items()}
        if by_kind:
            kind = kind_of(graph.cells[name])
            assert kind is not None
            endpoints.append(SampledInput((name, end.port), kind, by_kind))
    if not endpoints:
        raise InputError("the routed netlist has no path from one clocked cell to another")
    skew = graph.skew()
    return Timing(
        endpoints=endpoints,
        skew_ns=skew,
        hold_ns=_Earliest(graph).slack() - skew,
        unknown=graph.unknown,
        grade=delays.grade,
        assumed=assumed,
        _trace=arrivals,
    )


def _in_bits(cell: Cell) -> Cell:
    """The cell with buses split: ``WAD`` of four bits becomes ``WAD[0]`` to ``WAD[3]``."""
    if all(len(bits) < 2 for bits in cell["connections"].values()):
        return cell
    connections: dict[str, list[int]] = {}
    directions: dict[str, str] = {}
    for port, bits in cell["connections"].items():
        names = [port] if len(bits) < 2 else [f"{port}[{at}]" for at in range(len(bits))]
        connections |= {name: bits[at : at + 1] for at, name in enumerate(names)}
        directions |= dict.fromkeys(names, cell["port_directions"][port])
    return {**cell, "connections": connections, "port_directions": directions}


class _Graph:
    """Cells, nets and the delays between their pins."""

    def __init__(self, netlist: Netlist, delays: Delays, assumed: Assumptions):
        self.cells = {name: _in_bits(cell) for name, cell in cells_of(netlist).items()}
        self.delays, self.assumed = delays, assumed
        self.unknown: Counter[str] = Counter()
        self.names: dict[int, str] = {}
        self._routing: dict[int, str] = {}
        for name, net in netlist["modules"]["top"]["netnames"].items():
            for bit in net["bits"]:
                self.names.setdefault(bit, name)
                if routing := net["attributes"].get("ROUTING", "").strip():
                    self._routing[bit] = routing
        self._trees: dict[int, Tree] = {}
        self._pins = Pins(delays)
        self.driver: dict[int, Pin] = {}
        self.passed: dict[Pin, list[tuple[str, Delay]]] = defaultdict(list)
        """Output -> inputs of the same cell that it follows, with the delay."""
        self.started: dict[Pin, tuple[str, Delay]] = {}
        self.ends: list[tuple[str, End]] = []
        for name, cell in self.cells.items():
            self._enter(name, cell)

    def _enter(self, name: str, cell: Cell) -> None:
        kind = kind_of(cell)
        for port, bits in cell["connections"].items():
            if bits and cell["port_directions"][port] == "output":
                if bits[0] in self.driver:
                    raise InputError(f"two cells drive the net of {port!r} of {name!r}")
                self.driver[bits[0]] = (name, port)
        if kind is not None:
            for start in starts_of(cell, self.delays, self.assumed):
                self.started[name, start.port] = (kind, start.delay)
            self.ends += [(name, end) for end in ends_of(cell, self.delays, self.assumed)]
        for arc in through(cell, self.delays, self.assumed):
            self.passed[name, arc.target].append((arc.source, arc.delay))

    def bit(self, pin: Pin) -> int:
        """The net of a pin."""
        bit: int = self.cells[pin[0]]["connections"][pin[1]][0]
        return bit

    @cache  # noqa: B019
    def reach(self, pin: Pin) -> Reach:
        """How late an input is after its driver."""
        bit = self.bit(pin)
        tree = self._tree(bit)
        wire = self._pins.wire(self.cells[pin[0]], pin[1])
        if wire is None:
            return _NO_WIRE  # carry chains have wires of their own, whose delay is the cells'
        if wire not in tree.at:
            raise InputError(
                f"input {pin[1]!r} of {pin[0]!r} is not on its net in the routed netlist: install "
                "the pinned tools and route again"
            )
        return tree.at[wire]

    def _tree(self, bit: int) -> Tree:
        if bit not in self._trees:
            tree = tree_of(self._routing.get(bit, ""), self.delays)
            self.unknown.update(tree.unknown)
            self._trees[bit] = tree
        return self._trees[bit]

    def _clock_pins(self) -> Iterator[Pin]:
        for name, cell in self.cells.items():
            if kind_of(cell) in ("register", "memory", "multiplier"):
                for port in _CLOCK_PORTS & cell["connections"].keys():
                    if cell["connections"][port]:
                        yield name, port

    def skew(self) -> float:
        """Between clock pins. Raises ``InputError`` when there is more than one clock."""
        reaches = [
            (self.bit(pin), self.reach(pin).total)
            for pin in self._clock_pins()
            if self.bit(pin) in self.driver and self._clocks(self.bit(pin))
        ]
        clocks = sorted({self.names[bit] for bit, _ in reaches})
        if len(clocks) > 1:
            raise InputError(f"static timing is for one clock, the design has {', '.join(clocks)}")
        times = [time for _, time in reaches]
        return max(times) - min(times) if times else 0.0

    def _clocks(self, bit: int) -> bool:
        """Whether a net is not a constant, to which unused clocks are tied."""
        return not str(self.cells[self.driver[bit][0]]["type"]).startswith("GOWIN_")

    def drives_data(self, driver: Pin) -> bool:
        """Whether an output is not a constant: one of a cell without inputs, such as a LUT of 1."""
        cell = self.cells[driver[0]]
        return driver in self.started or any(
            bits and cell["port_directions"][port] == "input"
            for port, bits in cell["connections"].items()
        )

    def in_order(self) -> Iterator[Pin]:
        """Outputs that start or pass on paths, each after those that it follows.

        Raises ``InputError`` for a combinational loop.
        """
        sorter: TopologicalSorter[Pin] = TopologicalSorter()
        for pin in {*self.started, *self.passed}:
            inputs = [(pin[0], port) for port, _ in self.passed.get(pin, ())]
            sorter.add(pin, *filter(None, (self.driver.get(self.bit(each)) for each in inputs)))
        try:
            yield from sorter.static_order()
        except CycleError as error:
            raise InputError(f"a combinational loop goes through {error.args[1][0][0]!r}") from None


class _Arrivals:
    """Latest arrivals at outputs, by kind of start, with the input that decided."""

    def __init__(self, graph: _Graph):
        self.graph = graph
        self._at: dict[Pin, dict[str, tuple[float, str | None]]] = {}
        for pin in graph.in_order():
            self._at[pin] = self._combine(pin)

    def at_input(self, pin: Pin) -> dict[str, float]:
        """Arrivals at an input; {} where the driver is a constant."""
        driver = self.graph.driver.get(self.graph.bit(pin))
        if driver is None:
            return {}
        if driver not in self._at and self.graph.drives_data(driver):
            raise InputError(f"nothing times {driver[0]!r}, which drives {pin[0]!r}: route again")
        if not self._at.get(driver):
            return {}
        late = self.graph.reach(pin).total
        return {kind: at + late for kind, (at, _) in self._at[driver].items()}

    def _combine(self, pin: Pin) -> dict[str, tuple[float, str | None]]:
        found: dict[str, tuple[float, str | None]] = {}
        if pin in self.graph.started:
            kind, delay = self.graph.started[pin]
            found[kind] = (delay.longest, None)
        for port, delay in self.graph.passed.get(pin, ()):
            for kind, at in self.at_input((pin[0], port)).items():
                if kind not in found or at + delay.longest > found[kind][0]:
                    found[kind] = (at + delay.longest, port)
        return found

    def path(self, start_kind: str, end: SampledInput) -> Path:
        """The slowest path of a kind to an endpoint, traced back."""
        graph = self.graph
        steps: list[PathStep] = []
        pin: Pin = end.pin
        setup = next(each.setup for name, each in graph.ends if (name, each.port) == end.pin)
        steps.append(PathStep("setup", setup, *pin))
        while True:
            bit = graph.bit(pin)
            steps.append(PathStep("wires", graph.reach(pin).total, *pin, net=graph.names.get(bit)))
            driver = graph.driver[bit]
            at, port = self._at[driver][start_kind]
            if port is None:
                steps.append(PathStep("clock-to-out", at, *driver))
                return Path(start_kind, end.kind, tuple(reversed(steps)))
            before = self.at_input((driver[0], port))[start_kind]
            steps.append(PathStep("logic", at - before, *driver))
            pin = (driver[0], port)


class _Earliest:
    """Earliest arrivals after the clock edge, by the smallest numbers."""

    _KINDS = ("register", "memory")
    """Starts whose smallest delay is known."""

    def __init__(self, graph: _Graph):
        self._graph = graph
        self._at: dict[Pin, float] = {}
        for pin in graph.in_order():
            times = [
                at + delay.shortest
                for port, delay in graph.passed.get(pin, ())
                if (at := self._at_input((pin[0], port))) is not None
            ]
            if pin in graph.started and graph.started[pin][0] in self._KINDS:
                times.append(graph.started[pin][1].shortest)
            if times:
                self._at[pin] = min(times)

    def _at_input(self, pin: Pin) -> float | None:
        driver = self._graph.driver.get(self._graph.bit(pin))
        if driver is None or driver not in self._at:
            return None
        return self._at[driver] + self._graph.reach(pin).shortest

    def slack(self) -> float:
        """The least by which an input outlasts its hold."""
        slacks = [
            at - end.hold
            for name, end in self._graph.ends
            if end.hold is not None and (at := self._at_input((name, end.port))) is not None
        ]
        return min(slacks, default=math.inf)
