# SPDX-License-Identifier: MIT
"""Frames: COBS and CRC-32 between wire bytes and frame bodies.

COBS cuts a body at its zeros and sends each piece behind a code byte, 1 + the length of the piece,
so that a zero on the wire is always the end of a frame. The code 255 stands for 254 bytes and no
zero behind; every other wire byte but the first of a frame makes exactly one body byte.
"""

from amaranth.hdl import Array, Cat, Elaboratable, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from glintfpga.firmware.wire.protocol import (
    CRC_BYTES,
    DATA_HEADER,
    HELLO_HEADER,
    TO_DEVICE_PAYLOAD,
    VERSION,
    Kind,
    frame_bytes,
)
from glintfpga.hdl.link.uart import LineByte
from glintfpga.hdl.link_sizes import LARGE, LinkSizes
from glintfpga.hdl.primitives.byte_crc import CrcBytes
from glintfpga.hdl.primitives.memory import ReadPort, WritePort, byte_ram, outside_reset

__all__ = ["BODY_BYTE", "FIRST_BYTE", "HEADER", "FrameReceiver", "FrameTransmitter"]

FIRST_BYTE = {kind: VERSION << 4 | kind for kind in Kind}
"""First byte of a body of each kind."""

HEADER = data.StructLayout(
    {"first": 8, "session": 8, "flags": 8, "offset": 16, "ack": 16, "credit": 8}
)
"""First 8 bytes of a body; in a HELLO the nonce starts at ``session``."""

MAX_BODY = DATA_HEADER + TO_DEVICE_PAYLOAD + CRC_BYTES
"""Bytes of the longest body that the device takes."""

