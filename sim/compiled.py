# SPDX-License-Identifier: MIT
"""A compiled design, WebAssembly through wasmtime; tests run shared libraries the same way.

What ships with the package is in `glintfpga.sim.shipped`.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import wasmtime

from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.sim.module_cache import compiled

__all__ = ["CompiledSim", "Item", "Program", "WasmProgram"]


class Program(Protocol):
    """One instance of ``tests/support/harness.cpp``."""

    def call(self, name: str, *arguments: int) -> int:
        """Call an exported function of unsigned 32-bit integers."""

    def load(self, size: int) -> bytes:
        """The first bytes of the exchange buffer."""

    def store(self, data: bytes) -> None:
        """Write to the start of the exchange buffer."""


class WasmProgram:
    """A WebAssembly module. Raises ``EnvironmentProblem`` when wasmtime cannot run it."""

    def __init__(self, code: bytes):
        try:
            engine = wasmtime.Engine()
            linker = wasmtime.Linker(engine)
            linker.define_wasi()
            self._store = wasmtime.Store(engine)
            self._store.set_wasi(wasmtime.WasiConfig())
            instance = linker.instantiate(self._store, compiled(engine, code))
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise EnvironmentProblem(f"wasmtime cannot run the simulation: {error}") from error
        exports: Any = instance.exports(self._store)
        self._functions = exports
        self._memory = exports["memory"]
        self._functions["_initialize"](self._store)
        self._at = self.call("sim_buffer")

    def call(self, name: str, *arguments: int) -> int:
        # The interface of wasm knows signed integers only.
        signed = (value - (value >> 31 << 32) for value in arguments)
        return (self._functions[name](self._store, *signed) or 0) & 0xFFFFFFFF

    def load(self, size: int) -> bytes:
        return bytes(self._memory.read(self._store, self._at, self._at + size))

    def store(self, data: bytes) -> None:
        self._memory.write(self._store, data, self._at)


class Item:
    """A port, register or memory of the simulated design, by its hierarchical name.

    Attributes: ``name``, ``width`` in bits, ``rows`` (1 unless it is a memory), ``is_memory``.
    Values are unsigned bit patterns. Of a register that Yosys split into parts, bits that never
    change read 0.
    """

    def __init__(self, program: Program, handle: int, name: str):
        self._program = program
        self.handle = handle
        self.name = name
        self.width = program.call("sim_item_width", handle)
        self.rows = program.call("sim_item_rows", handle)
        self.is_memory = bool(program.call("sim_item_is_memory", handle))
        self._row_bytes = -(-self.width // 32) * 4

    def peek(self, row: int = 0) -> int:
        """One row, or the value of what is no memory."""
        return self.peek_rows(row, 1)[0]

    def peek_rows(self, first: int, count: int) -> list[int]:
        """Rows ``first`` to ``first + count - 1``, at most 64 KiB of them."""
        self._check(first, count)
        self._program.call("sim_peek", self.handle, first, count)
        data = self._program.load(count * self._row_bytes)
        step = self._row_bytes
        return [int.from_bytes(data[i : i + step], "little") for i in range(0, len(data), step)]

    def poke(self, value: int, row: int = 0) -> None:
        """Replace one row, or the value of a port or register, until the design drives it."""
        self.poke_rows(row, [value])

    def poke_rows(self, first: int, values: Sequence[int]) -> None:
        """Replace rows from ``first`` on."""
        self._check(first, len(values))
        data = b"".join(value.to_bytes(self._row_bytes, "little") for value in values)
        self._program.store(data)
        self._program.call("sim_poke", self.handle, first, len(values))

    def _check(self, first: int, count: int) -> None:
        if not 0 <= first <= first + count <= self.rows:
            raise InputError(
                f"rows {first}..{first + count - 1} are not in {self.name!r} ({self.rows} rows)"
            )


class CompiledSim:
    """A running design, from power-up on.

    ``clk_hz`` only converts: cycles to seconds, baud to a fraction of the clock.
    Designs without ``rx`` and ``tx`` have no `put`, `get`, `run` and `set_baud`.
    """

    def __init__(self, program: Program, *, clk_hz: float):
        self.program = program
        self.clk_hz = clk_hz
        self._buffer_bytes = program.call("sim_buffer_bytes")
        self.reset()

    @property
    def cycles(self) -> int:
        """Cycles since power-up."""
        self.program.call("sim_cycles")
        return int.from_bytes(self.program.load(8), "little")

    @property
    def seconds(self) -> float:
        """Simulated time since power-up."""
        return self.cycles / self.clk_hz

    def reset(self) -> None:
        """Power-up: initial memories and registers, empty queues, no trace."""
        self.program.call("sim_reset")
        self._handles: dict[str, int] = {}
        for handle in range(self.program.call("sim_items")):
            size = self.program.call("sim_item_name", handle)
            self._handles[self.program.load(size).decode()] = handle

    # Items

    def names(self) -> list[str]:
        """Hierarchical names, parts separated by spaces, of everything `item` finds."""
        return list(self._handles)

    def item(self, name: str) -> Item:
        """The item of this name; raises ``InputError`` if there is none."""
        if name not in self._handles:
            raise InputError(f"the simulated design has nothing called {name!r}")
        return Item(self.program, self._handles[name], name)

    def clock(self, cycles: int = 1) -> None:
        """Full clock periods, with every output settled after the last; the UART stands still."""
        self.program.call("sim_clock", cycles)

    def clock_until(self, item: Item, value: int, *, limit: int) -> int:
        """Clock until a port or register of up to 32 bits reads ``value``; the cycles it took.

        Raises ``InputError`` after ``limit`` cycles, and for a wider one.
        """
        _check_word(item)
        used = self.program.call("sim_clock_until", item.handle, value, limit)
        if used > limit:
            raise InputError(f"{item.name!r} did not become {value} within {limit} cycles")
        return used

    def sweep(self, port: Item, output: Item, count: int) -> list[int]:
        """What ``output`` reads one clock after each value ``0..count - 1`` of an input port.

        Raises ``InputError`` for an output of more than 32 bits.
        """
        _check_word(output)
        self.program.call("sim_sweep", port.handle, output.handle, count)
        data = self.program.load(4 * count)
        return [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)]

    # UART

    def set_baud(self, baud: float) -> None:
        """Rate of the host side, both ways."""
        self.program.call("sim_set_rate", round(baud / self.clk_hz * 2**32))

    def put(self, data: bytes) -> None:
        """Queue bytes for the design to receive."""
        for at in range(0, len(data), self._buffer_bytes):
            part = data[at : at + self._buffer_bytes]
            self.program.store(part)
            self.program.call("sim_put", len(part))

    def get(self, most: int | None = None) -> bytes:
        """Bytes the design has sent, at most 64 KiB per call."""
        size = self._buffer_bytes if most is None else min(most, self._buffer_bytes)
        return self.program.load(self.program.call("sim_get", size))

    @property
    def waiting(self) -> int:
        """Bytes `get` would return."""
        return self.program.call("sim_waiting")

    @property
    def unsent(self) -> int:
        """Bytes queued by `put` and not yet on the wire as a whole."""
        return self.program.call("sim_unsent")

    @property
    def framing_errors(self) -> int:
        """Frames from the design whose stop bit was low."""
        return self.program.call("sim_framing_errors")

    def run(self, cycles: int, *, wanted: int = 0) -> int:
        """Run the clock and the UART; with ``wanted``, only until so many bytes wait.

        Returns the cycles that passed.
        """
        return self.program.call("sim_run", cycles, wanted)

    # Waveforms

    def trace_start(self) -> None:
        """Begin a waveform of all ports and registers; every cycle from now on costs a lot."""
        self.program.call("sim_trace_start", round(1e12 / self.clk_hz))

    def trace_take(self) -> bytes:
        """The part of the waveform (VCD text) not yet taken."""
        parts = []
        while size := self.program.call("sim_trace_take"):
            parts.append(self.program.load(size))
        return b"".join(parts)


def _check_word(item: Item) -> None:
    if item.width > 32:
        raise InputError(f"{item.name!r} has {item.width} bits, more than 32: read it with peek()")
