# SPDX-License-Identifier: MIT
"""Event counters in a small memory: one adder for all of them."""

from dataclasses import fields

from amaranth.hdl import Elaboratable, Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.messages import Counters
from glintfpga.hdl.primitives.memory import outside_reset

__all__ = ["COUNTER_BYTES", "CounterBank"]

COUNTER_BYTES = len(Counters().encode())
NAMES = tuple(field.name for field in fields(Counters))
FIRST = {
    name: next(i for i, byte in enumerate(Counters(**{name: 1}).encode()) if byte) for name in NAMES
}
"""Position of the lowest byte of each counter."""
DEPTH = 256
"""More than needed: a smaller memory would be made of LUTs."""
PENDING_BITS = {name: 7 if name.endswith("cycles") else 4 for name in NAMES}
"""Events a counter can have in one round of the adder: one per cycle, or a few."""


class CounterBank(wiring.Component):
    """The counters of `messages.Counters`, in its layout.

    One adder visits all counter bytes cyclically, 2 cycles each. Events accumulate in small pending
    counters, are added at the lowest byte, and the carry moves on to the next.

    Members
    -------
    one port per counter, named like it : In(1)
        Count one in this cycle. ``token_cycles`` and the other cycles may count in every cycle,
        the rest at most once in 6 cycles on average.
    restart : In(1)
        Strobe: ``token_cycles`` starts again from 0, with this cycle's event counted.
    report : In(1)
        Send the bytes in the next round; stays high until the last one is accepted. The adder waits
        for the reader then, and up to 15 events of each kind with it.
    o : Out(stream of 8)
        `COUNTER_BYTES` bytes.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                **{name: In(1) for name in NAMES},
                "restart": In(1),
                "report": In(1),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.bytes = store = memory.Memory(shape=8, depth=DEPTH, init=[])
        write = store.write_port()
        read = store.read_port()

        at = Signal(range(COUNTER_BYTES))
        adding = Signal()
        carry = Signal()
        reporting = Signal()
        wanted = Signal()
        restarting = Signal()
        from_zero = Signal()
        addend = Signal(max(PENDING_BITS.values()))
        total = Signal(9)
        step = Signal()
        m.d.comb += [
            from_zero.eq(Mux(at == FIRST["token_cycles"], wanted, restarting)),
            total.eq(Mux(from_zero, 0, read.data) + addend),
            read.addr.eq(at),
            read.en.eq(~adding),
            write.addr.eq(at),
            write.data.eq(total),
            write.en.eq(outside_reset(step)),
            self.o.valid.eq(adding & reporting),
            self.o.payload.eq(total),
            step.eq(adding & (~reporting | self.o.ready)),
        ]
        with m.If(~adding):
            m.d.sync += adding.eq(1)
            with m.If(at == 0):
                m.d.sync += reporting.eq(self.report)
        with m.If(step):
            m.d.sync += [adding.eq(0), carry.eq(total[8]), at.eq(at + 1)]
            with m.If(at == COUNTER_BYTES - 1):
                m.d.sync += [at.eq(0), reporting.eq(0)]
            m.d.sync += restarting.eq(from_zero & (at != FIRST["total_cycles"] - 1))
            with m.If(at == FIRST["token_cycles"]):
                m.d.sync += wanted.eq(0)
        # Events come from all over the chip: a register ends their way.
        restart = Signal()
        events = {name: Signal(name=f"event_{name}") for name in NAMES}
        m.d.sync += restart.eq(self.restart)
        m.d.sync += [events[name].eq(getattr(self, name)) for name in NAMES]
        with m.If(restart):
            m.d.sync += wanted.eq(1)

        pending = {name: Signal(PENDING_BITS[name], name=f"pending_{name}") for name in NAMES}
        accepted = {name: Signal(name=f"accepted_{name}") for name in NAMES}
        with m.Switch(at):
            for name in NAMES:
                with m.Case(FIRST[name]):
                    m.d.comb += [addend.eq(pending[name]), accepted[name].eq(step)]
            with m.Default():
                m.d.comb += addend.eq(carry)
        for name in NAMES:
            emptied = accepted[name] | (restart if name == "token_cycles" else 0)
            m.d.sync += pending[name].eq(Mux(emptied, 0, pending[name]) + events[name])
        return m
