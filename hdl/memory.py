# SPDX-License-Identifier: MIT
"""Memories as this chip has them: one write port, one or two read ports, never both at one row.

The build sets COLLISION_X_MASK, so reading a row in the very cycle in which it is written is
undefined on the chip: every user of these memories keeps the two apart in time.
"""

from __future__ import annotations

from collections.abc import Iterable

from amaranth.hdl import Module, Value
from amaranth.lib import memory
from amaranth.lib.memory import Memory

__all__ = ["ram", "rom"]


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
    """Add a RAM with a registered read at ``address``; returns (read data, write port)."""
    words = [int(word) & ((1 << width) - 1) for word in init]
    store = Memory(shape=width, depth=depth, init=words)
    m.submodules[name] = store
    port = store.read_port(domain="sync")
    m.d.comb += [port.addr.eq(address), port.en.eq(1)]
    return port.data, store.write_port()