FULL_CODE = 255
"""254 bytes behind it, and no zero."""


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
    length : Out(range)
        Payload bytes of a DATA frame, with its verdict.
    hello, data_frame, damaged, foreign : Out(1)
        The verdict, one strobe per frame: a HELLO of a host of any version, a DATA frame, one with
        a wrong CRC, COBS or length, or one of another version or kind.
    """

    i: In(LineByte)
    start: Out(1)
    payload_valid: Out(1)
    payload: Out(8)
    header: Out(HEADER)
    length: Out(range(TO_DEVICE_PAYLOAD + 1))
    hello: Out(1)
    data_frame: Out(1)
    damaged: Out(1)
    foreign: Out(1)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.crc = crc = CrcBytes()

        # `count` is 1 more than the body's bytes so far, and 0 between frames; `left` counts the
        # bytes until the next code byte, which stands for a zero unless the last one was full.
        count = Signal(range(MAX_BODY + 2))
        left = Signal(8)
        after_full = Signal()
        bad = Signal()
        ending = Signal()
        emit = Signal()
        byte = Signal(8)
        m.d.comb += [
            byte.eq(Mux(left == 0, 0, self.i.data)),
            crc.data.eq(byte),
            crc.valid.eq(emit),
            crc.start.eq(self.i.valid & (count == 0)),
        ]
        m.d.sync += [
            self.start.eq(emit & (count == 1)),
            self.payload_valid.eq(emit & (count > DATA_HEADER)),
            self.payload.eq(byte),
            ending.eq(0),
        ]
        with m.If(emit & (count <= DATA_HEADER)):
            m.d.sync += self.header.eq(Cat(self.header.as_value()[8:], byte))

        with m.If(self.i.valid):
            with m.If((self.i.data == 0) & ~self.i.error):
                m.d.sync += ending.eq(count != 0)
            with m.Else():
                is_byte = (count != 0) & ~((left == 0) & after_full)
                m.d.comb += emit.eq(is_byte & (count <= MAX_BODY))
                m.d.sync += left.eq(Mux(left == 0, self.i.data, left) - 1)
                m.d.sync += bad.eq(bad | self.i.error | (is_byte & (count > MAX_BODY)))
                with m.If(left == 0):
                    m.d.sync += after_full.eq(self.i.data == FULL_CODE)
                with m.If((count == 0) | emit):
                    m.d.sync += count.eq(count + 1)

        from_host = count == 1 + HELLO_HEADER + CRC_BYTES
        is_hello = self.header.first[:4] == Kind.HELLO
        is_data = self.header.first == FIRST_BYTE[Kind.DATA]
        intact = Signal()
        m.d.comb += intact.eq(
            crc.match
            & ~bad
            & (left == 0)
            & (count > HELLO_HEADER + CRC_BYTES)
            & ~(is_data & (count <= DATA_HEADER + CRC_BYTES))
        )
        m.d.sync += [
            self.hello.eq(ending & intact & is_hello & from_host),
            self.data_frame.eq(ending & intact & is_data),
            self.damaged.eq(ending & ~intact),
            self.foreign.eq(ending & intact & ~is_data & ~(is_hello & from_host)),
        ]
        with m.If(ending):
            m.d.sync += [
                self.length.eq(count - (1 + DATA_HEADER + CRC_BYTES)),
                count.eq(0),
                left.eq(0),
                after_full.eq(0),
                bad.eq(0),
            ]
        return m


class FrameTransmitter(wiring.Component):
    """Bodies to wire bytes; adds CRC, COBS and delimiter.

    A frame is stuffed into one half of a buffer while the other half is on the wire, so the wire
    never waits for a body that is fed within the time of one frame. In the buffer a code byte is
    left open until the next zero of the body is known, then filled in ("closed"). When 254 bytes
    have come without one and another comes, the code is closed first, which takes a cycle.

    Latency: 7 to 9 cycles from the last body byte to the first wire byte.

    Parameters
    ----------
    sizes : LinkSizes
        The longest payload.

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

    def __init__(self, *, sizes: LinkSizes = LARGE) -> None:
        self.half = ceil_log2(frame_bytes(sizes.payload))
        """Address bits of a half."""
        super().__init__()

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        half = 1 << self.half
        m.submodules.crc = crc = CrcBytes()
        write = WritePort(2 * half).create(path=("write",))
        read = ReadPort(2 * half).create(path=("read",))
        byte_ram(m, "buffer", 2 * half, write=write, read=read)
        writing = Signal()
        m.d.comb += write.enable.eq(outside_reset(writing))

        full = Array([Signal(name="full_0"), Signal(name="full_1")])
        loaded = Array([Signal(name="loaded_0"), Signal(name="loaded_1")])
        filling = Signal()
        sending = Signal()
        m.d.comb += [
            self.idle.eq(~full[0] & ~full[1]),
            self.sending_payload.eq((full[0] & loaded[0]) | (full[1] & loaded[1])),
        ]

        place = Signal(range(half), init=1)  # of the next byte
        code = Signal(8, init=1)
        code_place = Signal(range(half))
        dropped = Signal()
        byte = Signal(8)
        put = Signal()
        split = Signal()
        crc_left = Signal(range(CRC_BYTES))
        begin = [place.eq(1), code.eq(1), code_place.eq(0), dropped.eq(0)]
        m.d.comb += [
            write.address.eq(Cat(Mux(put & (byte != 0), place, code_place), filling)),
            write.data.eq(Mux(put & (byte != 0), byte, code)),
            writing.eq(put | split),
            crc.data.eq(self.i.payload.byte),
        ]
        with m.If(put | split):
            m.d.sync += place.eq(place + 1)
        with m.If(split):
            m.d.sync += [code.eq(1), code_place.eq(place)]
        with m.If(put):
            with m.If(byte != 0):
                m.d.sync += code.eq(code + 1)
            with m.Else():
                m.d.sync += [code.eq(1), code_place.eq(place)]
        with m.If(self.abort | self.flush):
            m.d.sync += dropped.eq(1)

        with m.FSM(name="fill"):
            with m.State("BODY"):
                # Store body bytes; a zero closes the open code and opens the next one in its place.
                m.d.comb += self.i.ready.eq(~full[filling] & (code != FULL_CODE))
                m.d.comb += byte.eq(self.i.payload.byte)
                with m.If(self.abort | self.flush):
                    m.d.comb += crc.start.eq(1)
                    m.d.sync += begin
                with m.Elif(self.i.valid & (code == FULL_CODE)):
                    m.d.comb += split.eq(1)
                with m.Elif(self.i.valid & self.i.ready):
                    m.d.comb += [put.eq(1), crc.valid.eq(1)]
                    with m.If(self.i.payload.last):
                        m.next = "CRC"
            with m.State("CRC"):
                # Append the CRC, lowest byte first.
                m.d.comb += byte.eq(crc.crc.word_select(crc_left, 8))
                with m.If(code == FULL_CODE):
                    m.d.comb += split.eq(1)
                with m.Else():
                    m.d.comb += put.eq(1)
                    m.d.sync += crc_left.eq(crc_left + 1)
                    with m.If(crc_left == CRC_BYTES - 1):
                        m.next = "CLOSE"
            with m.State("CLOSE"):
                # Close the last code.
                m.d.comb += writing.eq(1)
                m.next = "DELIMIT"
            with m.State("DELIMIT"):
                # Write a zero behind the last byte; the sending side stops there.
                m.d.comb += [write.address.eq(Cat(place, filling)), write.data.eq(0), writing.eq(1)]
                m.d.comb += crc.start.eq(1)
                m.d.sync += begin
                with m.If(~dropped & ~self.flush):
                    m.d.sync += [
                        full[filling].eq(1),
                        loaded[filling].eq(self.payload),
                        filling.eq(~filling),
                    ]
                m.next = "BODY"

        at = Signal(range(half))
        m.d.comb += [
            read.address.eq(Cat(at, sending)),
            read.enable.eq(0),
            self.o.payload.eq(read.data),
        ]
        with m.If(self.flush):
            m.d.sync += [full[~sending].eq(0), filling.eq(sending ^ full[sending])]
        with m.FSM(name="send"):
            with m.State("FETCH"):
                # Read the next byte of a complete frame; reading only complete halves keeps the
                # two ports of the buffer apart.
                with m.If(full[sending]):
                    m.d.comb += read.enable.eq(1)
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
