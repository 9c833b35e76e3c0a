# SPDX-License-Identifier: MIT
"""Both ends of the link as a state machine without I/O: bytes in, bytes out, time as an argument.

The rules are those of `glintfpga.firmware.wire.protocol`. An `Endpoint` has a sender, a receiver,
the session and the timers. ``now`` is in seconds from any origin and never goes back.
"""

from collections.abc import Callable
from enum import Enum

from glintfpga.firmware.wire.frames import Data, FrameSplitter, Hello, HelloReply, parse_frame
from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    DEVICE_RETRIES,
    MAX_PAYLOAD,
    OLD_VERSION,
    RETRY_S,
    TO_DEVICE_PAYLOAD,
    TO_DEVICE_RING,
    TO_HOST_RING,
    VERSION,
    DataFlag,
    FrameError,
    frame_bytes,
    payload_limit,
)
from glintfpga.firmware.wire.streams import Receiver, Sender
from glintfpga.quant.errors import DeviceError

__all__ = ["HELLO_S", "POLL_S", "Endpoint", "Role", "retry_seconds"]

HELLO_S = 0.1
"""A host repeats an unanswered HELLO after this time."""
OLD_HELLO_EVERY = 3
"""Of so many HELLOs the last has the first byte of the old version."""
POLL_S = 0.1
"""A host that waits for something sends a POLL after this much silence."""


def retry_seconds(baud: int) -> float:
    """Time a host gives an answer: the device's 50 ms, and three full frames on a slow line."""
    return RETRY_S + 3 * 10 * frame_bytes(payload_limit(baud)) / baud


class Role(Enum):
    """Which end this is."""

    HOST = "host"
    DEVICE = "device"


