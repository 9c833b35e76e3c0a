# SPDX-License-Identifier: MIT
"""Everything between line bytes and the core: link, command parser, counters, loader."""

from amaranth.hdl import Elaboratable, Module, Mux, ResetInserter, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.protocol import BAUDS, HelloFlag, HelloInfo
from glintfpga.firmware.wire.protocol import SelfTest as SelfTestResult
from glintfpga.hdl.link.link import Link
from glintfpga.hdl.link.message_writer import MessageWriter
from glintfpga.hdl.row.core import Result
from glintfpga.hdl.row.image_loader import ImageLoader
from glintfpga.hdl.row.load_port import LoadPort
from glintfpga.hdl.row.sequencer import Operation
from glintfpga.hdl.service.command_parser import CommandParser
from glintfpga.hdl.service.counters import CounterBank
from glintfpga.hdl.service.hello import HelloStore
from glintfpga.hdl.service.self_test import SelfTest
from glintfpga.hdl.service.token_loops import ONE_BYTE_VOCAB, TEMPERATURE_BITS, TokenLoops
from glintfpga.quant.blink.plan import NumberPlan

__all__ = ["Service"]


class Service(wiring.Component):
    """Serves a core to the line, as `glintfpga.firmware.wire.protocol` says.

    Parameters
    ----------
    clk_hz : int
        Clock of the domain ``sync``.
    plan : NumberPlan
        Of this build; images of another are refused.
    info : HelloInfo
        Answer to HELLO at power-up; its MODEL flag tells whether there is a model then.

    Members
    -------
    rx_valid, rx_data, rx_error : In
        Byte strobe, see `FrameReceiver`.
    tx : Out(stream of 8), tx_idle : In(1)
        Bytes for the line; the line rests.
    baud : Out(range)
        Index into `BAUDS`.
    core_i, core_o, core_clear, core_idle, temperature, seed, load, logit_id, logit, eos, vocab
        To the ports of `Core`.
    model : Out(1)
        There is a model.
    self_test : Out(SelfTest)
        Result of the last self-test.
    """

    def __init__(self, *, clk_hz: int, plan: NumberPlan, info: HelloInfo):
        self.clk_hz = clk_hz
        self.plan = plan
        self.info = info
        super().__init__(
            {
                "rx_valid": In(1),
                "rx_data": In(8),
                "rx_error": In(1),
                "tx": Out(stream.Signature(8)),
                "tx_idle": In(1),
                "baud": Out(range(len(BAUDS))),
                "core_i": Out(stream.Signature(Operation)),
                "core_o": In(stream.Signature(Result)),
                "core_clear": Out(1),
                "core_idle": In(1),
                "temperature": Out(TEMPERATURE_BITS),
                "seed": Out(stream.Signature(64)),
                "load": Out(LoadPort),
                "logit_id": Out(9),
                "logit": In(signed(20)),
                "eos": In(16),
                "vocab": In(16),
                "model": Out(1),
                "self_test": Out(SelfTestResult),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.link = link = Link(clk_hz=self.clk_hz)
        has_model = bool(self.info.flags & HelloFlag.MODEL)
        m.submodules.parser = parser = CommandParser(has_model=has_model)
        m.submodules.test = test = SelfTest(has_model=has_model)
        m.submodules.loops = loops = TokenLoops()
        m.submodules.loader = loader = ImageLoader(plan=self.plan, limits=self.info)
        m.submodules.counters = counters = CounterBank()
        m.submodules.hello = hello = HelloStore(info=self.info)
        message_writer = MessageWriter()
        m.submodules.message_writer = ResetInserter(link.hello)(message_writer)

        wiring.connect(m, link.o, parser.i)
        wiring.connect(m, parser.switch, link.switch)
        wiring.connect(m, parser.counted, counters.o)
        wiring.connect(m, link.tx, wiring.flipped(self.tx))
        wiring.connect(m, loops.seed, wiring.flipped(self.seed))
        wiring.connect(m, loader.load, wiring.flipped(self.load))

        m.d.comb += [
            link.rx_valid.eq(self.rx_valid),
            link.rx_data.eq(self.rx_data),
            link.rx_error.eq(self.rx_error),
            link.tx_idle.eq(self.tx_idle),
            link.core_busy.eq(~self.core_idle),
            self.baud.eq(link.baud),
            self.model.eq(parser.model),
        ]
        # The ring for the host.
        m.d.comb += [
            link.write_valid.eq(message_writer.write_valid),
            link.write_address.eq(message_writer.write_address),
            link.write_data.eq(message_writer.write_data),
            link.committed.eq(message_writer.committed),
            message_writer.oldest.eq(link.oldest),
            message_writer.tick_ms.eq(link.tick_ms),
            message_writer.close.eq(parser.message_close),
            parser.message_open.eq(message_writer.is_open),
        ]
        # The token loops have the message while they work.
        m.d.comb += [
            message_writer.op.eq(Mux(loops.busy, loops.message_op, parser.message_op)),
            message_writer.i.valid.eq(loops.message.valid | parser.message.valid),
            message_writer.i.payload.eq(
                Mux(loops.busy, loops.message.payload.as_value(), parser.message.payload.as_value())
            ),
            loops.message.ready.eq(message_writer.i.ready),
            parser.message.ready.eq(message_writer.i.ready & ~loops.busy),
        ]
        # A body goes to one of the two that take bodies.
        m.d.comb += [
            loops.i.valid.eq(parser.body.valid & ~parser.loading),
            loader.i.valid.eq(parser.body.valid & parser.loading),
            loops.i.payload.eq(parser.body.payload),
            loader.i.payload.eq(parser.body.payload),
            parser.body.ready.eq(Mux(parser.loading, loader.i.ready, loops.i.ready)),
            loops.end.eq(parser.body_end),
            loader.end.eq(parser.body_end),
        ]
        m.d.comb += [
            parser.stop.eq(link.hello),
            parser.block_load.eq(link.hello_active),
            parser.core_idle.eq(self.core_idle),
            parser.wide.eq(self.vocab > ONE_BYTE_VOCAB),
            parser.loops_busy.eq(loops.busy),
            parser.loops_done.eq(loops.done),
            parser.loops_status.eq(loops.status),
            parser.loops_reason.eq(loops.reason),
            parser.loops_count.eq(loops.count),
            parser.load_done.eq(loader.done),
            parser.load_ok.eq(loader.ok),
            loops.start.eq(parser.loops_start),
            loops.op.eq(parser.op),
            loops.abort.eq(parser.abort),
            loops.stop.eq(link.hello),
            loops.clear_context.eq(parser.clear_context),
            loops.core_idle.eq(self.core_idle),
            loops.logit.eq(self.logit),
            loops.eos.eq(self.eos),
            loops.vocab.eq(self.vocab),
            loader.start.eq(parser.load_start | test.check_start),
            loader.stop.eq(link.hello & ~test.busy),
            self.temperature.eq(loops.temperature),
            self.logit_id.eq(loops.logit_id),
            self.core_clear.eq(parser.clear_context | test.core_clear),
        ]
        # The core belongs to the self-test while it runs; the token loops rest then.
        m.d.comb += [
            self.core_i.valid.eq(loops.core_i.valid | test.core_i.valid),
            self.core_i.payload.eq(
                Mux(
                    test.busy,
                    test.core_i.payload.as_value(),
                    loops.core_i.payload.as_value(),
                )
            ),
            self.core_o.ready.eq(loops.core_o.ready | test.core_o.ready),
            test.core_idle.eq(self.core_idle),
            test.tick_ms.eq(link.tick_ms),
            test.drop.eq(parser.load_start),
            test.start.eq(loader.done & loader.ok),
            test.check_done.eq(loader.done),
            test.check_ok.eq(loader.ok),
            test.golden.eq(loader.golden),
            loader.check.eq(test.check),
            parser.testing.eq(test.busy),
            parser.self_test_failed.eq(test.failed),
            link.block_hello.eq(test.busy),
            self.self_test.eq(test.result),
            hello.self_test.eq(test.result),
        ]
        for core_user in (loops, test):
            m.d.comb += [
                core_user.core_i.ready.eq(self.core_i.ready),
                core_user.core_o.valid.eq(self.core_o.valid),
                core_user.core_o.payload.eq(self.core_o.payload),
            ]
        m.d.comb += [
            hello.enable.eq(link.info_enable | test.check),
            hello.address.eq(Mux(test.check, loader.info_address, link.info_address)),
            link.info_data.eq(hello.data),
            loader.info_stored.eq(hello.data),
            hello.write_enable.eq(loader.info_enable),
            hello.write_address.eq(loader.info_address),
            hello.write_data.eq(loader.info_data),
            hello.model.eq(parser.model),
            hello.default_image.eq(parser.default_image),
            hello.baud.eq(link.baud),
        ]
        m.d.comb += [
            counters.report.eq(parser.report),
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
        return m
