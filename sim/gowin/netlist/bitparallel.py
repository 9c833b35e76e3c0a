# SPDX-License-Identifier: MIT
"""Bit-parallel simulation: 64 copies of a netlist at once, in compiled C++ (``chip.h``).

Copy 0 is the good chip; the others may be mutated. All copies receive the same line; the bytes that
`BitParallelSim` returns are those of copy 0.
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
    """Where a copy first differed from copy 0: ``output`` is None for one that oscillates."""

    cycle: int
    output: str | None


@dataclass(frozen=True)
class Recording:
    """A recorded conversation: the cycles at which the line toggled, each way, and the length."""

    to_chip: NDArray[np.uint64]
    from_chip: NDArray[np.uint64]
    cycles: int

    @property
    def idle_cycles(self) -> int:
        """Cycles before the first byte to the chip."""
        return int(self.to_chip[0]) if len(self.to_chip) else self.cycles

    @property
    def idle_part(self) -> "Recording":
        """The recording of these cycles only."""
        edges = self.from_chip[self.from_chip < self.idle_cycles]
        return Recording(self.to_chip[:1], edges, self.idle_cycles)


class BitParallelSim:
    """A simulation of 64 copies of a netlist, from power-up on.

    Parameters
    ----------
    netlist:
        The good chip, with the cells of all mutants.
    clk_hz:
        Clock frequency; it converts cycles to seconds and bauds.
    rx, tx:
        Names of the input and the output pad of the line.
    loops:
        Whether combinational loops are allowed.

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
        """Power up. Bit k of ``floating`` is the value of floating inputs in copy k."""
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
        """Randomize read-write collisions in all copies except copy 0.

        A block RAM word that one port reads at the clock edge at which the other port writes it is
        undefined on the chip: from now on every such read gives random bits, different ones in each
        copy. A ``seed`` of 0 ends it.
        """
        self._call("sim_poison", ctypes.c_uint64(seed))

    def set_table(self, cell: int, copy: int, table: int) -> None:
        """Set the table of a LUT or ALU in one copy."""
        self._call("sim_table", cell, copy, table)

    def reroute(self, cell: int, pin: int, copy: int, net: int) -> None:
        """Connect an input pin (numbered as in `input_nets`) to another net in one copy."""
        self._call("sim_route", cell, pin, copy, net)

    def set_state(self, cell: int, index: int, copy: int, value: int) -> None:
        """Set a bit of a memory, or a mode bit, in one copy; ``chip.h`` lays out the state."""
        self._call("sim_state", cell, index, copy, value)

    # Pins

    def poke(self, name: str, value: int) -> None:
        """Set an input, in all copies."""
        for bit, net in enumerate(self.flat.netlist.inputs[name]):
            self.set_net(net, ALL * (value >> bit & 1))

    def peek(self, name: str, copy: int = 0) -> int:
        """The value of an output after the last clock edge."""
        nets = self.flat.netlist.outputs[name]
        return sum((self.net(net) >> copy & 1) << bit for bit, net in enumerate(nets))

    def set_net(self, net: int, value: int) -> None:
        """Set a net in all copies, one bit each; its driver may change it again."""
        self._call("sim_set", net, ctypes.c_uint64(value))

    def net(self, net: int) -> int:
        """The value of a net in all copies, one bit each."""
        return int(self._library.sim_get(self._sim, net))

    def settle(self) -> None:
        """Evaluate the combinational logic until it is stable."""
        self._call("sim_settle")

    def clock(self, cycles: int = 1) -> None:
        """Run whole clock periods without the line."""
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
        """Baud rate of the host side, both ways."""
        self._call("sim_set_rate", round(baud / self.clk_hz * 2**32))

    def put(self, data: bytes) -> None:
        """Queue bytes for the chip to receive."""
        self._call("sim_put", data, len(data))

    def get(self, most: int | None = None) -> bytes:
        """Bytes that copy 0 has sent, at most 64 KiB per call."""
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
        """Bytes queued by `put` that are not yet sent completely."""
        return self._call("sim_unsent")

    @property
    def framing_errors(self) -> int:
        """Frames from the chip whose stop bit was low."""
        return self._call("sim_errors")

    def run(self, cycles: int, *, wanted: int = 0) -> int:
        """Run the clock and the line; with ``wanted``, only until that many bytes are received."""
        return self._call("sim_run", cycles, wanted)

    # Recordings

    def recording(self) -> Recording:
        """The conversation since power-up."""
        return Recording(self._trace(0), self._trace(1), self.cycles)

    def replay(self, recording: Recording | None) -> None:
        """Replay a recording on the line to the chip, from the next power-up on; None: do not."""
        edges = recording.to_chip if recording else np.zeros(0, np.uint64)
        if recording and not len(edges):
            raise InputError("nothing was recorded")
        self._call("sim_set_replay", edges.ctypes.data_as(ctypes.c_void_p), len(edges))

    def run_replay(self, cycles: int, copies: int = ALL - 1) -> int:
        """Run until all copies of the set ``copies`` have differed; the number of cycles run."""
        return self._call("sim_replay", cycles, ctypes.c_uint64(copies))

    def watch(self, nets: Sequence[int]) -> None:
        """Compute a hash of these nets in copy 0 after each cycle, for `take_hashes`."""
        data = np.array(nets, np.int32)
        self._call("sim_watch", data.ctypes.data_as(ctypes.c_void_p), len(data))

    def take_hashes(self) -> NDArray[np.uint64]:
        """The hash of the watched nets after each cycle since power-up or the last call."""
        hashes = self._trace(2)
        self._call("sim_forget_hashes")
        return hashes

    def tx_edges(self) -> NDArray[np.uint64]:
        """Cycles at which the line from the chip toggled since power-up."""
        return self._trace(1)

    def _trace(self, which: int) -> NDArray[np.uint64]:
        room = np.zeros(self._call("sim_trace", which, None, 0), np.uint64)
        self._call("sim_trace", which, room.ctypes.data_as(ctypes.c_void_p), len(room))
        return room

    # Results

    @property
    def noticed(self) -> dict[int, Noticed]:
        """Copies that have differed from copy 0 at an output since power-up."""
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
        """The set of copies whose registers or memories now differ from those of copy 0.

        A copy that is not in the set, and was mutated in its memory contents only, behaves as
        copy 0 from now on, for any input.
        """
        return int(self._library.sim_differing(self._sim))

    @property
    def latched(self) -> int:
        """The set of copies in which a register, or a word written to a block RAM, has differed.

        A block RAM output that differs does not count until a register or memory stores it.
        """
        return int(self._library.sim_latched(self._sim))

    @property
    def activated(self) -> int:
        """The set of copies in which a changed LUT table was activated.

        That is: at the end of some cycle, its output differs from that of the original table for
        the same inputs.
        """
        return int(self._library.sim_activated(self._sim))

    @property
    def collisions(self) -> int:
        """Number of read-write collisions in block RAMs of copy 0, at most one per RAM and edge.

        Counted since power-up, while `poison` has a seed.
        """
        return int(self._library.sim_collisions(self._sim))

    def state(self, cell: int, count: int) -> list[int]:
        """The first bits of a cell's state in copy 0, as ``chip.h`` lays it out."""
        bits = np.zeros(count, np.uint8)
        self._call("sim_peek_state", cell, count, bits.ctypes.data_as(ctypes.c_void_p))
        return bits.tolist()

    def used_entries(self) -> NDArray[np.uint32]:
        """For each LUT and ALU the set of table addresses that copy 0 has used.

        Counted since power-up or `clear_used_entries`.
        """
        seen = np.zeros(len(self.flat.cells), np.uint32)
        self._call("sim_used_entries", seen.ctypes.data_as(ctypes.c_void_p))
        return seen

    def clear_used_entries(self) -> None:
        """Forget which table entries were used before now."""
        self._call("sim_clear_used_entries")

    def values(self) -> NDArray[np.bool_]:
        """The values of all nets in copy 0."""
        values = np.zeros(self.flat.size, np.uint8)
        self._call("sim_values", values.ctypes.data_as(ctypes.c_void_p))
        return values > 0

    def read_bytes(self) -> NDArray[np.uint8]:
        """Which bytes of each block RAM copy 0 has read before it wrote them.

        Shape (block RAMs, 2048), in the order of the cells; 1 for a byte that was read.
        """
        return np.bitwise_and(self._touched(), 1, dtype=np.uint8)

    def written_bytes(self) -> NDArray[np.uint8]:
        """Which bytes of each block RAM copy 0 has written since power-up, in the same shape."""
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
