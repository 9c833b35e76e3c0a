# SPDX-License-Identifier: MIT
"""Frames: a delimiter ends any of them, and neither end hangs, overflows or mixes two frames."""

from typing import Any

from amaranth.asserts import AnyConst
from amaranth.hdl import Cat, Const, Cover, Elaboratable, Module, Mux, Signal, Value

from glintfpga.firmware.wire.protocol import CRC_BYTES, DATA_HEADER, MAX_BODY, MAX_RAW
from glintfpga.hdl.link.framing import FrameReceiver, FrameTransmitter
from support.formal.environment import Inside, always, assume, before, leave_free, stream_keeps
from support.formal.hdl.stream_receiver import FrameTiming

__all__ = ["FrameReceiverProperties", "FrameTransmitterProperties"]


class FrameReceiverProperties(Elaboratable):
    """For any bytes, damaged or not, at least four cycles apart (a byte takes 80 or more)."""

    def __init__(self, receiver: FrameReceiver) -> None:
        self.receiver = receiver

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.receiver
        inside = Inside(dut)
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        came = [Value.cast(dut.i.valid)]
        for _ in range(3):
            came.append(before(m, came[-1]))
        assume(m, sum(came) <= 1)
        raw, left, bad, ending = (inside[name] for name in ("raw", "left", "bad", "ending"))

        delimiter = dut.i.valid & (dut.i.data == 0) & ~dut.i.error
        delimited = before(m, before(m, delimiter))
        fresh = (raw == 0) & (left == 0) & ~bad
        always(m, "two cycles after a delimiter all is as at power-up", ~delimited | fresh)
        ended = before(m, delimiter & (raw != 0))
        verdicts = dut.hello + dut.data_frame + dut.damaged + dut.foreign
        always(m, "one verdict a frame, two cycles after it", verdicts == before(m, ended))
        always(m, "a frame counts at most 205 bytes", raw <= MAX_RAW)
        frame = FrameTiming(
            m,
            start=dut.start,
            valid=dut.payload_valid,
            take=dut.data_frame,
            clear=dut.hello,
            length=dut.length,
        )
        for what, promise in frame.promises.items():
            always(m, what, promise)
        judged = Signal()
        m.d.sync += judged.eq((judged | verdicts.any()) & ~dut.start)
        same = dut.header.as_value() == before(m, dut.header.as_value())
        always(m, "the header stays until the next start", ~judged | dut.start | same)
        counted = verdicts.any() | (dut.length == before(m, dut.length))
        always(m, "and the length until the next verdict", ~judged | counted)
        always(m, "so verdicts are as far apart as bytes", ~verdicts.any() | came[2])

        # What makes it so.
        always(m, "an end is an end", ending == ended)
        always(m, "nothing is left between frames", (raw != 0) | (left == 0) & ~bad)
        always(m, "strobes follow bytes", ~(dut.start | dut.payload_valid) | came[1])
        always(m, "a verdict finds the next frame not begun", ~verdicts.any() | (raw == 0))
        always(m, "start is the second byte", ~dut.start | (raw == 2) & ~dut.payload_valid)
        behind = Mux(raw > DATA_HEADER, raw - 1 - DATA_HEADER, 0)
        counted = frame.active & (frame.count + dut.payload_valid == behind)
        always(m, "payload is counted", (raw < 2) | dut.start | counted)
        always(m, "a frame between frames has no strobe", (raw >= 2) | ~dut.payload_valid)
        always(m, "judged is between frames", ~judged | (raw <= 1) | dut.start)

        m.d.comb += Cover(dut.damaged & (raw == 0), "a damaged frame")
        m.d.comb += Cover(dut.damaged & before(m, bad), "one with a framing error")
        m.d.comb += Cover(dut.start, "a frame begins")
        return m


