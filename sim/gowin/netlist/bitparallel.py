# SPDX-License-Identifier: MIT
"""64 copies of a netlist at once, in the compiled simulator ``bitparallel.cpp``.

Copy 0 is the chip as it is; the others may be mutated. `BitParallelSim` has the members of
`glintfpga.sim.compiled.CompiledSim` that a port needs, and its line is that of copy 0.
"""

import ctypes
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources, util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.quant.files.native import compile_cached
from glintfpga.sim.gowin.netlist.flat_netlist import FlatNetlist
from glintfpga.sim.gowin.netlist.netlist import Netlist

__all__ = ["ALL", "COPIES", "BitParallelSim", "Noticed", "Recording"]

COPIES = 64
ALL = (1 << COPIES) - 1
_FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden")
_HEADERS = ("power_up.h", "differences.h", "collisions.h", "chip.h", "cells.h", "line.h")
_SOURCES = ("bitparallel.cpp", *_HEADERS)
_TAKE = 1 << 16


@dataclass(frozen=True)
class Noticed:
    """How a copy first differed: ``output`` is None for one that oscillates."""

    cycle: int
    output: str | None


@dataclass(frozen=True)
class Recording:
    """A conversation, as the cycles at which the line changed each way, and its length."""

    to_chip: NDArray[np.uint64]
    from_chip: NDArray[np.uint64]
    cycles: int

    @property
    def idle_cycles(self) -> int:
        """Cycles before anything was said to the chip: its line rested."""
        return int(self.to_chip[0]) if len(self.to_chip) else self.cycles

    @property
    def idle_part(self) -> "Recording":
        """These cycles alone."""
        heard = self.from_chip[self.from_chip < self.idle_cycles]
        return Recording(self.to_chip[:1], heard, self.idle_cycles)


