# SPDX-License-Identifier: MIT
"""Frames: a delimiter ends any of them, and neither end hangs, overflows or mixes two frames."""

from typing import Any

from amaranth.asserts import AnyConst
from amaranth.hdl import Array, Cat, Const, Cover, Elaboratable, Module, Mux, Signal, Value

from glintfpga.firmware.wire.protocol import (
    CRC_BYTES,
    DATA_HEADER,
    HELLO_HEADER,
    frame_bytes,
)
from glintfpga.hdl.link.framing import (
    FULL_CODE,
    MAX_BODY,
    FrameReceiver,
    FrameTransmitter,
)
from glintfpga.hdl.primitives.memory import BLOCK_BYTES
from support.formal.environment import Inside, always, assume, before, leave_free, stream_keeps
from support.formal.hdl.stream_receiver import FrameTiming

__all__ = ["FrameReceiverProperties", "FrameTransmitterProperties"]

BLOCK = FULL_CODE - 1
"""Bytes behind a full code."""


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
        count, left, bad, ending = (inside[name] for name in ("count", "left", "bad", "ending"))
        after_full = inside["after_full"]

        delimiter = dut.i.valid & (dut.i.data == 0) & ~dut.i.error
        delimited = before(m, before(m, delimiter))
        at_rest = (left == 0) & ~bad & ~after_full
        fresh = (count == 0) & at_rest
        always(m, "two cycles after a delimiter all is as at power-up", ~delimited | fresh)
        ended = before(m, delimiter & (count != 0))
        verdicts = dut.hello + dut.data_frame + dut.damaged + dut.foreign
        always(m, "one verdict a frame, two cycles after it", verdicts == before(m, ended))
        always(m, "a body counts at most 524 bytes", count <= 1 + MAX_BODY)
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

        self._stuffing(m, inside, delimiter)

        # What makes it so.
        always(m, "an end is an end", ending == ended)
        always(m, "nothing is left between frames", (count != 0) | at_rest)
        always(m, "strobes follow bytes", ~(dut.start | dut.payload_valid) | came[1])
        always(m, "a verdict finds the next frame not begun", ~verdicts.any() | (count == 0))
        always(m, "start is the first byte", ~dut.start | (count == 2) & ~dut.payload_valid)
        behind = Mux(count > DATA_HEADER, count - 1 - DATA_HEADER, 0)
        counted = frame.active & (frame.count + dut.payload_valid == behind)
        always(m, "payload is counted", (count < 2) | dut.start | counted)
        always(m, "a frame between frames has no strobe", (count >= 2) | ~dut.payload_valid)
        always(m, "judged is between frames", ~judged | (count <= 1) | dut.start)

        m.d.comb += Cover(dut.damaged & (count == 0), "a damaged frame")
        m.d.comb += Cover(dut.damaged & before(m, bad), "one with a framing error")
        m.d.comb += Cover(dut.start, "a frame begins")
        return m

    def _stuffing(self, m: Module, inside: Inside, delimiter: Value) -> None:
        """COBS, told by the last code and the bytes behind it."""
        dut = self.receiver
        count, left, bad, ending = (inside[name] for name in ("count", "left", "bad", "ending"))
        code, behind_code = Signal(8, init=1), Signal(8)
        code_due, begun = Signal(), count != 0
        m.d.comb += code_due.eq(behind_code == (code - 1)[:8])
        byte = dut.i.valid & ~delimiter
        with m.If(ending):
            m.d.sync += [code.eq(1), behind_code.eq(0)]
        with m.Elif(byte & code_due):
            m.d.sync += [code.eq(dut.i.data), behind_code.eq(0)]
        with m.Elif(byte):
            m.d.sync += behind_code.eq(behind_code + 1)
        always(m, "a code tells how many bytes follow", left == (code - 1 - behind_code)[:8])
        always(m, "a full code is remembered", inside["after_full"] == (code == FULL_CODE))

        of_body = byte & begun & ~(code_due & (code == FULL_CODE))
        strobe = dut.start | dut.payload_valid
        always(m, "the code behind a full block is no byte", ~strobe | before(m, of_body))
        due = before(m, Mux(code_due, 0, dut.i.data))
        always(m, "any other code is a zero", ~strobe | (dut.payload == due))
        full = count == 1 + MAX_BODY
        grown = before(m, count + (byte & ~begun | of_body & ~full))
        reset = before(m, ending)
        always(m, "each byte of a body is counted", count == Mux(reset, 0, grown))
        always(m, "one too many is bad", ~before(m, of_body & full) | bad | reset)
        unfinished = before(m, ending & (bad | ~code_due))
        always(m, "a frame that ends within a block is damaged", ~unfinished | dut.damaged)
        nine = before(m, count) == 1 + HELLO_HEADER + CRC_BYTES
        always(m, "a HELLO has nine bytes", ~dut.hello | nine)