class FrameTransmitterProperties(Elaboratable):
    """For bodies of at most 200 bytes, given up at any time, and a line that may wait."""

    def __init__(self, transmitter: FrameTransmitter) -> None:
        self.transmitter = transmitter

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.transmitter
        inside = Inside(dut)
        buffer = inside.memory("buffer")
        ends = [Signal(8, name=f"end_{half}") for half in range(2)]
        stored = [buffer.read_port(domain="comb") for _ in range(2)]
        some = [buffer.read_port(domain="comb") for _ in range(2)]
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        full = [inside["full_0"], inside["full_1"]]
        (filling,), sending = inside.unnamed(1), inside["sending"]
        place, code, code_place = inside["place"], inside["code"], inside["code_place"]
        at = inside["at"]
        state = {name: inside.state(name, fsm="fill") for name in inside.states("fill")}
        fetch, send = (inside.state(name, fsm="send") for name in ("FETCH", "SEND"))

        given_up = dut.abort | dut.flush
        taken = dut.i.valid & dut.i.ready & ~given_up
        longest = MAX_BODY - CRC_BYTES
        assume(m, ~taken | dut.i.payload.last | (place < longest))

        # Which half is whose.
        pair = Cat(*full)
        always(m, "the halves alternate", (filling ^ sending) == pair.xor())
        always(
            m, "a full half is the one that is sent", ~pair.any() | (pair.bit_select(sending, 1))
        )
        writing, reading = inside["write__en"], inside["read__en"]
        to, at_ = inside["write__addr"], inside["read__addr"]
        always(m, "a full half is never written", ~writing | ~pair.bit_select(to[8], 1))
        always(m, "only a full half is read", ~reading | pair.bit_select(at_[8], 1))
        waiting = state["BODY"] & ~dut.i.ready
        always(m, "it waits only for a frame that is being sent", ~waiting | pair.all())
        always(m, "a frame fits its half", place <= MAX_RAW)
        blocked = pair.bit_select(filling, 1)
        begun = ~state["BODY"] | (place != 1) | (code_place != 0)
        always(m, "no frame is begun without a half", ~(blocked & begun))

        # The frame in the making: after the body it is complete in six cycles.
        byte_count = place - 1
        body = state["BODY"]
        crc_left = inside["crc_left"]
        always(m, "a body has at most 200 bytes", ~body | (byte_count < longest))
        always(m, "then its CRC", ~state["CRC"] | (byte_count <= longest + crc_left))
        always(m, "then its end", ~(state["CLOSE"] | state["DELIMIT"]) | (place <= MAX_RAW))
        always(m, "the CRC begins with its low byte", state["CRC"] | (crc_left == 0))
        steps = Mux(state["CRC"], 6 - crc_left, Mux(state["CLOSE"], 2, state["DELIMIT"]))
        past_steps = before(m, steps)
        always(m, "a fed frame is ready in six cycles", (past_steps == 0) | (steps < past_steps))
        always(m, "a code counts its bytes", (code != 0) & (code <= place))
        always(m, "a code lies behind the bytes before it", code_place < place)

        # What lies in a full half: no zero, then one zero.
        with m.If(state["DELIMIT"]):
            m.d.sync += Cat(*ends).word_select(filling, 8).eq(place)
        for half in range(2):
            m.d.comb += stored[half].addr.eq(Cat(ends[half], Const(half, 1)))
            closed = (stored[half].data == 0) & (ends[half] <= MAX_RAW)
            always(m, f"half {half} ends with a zero", ~full[half] | closed)
        anywhere = AnyConst(8)
        for half in range(2):
            m.d.comb += some[half].addr.eq(Cat(anywhere, Const(half, 1)))
            is_zero = some[half].data == 0
            always(
                m,
                f"no other zero in half {half}",
                ~(full[half] & is_zero) | (anywhere >= ends[half]),
            )
            made = ~full[half] & (filling == half) & is_zero & (anywhere < place)
            open_ = (anywhere == code_place) & ~state["DELIMIT"]
            always(m, f"nor in half {half} while it is filled", ~made | open_)

        # The frame on its way.
        end = Cat(*ends).word_select(sending, 8)
        always(m, "a frame is sent as far as its end", fetch & (at == 0) | pair.any() & (at <= end))
        always(m, "only a full half is sent", fetch | pair.any())
        zero = dut.o.payload == 0
        always(m, "its end is a zero", ~(send & (at == end)) | zero)
        always(m, "and the only one", ~(send & zero & (at == anywhere)) | (at == end))
        work = Mux(pair.any(), ((end - at) << 1)[:9] + 1 + fetch, 0)
        past_work = before(m, work)
        served = before(m, (dut.o.ready | fetch) & pair.any())
        ended = before(m, send & dut.o.ready & zero)
        always(m, "a line that takes bytes sees its end", ~served | ended | (work < past_work))
        always(m, "within 412 cycles", work <= 2 * (MAX_RAW + 1))
        stream_keeps(m, dut.o)

        m.d.comb += Cover(pair.any() & (place == 3), "a frame is fed while one is sent")
        m.d.comb += Cover(send & (at == 1), "its second byte is sent")
        return m
