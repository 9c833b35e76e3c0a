# SPDX-License-Identifier: MIT
"""Everything between line bytes and a machine: link, command parser, token loops, counters."""

from amaranth.hdl import Elaboratable, Module, Mux, ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.protocol import BAUDS, HelloFlag
from glintfpga.firmware.wire.protocol import SelfTest as SelfTestResult
from glintfpga.hdl.core_port import CorePort, GoldenRun, LoaderPort
from glintfpga.hdl.link.link import Link
from glintfpga.hdl.link.message_writer import MessageWriter
from glintfpga.hdl.link.uart import LineByte
from glintfpga.hdl.link_sizes import LARGE, LinkSizes
from glintfpga.hdl.service.command_parser import CommandParser
from glintfpga.hdl.service.counters import CounterBank
from glintfpga.hdl.service.hello import HelloStore
from glintfpga.hdl.service.self_test import SelfTest
from glintfpga.hdl.service.token_loops import ONE_BYTE_VOCAB, TokenLoops

__all__ = ["Service"]


class Service(wiring.Component):
    """Serves a core to the line, as `glintfpga.firmware.wire.protocol` defines.

    Parameters
    ----------
    clk_hz : int
        Clock of the domain ``sync``.
    info : HelloInfo
        Answer to HELLO at power-up; its MODEL flag is set if there is a model then.
    golden_run : GoldenRun
        Of the machine.
    sizes : LinkSizes

    Members
    -------
    rx : In(LineByte)
        Bytes from the line.
    tx : Out(stream of 8), tx_idle : In(1)
        Bytes for the line; the line is idle.
    baud : Out(range)
        Index into `BAUDS`.
    core : Out(CorePort), loader : Out(LoaderPort)
        To the machine.
    model : Out(1)
        There is a model.
    self_test : Out(SelfTest)
        Result of the last self-test.
    """

    rx: In(LineByte)
    tx: Out(stream.Signature(8))
    tx_idle: In(1)
    baud: Out(range(len(BAUDS)))
    core: Out(CorePort)
    loader: Out(LoaderPort)
    model: Out(1)
    self_test: Out(SelfTestResult)

    def __init__(
        self, *, clk_hz: int, info: HelloInfo, golden_run: GoldenRun, sizes: LinkSizes = LARGE
    ):
        self.clk_hz = clk_hz
        self.sizes = sizes
        self.info = info
        self.golden_run = golden_run
        super().__init__()

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        has_model = bool(self.info.flags & HelloFlag.MODEL)
        m.submodules.link = self._link = Link(clk_hz=self.clk_hz, sizes=self.sizes)
        m.submodules.parser = self._parser = CommandParser(has_model=has_model)
        m.submodules.test = self._test = SelfTest(has_model=has_model, golden_run=self.golden_run)
        m.submodules.loops = self._loops = TokenLoops()
        m.submodules.counters = self._counters = CounterBank()
        m.submodules.hello = self._hello = HelloStore(info=self.info)
        self._connect_line(m)
        self._connect_messages(m)
        self._connect_commands(m)
        self._connect_core(m)
        self._connect_info(m)
        self._count(m)
        return m

    def _connect_line(self, m: Module) -> None:
        link = self._link
        wiring.connect(m, wiring.flipped(self.rx), link.rx)
        wiring.connect(m, link.tx, wiring.flipped(self.tx))
        m.d.comb += [
            link.tx_idle.eq(self.tx_idle),
            link.core_busy.eq(~self.core.idle),
            # A cycle longer than it runs: without success the model goes then.
            link.block_hello.eq(self._test.busy | self._test.failed),
            self.baud.eq(link.baud),
        ]

    def _connect_messages(self, m: Module) -> None:
        """One writer for parser and token loops; it belongs to the loops while they work."""
        link, parser, loops = self._link, self._parser, self._loops
        writer = MessageWriter(sizes=self.sizes)
        m.submodules.message_writer = ResetInserter(link.hello)(writer)
        wiring.connect(m, writer.ring, link.ring)
        ours, theirs, to_writer = parser.message.body, loops.message.body, writer.message.body
        m.d.comb += [
            writer.tick_ms.eq(link.tick_ms),
            writer.long.eq(link.long),
            writer.close.eq(parser.message_close),
            parser.message_open.eq(writer.is_open),
            writer.message.op.eq(Mux(loops.run.busy, loops.message.op, parser.message.op)),
            to_writer.valid.eq(theirs.valid | ours.valid),
            to_writer.payload.eq(
                Mux(loops.run.busy, theirs.payload.as_value(), ours.payload.as_value())
            ),
            theirs.ready.eq(to_writer.ready),
            ours.ready.eq(to_writer.ready & ~loops.run.busy),
        ]

    def _connect_commands(self, m: Module) -> None:
        """Commands to token loops and loader; the body goes to the one that works."""
        link, parser, loops, loader = self._link, self._parser, self._loops, self.loader
        wiring.connect(m, link.o, parser.i)
        wiring.connect(m, parser.switch, link.switch)
        wiring.connect(m, parser.loops, loops.run)
        wiring.connect(m, parser.counted, self._counters.o)
        m.d.comb += [
            loops.i.valid.eq(parser.body.valid & ~parser.loading),
            loader.i.valid.eq(parser.body.valid & parser.loading),
            loops.i.payload.eq(parser.body.payload),
            loader.i.payload.eq(parser.body.payload),
            parser.body.ready.eq(Mux(parser.loading, loader.i.ready, loops.i.ready)),
            loops.end.eq(parser.body_end),
            loader.end.eq(parser.image_end),
        ]
        m.d.comb += [
            parser.stop.eq(link.hello),
            parser.block_load.eq(link.hello_active),
            parser.core_idle.eq(self.core.idle),
            parser.wide.eq(self.core.facts.vocab > ONE_BYTE_VOCAB),
            parser.load_done.eq(loader.done & ~self._test.busy),
            parser.load_ok.eq(loader.ok),
            parser.load_ready.eq(loader.i.ready),
            parser.testing.eq(self._test.busy),
            parser.self_test_failed.eq(self._test.failed),
            loops.stop.eq(link.hello),
            loops.clear_context.eq(parser.clear_context),
            loader.start.eq(parser.load_start | self._test.check_start),
            loader.stop.eq(parser.load_stop | (link.hello & ~self._test.busy)),
            self.model.eq(parser.model),
        ]

    def _connect_core(self, m: Module) -> None:
        """The self-test drives the core while it runs; the token loops are idle then."""
        core, loops, test, loader = self.core, self._loops, self._test, self.loader
        wiring.connect(m, loops.seed, wiring.flipped(core.seed))
        wiring.connect(m, loops.logits, wiring.flipped(core.logits))
        wiring.connect(m, wiring.flipped(core.facts), loops.facts)
        m.d.comb += [
            core.temperature.eq(loops.temperature),
            core.clear.eq(self._parser.clear_context | test.core_clear),
            core.i.valid.eq(loops.core.i.valid | test.core.i.valid),
            core.i.payload.eq(
                Mux(
                    test.busy,
                    test.core.i.payload.as_value(),
                    loops.core.i.payload.as_value(),
                )
            ),
            core.o.ready.eq(loops.core.o.ready | test.core.o.ready),
        ]
        for user in (loops.core, test.core):
            m.d.comb += [
                user.i.ready.eq(core.i.ready),
                user.o.valid.eq(core.o.valid),
                user.o.payload.eq(core.o.payload),
                user.idle.eq(core.idle),
            ]
        m.d.comb += [
            test.tick_ms.eq(self._link.tick_ms),
            test.drop.eq(self._parser.load_start),
            test.start.eq(self._parser.load_take),
            test.check_done.eq(loader.done),
            test.check_ok.eq(loader.ok),
            test.golden.eq(loader.golden),
            loader.check.eq(test.check),
            self.self_test.eq(test.result),
        ]

    def _connect_info(self, m: Module) -> None:
        """The info of HELLO is read by the link, or by the loader during a check."""
        hello, link, loader, test = self._hello, self._link, self.loader, self._test
        wiring.connect(m, wiring.flipped(loader).info, hello.write)
        m.d.comb += [
            link.info_length.eq(hello.length),
            hello.read.enable.eq(link.info.enable | test.check),
            hello.read.address.eq(Mux(test.check, loader.info.address, link.info.address)),
            link.info.data.eq(hello.read.data),
            loader.info_stored.eq(hello.read.data),
            hello.model.eq(self._parser.model),
            hello.default_image.eq(self._parser.default_image),
            hello.baud.eq(link.baud),
            hello.self_test.eq(test.result),
        ]

    def _count(self, m: Module) -> None:
        counters, loops, link = self._counters, self._loops, self._link
        m.d.comb += [
            counters.report.eq(self._parser.report),
            counters.restart.eq(loops.sample_start),
            counters.token_cycles.eq(loops.sampling),
            counters.total_cycles.eq(loops.sampling),
            counters.tokens.eq(loops.sampled),
            counters.prefill_tokens.eq(loops.entered),
            counters.prefill_cycles.eq(loops.prefilling),
            counters.dropped.eq(link.dropped),
            counters.crc_errors.eq(link.damaged),
            counters.retries.eq(link.retry),
        ]