class FrameTransmitterProperties(Elaboratable):
    """For all bodies whose frame fits a half, given up at any time, and a line that may wait."""

    def __init__(self, transmitter: FrameTransmitter) -> None:
        self.transmitter = transmitter
        self.half = half = 1 << transmitter.half
        payload = max(size for size in range(half) if frame_bytes(size) <= half)
        self.longest = DATA_HEADER + payload
        self.splits = (self.longest + CRC_BYTES) // BLOCK

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dut = self.transmitter
        inside = Inside(dut)
        ends = Array(Signal(range(self.half), name=f"end_{half}") for half in range(2))
        anywhere = AnyConst(range(self.half))
        stored = [self._byte_at(m, inside, half, ends[half]) for half in range(2)]
        some = [self._byte_at(m, inside, half, anywhere) for half in range(2)]
        m.submodules.dut = inside.fragment
        leave_free(m, dut)
        full = [inside["full_0"], inside["full_1"]]
        filling, sending = inside["filling"], inside["sending"]
        place, code, code_place = inside["place"], inside["code"], inside["code_place"]
        at = inside["at"]
        state = {name: inside.state(name, fsm="fill") for name in inside.states("fill")}
        fetch, send = (inside.state(name, fsm="send") for name in ("FETCH", "SEND"))

        # Which half is whose.
        pair = Cat(*full)
        always(m, "the halves alternate", (filling ^ sending) == pair.xor())
        always(
            m, "a full half is the one that is sent", ~pair.any() | (pair.bit_select(sending, 1))
        )
        writing, reading = inside["write__enable"], inside["read__enable"]
        to, at_ = inside["write__address"], inside["read__address"]
        always(m, "a full half is never written", ~writing | ~pair.bit_select(to[-1], 1))
        always(m, "only a full half is read", ~reading | pair.bit_select(at_[-1], 1))
        if self._apart:
            always(m, "what was read is shown", ~send | (inside["buffer_shown"] == sending))
        waiting = state["BODY"] & ~dut.i.ready
        splits = code == FULL_CODE
        always(m, "it waits only for a frame that is being sent", ~waiting | splits | pair.all())
        always(m, "a frame fits its half", place <= self.half - 1)
        blocked = pair.bit_select(filling, 1)
        begun = ~state["BODY"] | (place != 1) | (code_place != 0)
        always(m, "no frame is begun without a half", ~(blocked & begun))

        self._filling(m, inside, state)

        # What lies in a full half: no zero, then one zero.
        with m.If(state["DELIMIT"]):
            m.d.sync += ends[filling].eq(place)
        kept = self._follow(m, inside, state, anywhere)
        for half in range(2):
            end = ends[half]
            always(m, f"half {half} ends with a zero", ~full[half] | (stored[half] == 0))
            is_zero = some[half] == 0
            always(m, f"no other zero in half {half}", ~(full[half] & is_zero) | (anywhere >= end))
            made = ~full[half] & (filling == half) & (anywhere < place)
            open_ = (anywhere == code_place) & ~state["DELIMIT"]
            always(m, f"nor in half {half} while it is filled", ~(made & is_zero) | open_)
            right = some[half] == kept[half]
            always(m, f"what was put into half {half} is there", ~made | open_ | right)
            lies = full[half] & (anywhere < end)
            always(m, f"and stays in half {half} until it is sent", ~lies | right)

        # The frame on its way.
        end = ends[sending]
        always(m, "a frame is sent as far as its end", fetch & (at == 0) | pair.any() & (at <= end))
        always(m, "only a full half is sent", fetch | pair.any())
        zero = dut.o.payload == 0
        always(m, "its end is a zero", ~(send & (at == end)) | zero)
        always(m, "and the only one", ~(send & zero & (at == anywhere)) | (at == end))
        shown = send & (at == anywhere) & (at != end)
        sent = Mux(sending, kept[1], kept[0])
        always(m, "its bytes are sent as they were put", ~shown | (dut.o.payload == sent))
        work = Mux(pair.any(), ((end - at) << 1)[: len(at) + 1] + 1 + fetch, 0)
        past_work = before(m, work)
        served = before(m, (dut.o.ready | fetch) & pair.any())
        ended = before(m, send & dut.o.ready & zero)
        always(m, "a line that takes bytes sees its end", ~served | ended | (work < past_work))
        always(m, "within two cycles a byte", work <= 2 * self.half)
        stream_keeps(m, dut.o)

        m.d.comb += Cover(pair.any() & (place == 3), "a frame is fed while one is sent")
        m.d.comb += Cover(send & (at == 1), "its second byte is sent")
        return m

    @property
    def _apart(self) -> bool:
        """Each half is a block RAM."""
        return 2 * self.half > BLOCK_BYTES

    def _byte_at(self, m: Module, inside: Inside, half: int, place: Value) -> Value:
        """What lies at a place of a half."""
        port = inside.memory(f"buffer{half if self._apart else 0}").read_port(domain="comb")
        m.d.comb += port.addr.eq(place if self._apart else Cat(place, Const(half, 1)))
        return port.data

    def _filling(self, m: Module, inside: Inside, state: dict[str, Value]) -> None:
        """The frame in the making: bytes, a code behind each full block, CRC, end."""
        dut = self.transmitter
        place, code, code_place = inside["place"], inside["code"], inside["code_place"]
        put, split = inside["put"], inside["split"]
        body, crc, crc_left = state["BODY"], state["CRC"], inside["crc_left"]
        given_up = dut.abort | dut.flush
        taken = dut.i.valid & dut.i.ready & ~given_up
        full_code = code == FULL_CODE
        longest = self.longest

        fed, splits = Signal(range(longest + CRC_BYTES + 1)), Signal(4)  # of this frame
        with m.If(state["DELIMIT"] | body & given_up):
            m.d.sync += [fed.eq(0), splits.eq(0)]
        with m.Elif(body & taken | crc & ~full_code):
            m.d.sync += fed.eq(fed + 1)
        with m.Elif((body & dut.i.valid | crc) & full_code):
            m.d.sync += splits.eq(splits + 1)
        assume(m, ~taken | dut.i.payload.last | (fed + 1 < longest))

        always(m, "a body is no longer than allowed", ~body | (fed < longest))
        always(m, "then its CRC", ~crc | (fed <= longest + crc_left))
        at_end = state["CLOSE"] | state["DELIMIT"]
        always(m, "then its end", ~at_end | (fed <= longest + CRC_BYTES))
        always(m, "the CRC begins with its low byte", crc | (crc_left == 0))
        always(m, "each byte takes a place, and each split", place == 1 + fed + splits)
        always(m, "a byte is put only behind a code that is not full", ~put | ~full_code)
        always(m, "a split only behind a full one", ~split | full_code & ~put)
        blocks = (splits << 8) - (splits << 1)  # 254 times
        always(m, "splits are 254 bytes apart", fed >= blocks + code - 1)
        always(m, "so there are few", splits <= self.splits)
        again = before(m, split)
        always(m, "a split takes one cycle", ~again | (code == 1) & ~split & ~at_end)
        stalled = before(m, body & dut.i.valid & full_code & ~given_up)
        always(m, "and comes when a byte is there", ~stalled | again)

        # The CRC has four bytes, and a split is due before one of them at most.
        crc_steps = CRC_BYTES - crc_left
        steps = Mux(crc, crc_steps + (code + crc_steps > FULL_CODE) + 2, 0)
        steps = Mux(state["CLOSE"], 2, Mux(state["DELIMIT"], 1, steps))
        past_steps = before(m, steps)
        always(m, "a fed frame is ready in seven cycles", (past_steps == 0) | (steps < past_steps))
        always(m, "and no later", steps <= 7)
        always(m, "a code counts its bytes", (code != 0) & (code_place + code == place))

    def _follow(
        self, m: Module, inside: Inside, state: dict[str, Value], where: Value
    ) -> list[Signal]:
        """What was put at one place of each half: a byte of a body, or the way to the next code."""
        dut = self.transmitter
        put, filling, split = (inside[name] for name in ("put", "filling", "split"))
        place, code_place = inside["place"], inside["code_place"]
        byte = Mux(state["BODY"], dut.i.payload.byte, inside["byte"])
        closes = put & (byte == 0) | split | state["CLOSE"]
        kept = [Signal(8, name=f"kept_{half}") for half in range(2)]
        for half, value in enumerate(kept):
            with m.If(filling == half):
                with m.If(put & (byte != 0) & (place == where)):
                    m.d.sync += value.eq(byte)
                with m.If(closes & (code_place == where)):
                    m.d.sync += value.eq(place - code_place)
        return kept
