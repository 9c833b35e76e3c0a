# SPDX-License-Identifier: MIT
"""The self-test: is the model in memory the one that was loaded, and does the core compute?"""

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Cat, Elaboratable, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.protocol import SelfTest as Result
from glintfpga.hdl.core_port import GoldenRun, OperationPort

__all__ = ["SelfTest"]


class SelfTest(wiring.Component):
    """Runs at power-up when there is a model, and after each good load, with the core at rest.

    1. The loader reads the whole image back: header and CRC from the info, the rest from the
       memories of the core. A CRC-32 finds every single flipped bit.
    2. The core computes the `GoldenRun`, and the CRC of its logits is compared with the image's
       golden value. This covers the logic and the schedule as far as one context reaches, and
       little of the tables that are no part of an image: of exp2, SiLU, rsqrt, reciprocal it reads
       few entries. Noise, link and counters are not tested, nor memory that no image uses.

    The context is empty before and after; noise generator and counters stay as they are.

    Parameters
    ----------
    has_model : bool
        There is a model at power-up.
    golden_run : GoldenRun

    Members
    -------
    drop : In(1)
        Strobe while not ``busy``: there is no model any more.
    start : In(1)
        Strobe while not ``busy``: there is a new one.
    busy, failed : Out(1)
        It runs; strobe as it ends without success.
    result : Out(SelfTest)
        Valid while not ``busy``.
    check, check_start, check_done, check_ok, golden
        To the image loader, see `LoaderPort`.
    core : Out(OperationPort), core_clear : Out(1)
        Ports of the core, which belong to the test while ``busy``.
    tick_ms : In(1)
    """

    def __init__(self, *, has_model: bool, golden_run: GoldenRun):
        self.has_model = has_model
        self.golden_run = golden_run
        super().__init__(
            {
                "drop": In(1),
                "start": In(1),
                "busy": Out(1, init=has_model),
                "failed": Out(1),
                "result": Out(Result, init=Result.NO_MODEL),
                "check": Out(1),
                "check_start": Out(1),
                "check_done": In(1),
                "check_ok": In(1),
                "golden": In(32),
                "core": Out(OperationPort),
                "core_clear": Out(1),
                "tick_ms": In(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        tokens, limit_ms = self.golden_run.tokens, self.golden_run.limit_ms
        position = Signal(range(tokens))
        last = Signal()
        settled = Signal()
        equal = Signal()
        same = Signal(4)
        waited = Signal(range(limit_ms))
        crc = self.core.o.payload.crc
        m.d.comb += [
            last.eq(position == tokens - 1),
            self.core.i.payload.id.eq(position & 1),
            self.core.i.payload.enter.eq(1),
            self.core.i.payload.logits.eq(last),
        ]
        # Byte by byte, as the CRC comes late in its cycle.
        m.d.sync += [
            same.eq(Cat(crc.word_select(i, 8) == self.golden.word_select(i, 8) for i in range(4))),
            settled.eq(self.core.o.valid),
            self.failed.eq(0),
        ]

        def end(result: Result) -> None:
            m.d.sync += [
                self.result.eq(result),
                self.failed.eq(result != Result.PASSED),
                self.busy.eq(0),
            ]
            m.next = "IDLE"

        @contextmanager
        def core_state(name: str) -> Iterator[None]:
            """A state that waits for the core."""
            with m.State(name):
                with m.If(self.tick_ms):
                    m.d.sync += waited.eq(waited + 1)
                yield
                with m.If(waited == limit_ms - 1):
                    end(Result.TOKEN_FAILED)

        with m.FSM(init="REST" if self.has_model else "IDLE"):
            with m.State("IDLE"):
                # Wait for a model.
                m.d.sync += [position.eq(0), waited.eq(0)]
                with m.If(self.drop):
                    m.d.sync += self.result.eq(Result.NO_MODEL)
                with m.If(self.start):
                    m.d.sync += self.busy.eq(1)
                    m.next = "REST"
            with m.State("REST"):
                # The core reads its tables first.
                with m.If(self.core.idle):
                    m.d.comb += self.check_start.eq(1)
                    m.next = "MEMORY"
            with m.State("MEMORY"):
                # The loader reads the image back.
                m.d.comb += self.check.eq(1)
                with m.If(self.check_done):
                    m.next = "TOKENS"
                    with m.If(~self.check_ok):
                        end(Result.MEMORY_FAILED)
            with core_state("TOKENS"):
                # The core enters the context, and computes logits with its last token.
                m.d.comb += self.core.i.valid.eq(1)
                with m.If(self.core.i.ready):
                    m.d.sync += position.eq(position + 1)
                    with m.If(last):
                        m.next = "ANSWER"
            with core_state("ANSWER"):
                # Compare; `same` is a cycle behind.
                m.d.comb += self.core.o.ready.eq(settled)
                m.d.sync += equal.eq(same.all())
                with m.If(self.core.o.valid & settled):
                    m.next = "CLEAR"
            with core_state("CLEAR"):
                # Empty the context again.
                with m.If(self.core.idle):
                    m.d.comb += self.core_clear.eq(1)
                    m.next = "CLEARED"
            with core_state("CLEARED"):
                with m.If(self.core.idle):
                    with m.If(equal):
                        end(Result.PASSED)
                    with m.Else():
                        end(Result.TOKEN_FAILED)
        return m
