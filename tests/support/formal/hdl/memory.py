# SPDX-License-Identifier: MIT
"""A RAM made of several blocks is one memory."""

from collections.abc import Callable
from functools import partial
from typing import Any

from amaranth.asserts import AnyConst
from amaranth.hdl import Array, Cover, Elaboratable, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from glintfpga.hdl.primitives.memory import BLOCK_BYTES, ReadPort, WritePort
from support.formal.environment import Inside, always, leave_free

__all__ = ["ByteRamProperties"]


class _Ram(wiring.Component):
    """A RAM of bytes and nothing else."""

    def __init__(self, add: Callable[..., None], depth: int) -> None:
        self.add = partial(add, depth=depth)
        super().__init__({"write": In(WritePort(depth)), "read": In(ReadPort(depth))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self.add(m, "ram", write=self.write, read=self.read)
        return m


class ByteRamProperties(Elaboratable):
    """For any reads and writes of a RAM of four blocks, and any one byte in it."""

    DEPTH = 4 * BLOCK_BYTES

    def __init__(self, byte_ram: Callable[..., None]) -> None:
        self.ram = _Ram(byte_ram, self.DEPTH)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.ram
        inside = Inside(dut)
        stored = [inside.memory(f"ram{block}").read_port(domain="comb") for block in range(4)]
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        where = AnyConst(range(self.DEPTH))
        block = where[BLOCK_BYTES.bit_length() - 1 :]
        m.d.comb += [port.addr.eq(where) for port in stored]
        byte, known = Signal(8), Signal()
        with m.If(dut.write.enable & (dut.write.address == where)):
            m.d.sync += [byte.eq(dut.write.data), known.eq(1)]
        lies = Array(port.data for port in stored)[block] == byte
        always(m, "a byte stays until the next is written there", ~known | lies)
        shown, due = Signal(), Signal(8)
        with m.If(dut.read.enable):
            m.d.sync += [shown.eq(known & (dut.read.address == where)), due.eq(byte)]
        always(m, "it is read as it was written", ~shown | (dut.read.data == due))
        always(m, "and stays from one read to the next", ~shown | (inside["ram_shown"] == block))

        m.d.comb += Cover(shown & (due == 7) & (where == self.DEPTH - 1), "a byte is read")
        return m
