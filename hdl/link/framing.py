# SPDX-License-Identifier: MIT
"""Frames: COBS and CRC-32 between wire bytes and frame bodies.

COBS cuts a body at its zeros and sends each piece behind a code byte, 1 + the length of the piece,
so that a zero on the wire is always the end of a frame. Bodies have at most 204 bytes, so the code
for "254 bytes and no zero behind" never occurs and each wire byte but the first of a frame makes
exactly one body byte.
"""

from amaranth.hdl import Array, Cat, Elaboratable, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.protocol import (
    CRC_BYTES,
    DATA_HEADER,
    HELLO_HEADER,
    HELLO_INFO,
    MAX_BODY,
    MAX_RAW,
    VERSION,
    Kind,
)
from glintfpga.hdl.link.uart import LineByte
from glintfpga.hdl.primitives.byte_crc import CrcBytes
from glintfpga.hdl.primitives.memory import outside_reset

__all__ = ["BODY_BYTE", "FIRST_BYTE", "HEADER", "FrameReceiver", "FrameTransmitter"]

FIRST_BYTE = {kind: VERSION << 4 | kind for kind in Kind}
"""First byte of a body of each kind."""

HEADER = data.StructLayout(
    {"first": 8, "session": 8, "flags": 8, "offset": 16, "ack": 16, "credit": 8}
)
"""First 8 bytes of a body; in a HELLO the nonce starts at ``session``."""

BODY_BYTE = data.StructLayout({"byte": 8, "last": 1})


class FrameReceiver(wiring.Component):
    """Wire bytes to checked frames.

    Payload bytes are output before the CRC is checked; the strobe at the end of the frame accepts
    or rejects them. The four bytes of the CRC are output as payload too; ``length`` excludes them.

    Latency: a payload byte 1 cycle, the verdict 2 cycles after the delimiter.

    Members
    -------
    i : In(LineByte)
        An ``error`` damages the frame.
    start : Out(1)
        Strobe: the first byte of a body arrived.
    payload_valid, payload : Out
        Strobe and byte behind the DATA header.
    header : Out(HEADER)
        Stable from the verdict to the next ``start``.
    length : Out(8)
        Payload bytes of a DATA frame, with its verdict.
    hello, data_frame, damaged, foreign : Out(1)
        The verdict, one strobe per frame: a HELLO of a host, a DATA frame, one with a wrong CRC,
        COBS or length, or one of another version or kind.
    """

    i: In(LineByte)
    start: Out(1)
    payload_valid: Out(1)
    payload: Out(8)
    header: Out(HEADER)
    length: Out(8)
    hello: Out(1)
    data_frame: Out(1)
    damaged: Out(1)
    foreign: Out(1)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.crc = crc = CrcBytes()

        # `raw` counts the bytes since the delimiter, `left` those until the next code byte.
        raw = Signal(range(MAX_RAW + 2))
        left = Signal(8)
        bad = Signal()
        ending = Signal()
        emit = Signal()
        byte = Signal(8)
        m.d.comb += [
            byte.eq(Mux(left == 0, 0, self.i.data)),
            crc.data.eq(byte),
            crc.valid.eq(emit),
            crc.start.eq(self.i.valid & (raw == 0)),
        ]
        m.d.sync += [
            self.start.eq(emit & (raw == 1)),
            self.payload_valid.eq(emit & (raw > DATA_HEADER)),
            self.payload.eq(byte),
            ending.eq(0),
        ]
        with m.If(emit & (raw <= DATA_HEADER)):
            m.d.sync += self.header.eq(Cat(self.header.as_value()[8:], byte))

        with m.If(self.i.valid):
            with m.If((self.i.data == 0) & ~self.i.error):
                m.d.sync += ending.eq(raw != 0)
            with m.Else():
                m.d.comb += emit.eq((raw != 0) & (raw <= MAX_BODY))
                m.d.sync += left.eq(Mux(left == 0, self.i.data, left) - 1)
                m.d.sync += bad.eq(bad | self.i.error | (raw > MAX_BODY))
                with m.If(raw <= MAX_BODY):
                    m.d.sync += raw.eq(raw + 1)

        short_hello = raw == 1 + HELLO_HEADER + CRC_BYTES
        long_hello = raw == 1 + HELLO_HEADER + HELLO_INFO + CRC_BYTES
        is_hello = self.header.first == FIRST_BYTE[Kind.HELLO]
        is_data = self.header.first == FIRST_BYTE[Kind.DATA]
        intact = Signal()
        m.d.comb += intact.eq(
            crc.match
            & ~bad
            & (left == 0)
            & (raw > HELLO_HEADER + CRC_BYTES)
            & ~(is_hello & ~short_hello & ~long_hello)
            & ~(is_data & (raw <= DATA_HEADER + CRC_BYTES))
        )
        m.d.sync += [
            self.hello.eq(ending & intact & is_hello & short_hello),
            self.data_frame.eq(ending & intact & is_data),
            self.damaged.eq(ending & ~intact),
            self.foreign.eq(ending & intact & ~is_data & ~(is_hello & short_hello)),
        ]
        with m.If(ending):
            m.d.sync += [
                self.length.eq(raw - (1 + DATA_HEADER + CRC_BYTES)),
                raw.eq(0),
                left.eq(0),
                bad.eq(0),
            ]
        return m