class Endpoint:
    """One end of the link.

    Call `feed` with what arrived and `poll` often (at least every 10 ms); transmit what `poll`
    returns. A host calls `start_session` and waits for `open`; a device needs ``info``, which is
    asked at each HELLO. `read` and `write` move the bytes of the streams.

    Attributes:
        sessions: sessions begun so far; a device compares it to notice a HELLO.
        info: the device's hello, in a host with an open session.
        expecting: host; while true, `POLL_S` of silence makes it send a POLL. On unless cleared.
        keep_alive: host; seconds after which an idle line gets an empty DATA, or None.
        retry_s: seconds without progress until what was sent is sent again.
        payload_limit: bytes of a payload at the rate of now; whoever changes the rate sets it.
        dropped, crc_errors: as in `glintfpga.firmware.wire.messages.Counters`.
    """

    def __init__(self, role: Role, *, info: Callable[[], HelloInfo] | None = None) -> None:
        self.role = role
        self.sessions = 0
        self.info: HelloInfo | None = None
        self.expecting = True
        self.keep_alive: float | None = None
        self.retry_s = RETRY_S
        self.payload_limit = payload_limit(BAUDS[0])
        self.dropped = 0
        self.crc_errors = 0
        self.open = False
        self._describe = info
        self._longest = MAX_PAYLOAD if role is Role.HOST else TO_DEVICE_PAYLOAD
        self._splitter = FrameSplitter(self._longest)
        self._nonce = 0
        self._retries_before = 0
        self._last_received = 0.0
        self._last_sent = 0.0
        self._restart()

    def _restart(self) -> None:
        rings = (TO_HOST_RING, TO_DEVICE_RING)
        here, there = rings if self.role is Role.HOST else reversed(rings)
        self._sender = Sender(there)
        self._receiver = Receiver(here)
        self._hello_due: float | None = None
        self._hellos = 0
        self._ack_due = False
        self._expired = 0

    @property
    def retries(self) -> int:
        """Rewinds of the sender, over all sessions."""
        return self._retries_before + self._sender.retries

    @property
    def room(self) -> int:
        """Bytes that `write` takes now."""
        return self._sender.room if self.open else 0

    @property
    def unacked(self) -> int:
        """Bytes written that the peer has not confirmed."""
        return self._sender.stored

    @property
    def readable(self) -> int:
        """Bytes that `read` would return."""
        return self._receiver.stored

    @property
    def moved(self) -> int:
        """Bytes of both streams that have arrived in this session."""
        return self._sender.oldest + self._receiver.expected

    def silence(self, now: float) -> float:
        """Seconds since a valid frame arrived (or the session was asked for)."""
        return now - self._last_received

    def start_session(self, nonce: int, now: float) -> None:
        """Host: drop what is under way and greet the device; `open` tells when it has answered.

        The low byte of ``nonce`` (u32) names the session and must differ from the last one's.
        """
        if self.open and (nonce ^ self._nonce) & 255 == 0:
            raise DeviceError(f"nonce {nonce:#010x} reuses the session {nonce & 255}: pick another")
        self._begin(nonce, now)
        self.open = False
        self.info = None
        self._hello_due = now

    def _begin(self, nonce: int, now: float) -> None:
        self._retries_before = self.retries
        self._restart()
        self._nonce = nonce
        self._last_received = now
        self.sessions += 1

    def write(self, data: bytes) -> int:
        """Queue bytes for the peer; returns how many were taken (0 without a session)."""
        return self._sender.write(data) if self.open else 0

    def read(self, limit: int | None = None) -> bytes:
        """Remove and return received bytes, in order."""
        return self._receiver.read(limit)

    def peek(self) -> int | None:
        """The next byte to read, if there is one."""
        return self._receiver.peek()

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes from the line, cut anywhere."""
        for raw in self._splitter.feed(data):
            try:
                frame = parse_frame(raw, max_payload=self._longest)
            except FrameError as error:
                self.dropped += 1
                self.crc_errors += error.damaged
                self._ack_due |= error.damaged and self.open
                continue
            self._take(frame, now)

    def _take(self, frame: Hello | HelloReply | Data, now: float) -> None:
        match frame:
            case Data() if self.open and frame.session == self._nonce & 255:
                self._last_received = now
                self._expired = 0
                self._sender.acked(frame, now)
                if frame.payload and not self._receiver.take(frame):
                    self.dropped += 1
                self._ack_due |= bool(frame.payload) or bool(frame.flags & DataFlag.POLL)
            case Hello() if self.role is Role.DEVICE:
                self._begin(frame.nonce, now)
                self.open = True
                self._hello_due = now
            case HelloReply() if self.role is Role.HOST and frame.nonce == self._nonce:
                if self._hello_due is not None:
                    self._last_received = now
                    self._hello_due = None
                    self.open = True
                    self.info = frame.info
                    self._sender.open(frame.info.ring)
            case _:
                self.dropped += 1

    def poll(self, now: float, *, frames: int = 64) -> bytes:
        """Whole frames to transmit now, at most ``frames`` of them."""
        out = bytearray()
        for _ in range(frames):
            frame = self._next(now)
            if not frame:
                break
            self._last_sent = now
            out += frame
        return bytes(out)

    def _next(self, now: float) -> bytes:
        if self._hello_due is not None and now >= self._hello_due:
            if self.role is Role.DEVICE:
                assert self._describe is not None, "a device needs info"
                self._hello_due = None
                return HelloReply(self._nonce, self._describe()).encode()
            self._hello_due = now + HELLO_S
            # The zero ends whatever the line made of noise, or of another program's bytes.
            self._hellos += 1
            version = VERSION if self._hellos % OLD_HELLO_EVERY else OLD_VERSION
            return b"\0" + Hello(self._nonce, version).encode()
        if not self.open:
            return b""
        allowed = self.role is Role.HOST or self._expired < DEVICE_RETRIES
        if allowed and self._sender.late(now, self.retry_s):
            self._expired += 1
            self._sender.expire()
        if self._sender.sendable or self._ack_due or self._receiver.must_update:
            return self._data(now)
        if self.role is Role.HOST:
            stuck = self.expecting or self._sender.stored > self._sender.sent
            if stuck and now - max(self._last_received, self._last_sent) >= POLL_S:
                return b"\0" + self._data(now, DataFlag.POLL)
            if self.keep_alive is not None and now - self._last_sent >= self.keep_alive:
                return self._data(now)
        return b""

    def _data(self, now: float, flags: int = 0) -> bytes:
        limits = [self.payload_limit] + ([self.info.max_payload] if self.info else [])
        offset, payload = self._sender.take(now, min(limits))
        receiver = self._receiver
        receiver.advertised = receiver.credit
        self._ack_due = False
        return Data(
            session=self._nonce & 255,
            flags=flags,
            offset=offset,
            ack=receiver.expected % 65536,
            credit=receiver.credit,
            payload=payload,
        ).encode()
