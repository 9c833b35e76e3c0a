# SPDX-License-Identifier: MIT
"""Memories as this chip has them: one write port, one or two read ports.

The build sets COLLISION_X_MASK, so what a port reads of a row in the very cycle in which the row
is written is undefined on the chip. It happens, as ports read whatever their address is; such a
word is never used.

Write enables are forced low during reset: before the first clock edge registers are undefined, and
a write at that edge could not be undone.
"""

from collections.abc import Iterable

from amaranth.hdl import Array, Module, ResetSignal, Signal, Value, ValueLike
from amaranth.lib import memory, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["ReadPort", "WritePort", "byte_ram", "outside_reset", "pack_row", "ram", "rom"]

BLOCK_BYTES = 2048
"""Of one block RAM, as bytes."""


class ReadPort(wiring.Signature):
    """Read port of a memory of bytes, seen from the reader.

    Parameters
    ----------
    depth : int
        Bytes that can be addressed.

    Members
    -------
    enable : Out(1)
    address : Out(range(depth))
    data : In(8)
        The byte at ``address`` one cycle after ``enable``; stable until the next ``enable``.
    """

    def __init__(self, depth: int) -> None:
        super().__init__({"enable": Out(1), "address": Out(range(depth)), "data": In(8)})


class WritePort(wiring.Signature):
    """Write port of a memory of bytes, seen from the writer.

    Parameters
    ----------
    depth : int
        Bytes that can be addressed.

    Members
    -------
    enable : Out(1)
        Strobe: store ``data`` at ``address``.
    address : Out(range(depth))
    data : Out(8)
    """

    def __init__(self, depth: int) -> None:
        super().__init__({"enable": Out(1), "address": Out(range(depth)), "data": Out(8)})


def pack_row(row: Iterable[int], width: int) -> int:
    """Numbers as one memory word, ``width`` bits each, the first one lowest."""
    mask = (1 << width) - 1
    return sum((int(number) & mask) << (width * i) for i, number in enumerate(row))


def outside_reset(enable: ValueLike) -> Value:
    """``enable`` of a write port, low while reset is on."""
    return Value.cast(enable) & ~ResetSignal(allow_reset_less=True)


def rom(m: Module, name: str, contents: Iterable[int], width: int, address: Value) -> Value:
    """Add a ROM of whole words with a registered read: data one cycle after the address."""
    words = [int(word) & ((1 << width) - 1) for word in contents]
    store = Memory(shape=width, depth=len(words), init=words)
    m.submodules[name] = store
    port = store.read_port(domain="sync")
    m.d.comb += [port.addr.eq(address), port.en.eq(1)]
    return port.data


def ram(
    m: Module, name: str, *, width: int, depth: int, init: Iterable[int], address: Value
) -> tuple[Value, memory.WritePort]:
    """Add a RAM with a registered read at ``address``; returns (read data, write port).

    Give the write port its enable through `outside_reset`.
    """
    words = [int(word) & ((1 << width) - 1) for word in init]
    store = Memory(shape=width, depth=depth, init=words)
    m.submodules[name] = store
    port = store.read_port(domain="sync")
    m.d.comb += [port.addr.eq(address), port.en.eq(1)]
    return port.data, store.write_port()


def byte_ram(m: Module, name: str, depth: int, *, write: WritePort, read: ReadPort) -> None:
    """Add a RAM of bytes behind its two ports, seen from the user of the memory.

    It is made of whole block RAMs: a memory of that depth in one piece would be cut into narrow
    columns, ports that nothing else in the design uses. Give the write port its enable through
    `outside_reset`.
    """
    blocks = range(-(-depth // BLOCK_BYTES))
    block_bits = (len(blocks) - 1).bit_length()
    at_bits = (min(depth, BLOCK_BYTES) - 1).bit_length()
    shown = Signal(block_bits, name=f"{name}_shown")
    found = []
    for block in blocks:
        store = Memory(shape=8, depth=min(depth, BLOCK_BYTES), init=[])
        m.submodules[f"{name}{block}"] = store
        to, from_ = store.write_port(), store.read_port()
        m.d.comb += [
            to.addr.eq(write.address[:at_bits]),
            to.data.eq(write.data),
            to.en.eq(write.enable & (write.address[at_bits:] == block)),
            from_.addr.eq(read.address[:at_bits]),
            from_.en.eq(read.enable & (read.address[at_bits:] == block)),
        ]
        found.append(from_.data)
    with m.If(read.enable):
        m.d.sync += shown.eq(read.address[at_bits:])
    m.d.comb += read.data.eq(Array(found)[shown])