class FrameTransmitter(wiring.Component):
    """Bodies to wire bytes; adds CRC, COBS and delimiter.

    A frame is stuffed into one half of a buffer while the other half is on the wire, so the wire
    never waits for a body that is fed within the time of one frame. In the buffer a code byte is
    left open until the next zero of the body is known, then filled in ("closed").

    Latency: 7 cycles from the last body byte to the first wire byte.

    Members
    -------
    i : In(stream of BODY_BYTE)
        Bodies without CRC. Ready means that a half is free.
    payload : In(1)
        Sampled when a frame is complete: it carries payload.
    o : Out(stream of 8)
        Wire bytes.
    abort : In(1)
        Strobe: forget the frame that is being fed.
    flush : In(1)
        Strobe: forget all frames but the one on the wire.
    idle : Out(1)
        No frame is complete and unsent.
    sending_payload : Out(1)
        A frame with payload is complete and unsent.
    """

    i: In(stream.Signature(BODY_BYTE))
    payload: In(1)
    o: Out(stream.Signature(8))
    abort: In(1)
    flush: In(1)
    idle: Out(1)
    sending_payload: Out(1)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.crc = crc = CrcBytes()
        m.submodules.buffer = buffer = memory.Memory(shape=8, depth=512, init=[])
        write = buffer.write_port()
        read = buffer.read_port()
        writing = Signal()
        m.d.comb += write.en.eq(outside_reset(writing))

        full = Array([Signal(name="full_0"), Signal(name="full_1")])
        loaded = Array([Signal(name="loaded_0"), Signal(name="loaded_1")])
        filling, sending = Signal(), Signal()
        m.d.comb += [
            self.idle.eq(~full[0] & ~full[1]),
            self.sending_payload.eq((full[0] & loaded[0]) | (full[1] & loaded[1])),
        ]

        place = Signal(8, init=1)  # of the next byte
        code = Signal(8, init=1)
        code_place = Signal(8)
        dropped = Signal()
        byte = Signal(8)
        put = Signal()
        crc_left = Signal(range(CRC_BYTES))
        begin = [place.eq(1), code.eq(1), code_place.eq(0), dropped.eq(0)]
        m.d.comb += [
            write.addr.eq(Cat(Mux(put & (byte != 0), place, code_place), filling)),
            write.data.eq(Mux(put & (byte != 0), byte, code)),
            writing.eq(put),
            crc.data.eq(self.i.payload.byte),
        ]
        with m.If(put):
            m.d.sync += place.eq(place + 1)
            with m.If(byte != 0):
                m.d.sync += code.eq(code + 1)
            with m.Else():
                m.d.sync += [code.eq(1), code_place.eq(place)]
        with m.If(self.abort | self.flush):
            m.d.sync += dropped.eq(1)

        with m.FSM(name="fill"):
            with m.State("BODY"):
                # Store body bytes; a zero closes the open code and opens the next one in its place.
                m.d.comb += self.i.ready.eq(~full[filling])
                m.d.comb += byte.eq(self.i.payload.byte)
                with m.If(self.abort | self.flush):
                    m.d.comb += crc.start.eq(1)
                    m.d.sync += begin
                with m.Elif(self.i.valid & self.i.ready):
                    m.d.comb += [put.eq(1), crc.valid.eq(1)]
                    with m.If(self.i.payload.last):
                        m.next = "CRC"
            with m.State("CRC"):
                # Append the CRC, lowest byte first.
                m.d.comb += [byte.eq(crc.crc.word_select(crc_left, 8)), put.eq(1)]
                m.d.sync += crc_left.eq(crc_left + 1)
                with m.If(crc_left == CRC_BYTES - 1):
                    m.next = "CLOSE"
            with m.State("CLOSE"):
                # Close the last code.
                m.d.comb += writing.eq(1)
                m.next = "DELIMIT"
            with m.State("DELIMIT"):
                # Write a zero behind the last byte; the sending side stops there.
                m.d.comb += [write.addr.eq(Cat(place, filling)), write.data.eq(0), writing.eq(1)]
                m.d.comb += crc.start.eq(1)
                m.d.sync += begin
                with m.If(~dropped & ~self.flush):
                    m.d.sync += [
                        full[filling].eq(1),
                        loaded[filling].eq(self.payload),
                        filling.eq(~filling),
                    ]
                m.next = "BODY"

        at = Signal(8)
        m.d.comb += [read.addr.eq(Cat(at, sending)), read.en.eq(0), self.o.payload.eq(read.data)]
        with m.If(self.flush):
            m.d.sync += [full[~sending].eq(0), filling.eq(sending ^ full[sending])]
        with m.FSM(name="send"):
            with m.State("FETCH"):
                # Read the next byte of a complete frame; reading only complete halves keeps the
                # two ports of the buffer apart.
                with m.If(full[sending]):
                    m.d.comb += read.en.eq(1)
                    m.next = "SEND"
            with m.State("SEND"):
                # Hand it over; the delimiter frees the half.
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += at.eq(at + 1)
                    with m.If(read.data == 0):
                        m.d.sync += [at.eq(0), full[sending].eq(0), sending.eq(~sending)]
                    m.next = "FETCH"
        return m