class BitParallelSim:
    """A running netlist, from power-up on.

    Parameters: ``netlist``; ``clk_hz``, which converts cycles to seconds and baud;
    ``rx`` and ``tx``, the names of an input and an output that are the line; ``loops``, whether
    there may be combinational loops.

    Raises ``InputError`` for a netlist that cannot be simulated, ``EnvironmentProblem`` when
    there is no C++ compiler.
    """

    def __init__(
        self, netlist: Netlist, *, clk_hz: float, rx: str = "", tx: str = "", loops: bool = False
    ):
        self.flat = FlatNetlist(netlist, loops)
        self.clk_hz = clk_hz
        self._library = _library()
        cells, pins, contents = self.flat.arrays
        order = self.flat.order
        self._sim = ctypes.c_void_p(
            self._library.sim_new(
                self.flat.size,
                len(cells),
                cells.ctypes.data_as(ctypes.c_void_p),
                len(pins),
                pins.ctypes.data_as(ctypes.c_void_p),
                len(order),
                order.ctypes.data_as(ctypes.c_void_p),
                contents.ctypes.data_as(ctypes.c_void_p),
                len(contents),
                self.flat.clock,
            )
        )
        self._pads = [
            (name if len(nets) == 1 else f"{name}[{bit}]", net)
            for name, nets in netlist.outputs.items()
            for bit, net in enumerate(nets)
        ]
        nets = np.array([net for _, net in self._pads], np.int32)
        self._call("sim_outputs", nets.ctypes.data_as(ctypes.c_void_p), len(nets))
        if rx and tx:
            if rx not in netlist.inputs or tx not in netlist.outputs:
                raise InputError(f"the netlist has no pads {rx!r} and {tx!r}")
            self._call("sim_line", netlist.inputs[rx][0], netlist.outputs[tx][0])
        self._power_up()

    def __del__(self) -> None:
        if hasattr(self, "_sim"):
            self._library.sim_free(self._sim)

    def _call(self, name: str, *arguments: Any) -> int:
        return getattr(self._library, name)(self._sim, *arguments)

    # Power-up and mutations

    def reset(
        self, *, floating: int = 0, mutations: Iterable[Callable[["BitParallelSim"], None]] = ()
    ) -> None:
        """Power-up. Bit k of ``floating`` is what floating inputs read in copy k."""
        self._call("sim_restore")
        self._call("sim_floating", ctypes.c_uint64(floating))
        for mutation in mutations:
            mutation(self)
        self._power_up()

    def _power_up(self) -> None:
        self._call("sim_power_up")
        for net in self.flat.locks:
            self.set_net(net, ALL)

    def poison(self, seed: int) -> None:
        """From now on give copies but 0 random bits in place of a word of a block RAM that one port
        reads at the edge at which the other writes it: others each time, in each copy.

        On the chip such a word is undefined. ``seed`` is not 0; 0 ends it.
        """
        self._call("sim_poison", ctypes.c_uint64(seed))

    def set_table(self, cell: int, copy: int, table: int) -> None:
        """Give a LUT or an ALU other contents in one copy."""
        self._call("sim_table", cell, copy, table)

    def reroute(self, cell: int, pin: int, copy: int, net: int) -> None:
        """Let an input (as `flat.input_nets` counts them) read another net in one copy."""
        self._call("sim_route", cell, pin, copy, net)

    def set_state(self, cell: int, index: int, copy: int, value: int) -> None:
        """Change a bit of a memory, or a mode that ``bitparallel.cpp`` keeps with the state."""
        self._call("sim_state", cell, index, copy, value)

    # Pins

    def poke(self, name: str, value: int) -> None:
        """Set an input, in all copies."""
        for bit, net in enumerate(self.flat.netlist.inputs[name]):
            self.set_net(net, ALL * (value >> bit & 1))

    def peek(self, name: str, copy: int = 0) -> int:
        """An output, as it is since the last clock."""
        nets = self.flat.netlist.outputs[name]
        return sum((self.net(net) >> copy & 1) << bit for bit, net in enumerate(nets))

    def set_net(self, net: int, value: int) -> None:
        """Give a net another value in all copies, a bit each; what drives it may change it
        again."""
        self._call("sim_set", net, ctypes.c_uint64(value))

    def net(self, net: int) -> int:
        """A net in all copies, a bit each."""
        return int(self._library.sim_get(self._sim, net))

    def settle(self) -> None:
        """Let the logic follow its inputs."""
        self._call("sim_settle")

    def clock(self, cycles: int = 1) -> None:
        """Full clock periods; the line stands still."""
        self._call("sim_clock", cycles)

    # Line

    @property
    def cycles(self) -> int:
        """Cycles since power-up."""
        return int(self._library.sim_cycles(self._sim))

    @property
    def seconds(self) -> float:
        """Simulated time since power-up."""
        return self.cycles / self.clk_hz

    def set_baud(self, baud: float) -> None:
        """Rate of the host side, both ways."""
        self._call("sim_set_rate", round(baud / self.clk_hz * 2**32))

    def put(self, data: bytes) -> None:
        """Queue bytes for the chip to receive."""
        self._call("sim_put", data, len(data))

    def get(self, most: int | None = None) -> bytes:
        """Bytes that copy 0 has sent, at most 64 KiB a call."""
        buffer = ctypes.create_string_buffer(_TAKE)
        size = _TAKE if most is None else min(most, _TAKE)
        taken = self._call("sim_take", buffer, size)
        return buffer.raw[:taken]

    @property
    def waiting(self) -> int:
        """Bytes `get` would return."""
        return self._call("sim_waiting")

    @property
    def unsent(self) -> int:
        """Bytes queued by `put` and not yet on the wire as a whole."""
        return self._call("sim_unsent")

    @property
    def framing_errors(self) -> int:
        """Frames from the chip whose stop bit was low."""
        return self._call("sim_errors")

    def run(self, cycles: int, *, wanted: int = 0) -> int:
        """Run the clock and the line; with ``wanted``, only until so many bytes wait."""
        return self._call("sim_run", cycles, wanted)

    # Recordings

    def recording(self) -> Recording:
        """What was said since power-up."""
        return Recording(self._trace(0), self._trace(1), self.cycles)

    def replay(self, recording: Recording | None) -> None:
        """From the next power-up on, the line to the chip is a recorded one (None: it is not)."""
        edges = recording.to_chip if recording else np.zeros(0, np.uint64)
        if recording and not len(edges):
            raise InputError("nothing was recorded")
        self._call("sim_set_replay", edges.ctypes.data_as(ctypes.c_void_p), len(edges))

    def run_replay(self, cycles: int, copies: int = ALL - 1) -> int:
        """Run until every copy of the set ``copies`` was noticed; the cycles that passed."""
        return self._call("sim_replay", cycles, ctypes.c_uint64(copies))

    def watch(self, nets: Sequence[int]) -> None:
        """Keep a hash of these nets in copy 0 for each cycle; `take_hashes` has them."""
        data = np.array(nets, np.int32)
        self._call("sim_watch", data.ctypes.data_as(ctypes.c_void_p), len(data))

    def take_hashes(self) -> NDArray[np.uint64]:
        """The hash of the watched nets after each cycle since power-up or the last call."""
        hashes = self._trace(2)
        self._call("sim_forget_hashes")
        return hashes

    def tx_edges(self) -> NDArray[np.uint64]:
        """Cycles at which the line from the chip changed since power-up."""
        return self._trace(1)

    def _trace(self, which: int) -> NDArray[np.uint64]:
        room = np.zeros(self._call("sim_trace", which, None, 0), np.uint64)
        self._call("sim_trace", which, room.ctypes.data_as(ctypes.c_void_p), len(room))
        return room

    # Results

    @property
    def noticed(self) -> dict[int, Noticed]:
        """Lanes whose outputs have differed from those of copy 0 since power-up."""
        when, by = np.zeros(COPIES, np.uint64), np.zeros(COPIES, np.int32)
        copies = self._library.sim_noticed(
            self._sim, when.ctypes.data_as(ctypes.c_void_p), by.ctypes.data_as(ctypes.c_void_p)
        )
        return {
            copy: Noticed(int(when[copy]), self._pads[by[copy]][0] if by[copy] >= 0 else None)
            for copy in range(COPIES)
            if copies >> copy & 1
        }

    @property
    def differing(self) -> int:
        """The set of copies in which a register or memory now holds something else than in copy 0.

        A copy that was given other contents only, and no other table, mode or wire, and is not in
        the set, is copy 0 from now on, whatever the inputs.
        """
        return int(self._library.sim_differing(self._sim))

    @property
    def latched(self) -> int:
        """The set of copies in which a register, or a word written to a block RAM, has differed.

        What a block RAM shows of a difference in it does not count before something takes it.
        """
        return int(self._library.sim_latched(self._sim))

    @property
    def activated(self) -> int:
        """The set of copies in which a LUT or carry cell with another table has, at the end of a
        cycle, said something else than its own table would have said of the same inputs.
        """
        return int(self._library.sim_activated(self._sim))

    @property
    def collisions(self) -> int:
        """How often copy 0 has read a word of a block RAM at the edge at which it was written.

        Since power-up, and while there is a seed for `poison`; a block RAM at an edge counts once.
        """
        return int(self._library.sim_collisions(self._sim))

    def state(self, cell: int, count: int) -> list[int]:
        """The first words of a cell's state in copy 0, as ``bitparallel.cpp`` keeps it: bits."""
        bits = np.zeros(count, np.uint8)
        self._call("sim_peek_state", cell, count, bits.ctypes.data_as(ctypes.c_void_p))
        return bits.tolist()

    def used_entries(self) -> NDArray[np.uint32]:
        """For each LUT and ALU the set of its table's addresses that copy 0 has used since power-up
        or `clear_used_entries`.
        """
        seen = np.zeros(len(self.flat.cells), np.uint32)
        self._call("sim_used_entries", seen.ctypes.data_as(ctypes.c_void_p))
        return seen

    def clear_used_entries(self) -> None:
        """Forget which addresses were used before now."""
        self._call("sim_clear_used_entries")

    def values(self) -> NDArray[np.bool_]:
        """All nets in copy 0."""
        values = np.zeros(self.flat.size, np.uint8)
        self._call("sim_values", values.ctypes.data_as(ctypes.c_void_p))
        return values > 0

    def read_bytes(self) -> NDArray[np.uint8]:
        """Which bytes of each block RAM copy 0 has read while they were as at power-up.

        Shape (block RAMs, 2048), in the order of the cells; 1 where it has.
        """
        return np.bitwise_and(self._touched(), 1, dtype=np.uint8)

    def written_bytes(self) -> NDArray[np.uint8]:
        """Which bytes of each block RAM copy 0 has written since power-up; likewise."""
        return np.right_shift(self._touched(), 1, dtype=np.uint8)

    def _touched(self) -> NDArray[np.uint8]:
        count = sum(cell.kind == "BSRAM" for cell in self.flat.cells)
        used = np.zeros((count, 2048), np.uint8)
        self._call("sim_read_bytes", used.ctypes.data_as(ctypes.c_void_p))
        return used


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(_compiled()))
    library.sim_new.restype = ctypes.c_void_p
    library.sim_free.restype = None
    for name in ("get", "cycles", "noticed", "differing", "latched", "activated", "collisions"):
        getattr(library, f"sim_{name}").restype = ctypes.c_uint64
    for name in ("sim_run", "sim_replay", "sim_take", "sim_trace", "sim_waiting"):
        getattr(library, name).restype = ctypes.c_uint32
    return library


def _compiled() -> Path:
    """The simulator as a shared library."""
    folder = resources.files("glintfpga.sim.gowin.netlist")
    sources = {name: folder.joinpath(name).read_text("utf-8") for name in _SOURCES}
    return compile_cached("bitparallel.so", [*_compiler(), *_FLAGS], sources, what="the simulator")


def _compiler() -> list[str]:
    if found := shutil.which("g++"):
        return [found]
    if util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "c++"]
    raise EnvironmentProblem("no C++ compiler; run: pip install 'glintfpga[prove]'")
