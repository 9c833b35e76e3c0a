# SPDX-License-Identifier: MIT
"""Drives one `Endpoint` over a `Transport`: sessions, rates, whole messages in and out."""

import contextlib
import logging
import secrets
import threading
from collections.abc import Callable, Iterator

from glintfpga.firmware.endpoint import Endpoint, Role, retry_seconds
from glintfpga.firmware.messages import Done, message, set_baud, take_message
from glintfpga.firmware.protocol import (
    BAUDS,
    FALLBACK_S,
    KEEP_ALIVE_S,
    VERSION,
    FrameError,
    FrameSplitter,
    HelloInfo,
    Kind,
    Op,
    Status,
    decode_frame,
)
from glintfpga.host.transport import LinkLost, Transport
from glintfpga.quant.errors import DeviceError

__all__ = ["Link"]

HELLO_WAIT_S = 1.5
"""Longer than a device left at another rate needs to come back to the first one."""
LOST_S = 2.0
"""A device that is asked again and again and says nothing for this long is gone."""
STEP_S = 0.01
TRIALS = 4
"""Exchanges that must pass without an error before a rate is kept."""

_log = logging.getLogger("glintfpga.link")


class _NoAnswer(LinkLost):
    """No hello came back."""


class Link:
    """One device, session by session.

    Parameters:
        opener: opens the line, again after it was lost.

    Members:
        info: what the device said when it was last greeted.
        baud: the rate now.
        transport: the open line; its ``clock`` is the link's time.

    Raises ``LinkLost`` when the device goes away or falls silent for 2 s while it should speak.
    """

    def __init__(self, *, opener: Callable[[], Transport]):
        self.transport = opener()
        self.baud = BAUDS[0]
        self._factor = 1
        self._line_rate = BAUDS[0]
        self._opener = opener
        self._info: HelloInfo | None = None
        self._lost = False
        self._session_id = secrets.randbelow(256)
        self._held = bytearray()
        self._endpoint = Endpoint(Role.HOST)

    @property
    def info(self) -> HelloInfo:
        if self._info is None:
            raise DeviceError(f"{self.transport.name!r} was not greeted yet; connect first")
        return self._info

    @property
    def crc_errors(self) -> int:
        """Damaged frames that arrived here."""
        return self._endpoint.crc_errors

    @property
    def retries(self) -> int:
        """Times this end sent something again."""
        return self._endpoint.retries

    def clock(self) -> float:
        """Seconds of the device's time."""
        return self.transport.clock()

    def connect(self) -> HelloInfo:
        """Greet the device at 115200 baud; opens the line again if it was lost.

        Raises ``LinkLost`` when nothing answers and ``DeviceError`` when the protocol version is
        foreign.
        """
        if self._lost:
            self.transport.close()
            self.transport = self._opener()
            self._line_rate = BAUDS[0]
            self._lost = False
        for factor in self.transport.rate_factors:
            self._factor = factor
            self._use_rate(BAUDS[0])
            with contextlib.suppress(_NoAnswer):
                info = self.greet()
                if factor != 1:
                    _log.warning("the USB bridge divides rates by %d; making up for it", factor)
                return info
        raise LinkLost(
            f"the device at {self.transport.name!r} does not answer; is it flashed "
            "(glintfpga flash), and is this its port?"
        )

    def greet(self) -> HelloInfo:
        """Begin a new session at the rate of now; the device keeps its context."""
        watch = _VersionWatch(self.transport.name)
        for _ in range(2):
            self._held.clear()
            self._session_id = (self._session_id + 1 + secrets.randbelow(255)) % 256
            nonce = secrets.randbelow(1 << 24) << 8 | self._session_id
            self._endpoint.start_session(nonce, self.clock())
            deadline = self.clock() + HELLO_WAIT_S
            while not self._endpoint.open and self.clock() < deadline:
                watch.feed(self._pump())
            if self._endpoint.open and self._endpoint.info is not None:
                self._info = self._endpoint.info
                watch.check(self._info.version)
                _log.debug("session %#x with %s", nonce, self.transport.name)
                return self._info
        raise _NoAnswer(f"the device at {self.transport.name!r} does not answer; reset it")

    def send(self, data: bytes) -> None:
        """Queue whole messages; returns when all bytes are in the sending ring."""
        began = self.clock()
        while data := data[self._endpoint.write(data) :]:
            self._wait(began)

    def receive(self) -> tuple[int, bytes]:
        """The next message ``(op, body)``; waits for it."""
        began = self.clock()
        while (found := take_message(self._held)) is None:
            self._wait(began)
        return found

    def receive_soon(self, timeout: float) -> tuple[int, bytes] | None:
        """The next message if it is complete within ``timeout`` seconds."""
        deadline = self.clock() + timeout
        while (found := take_message(self._held)) is None and self.clock() < deadline:
            self._pump()
        return found

    def set_baud(self, baud: int) -> bool:
        """Go to this rate of ``BAUDS`` and test it; on failure both ends are at 115200 again."""
        if baud == self.baud:
            return True
        if self._factor != 1:
            return False  # no bridge does four times the next rate
        self.send(set_baud(BAUDS.index(baud)))
        op, body = self.receive()
        if op != Op.DONE or Done.decode(body).status != Status.OK:
            return False
        # The device switches when it hears the ack of this DONE, so that goes out first.
        self._pump(0.0)
        self._settle(STEP_S)
        self._use_rate(baud)
        if self._rate_works():
            _log.debug("%s at %d baud", self.transport.name, baud)
            return True
        _log.debug("%s: %d baud does not work", self.transport.name, baud)
        self._use_rate(BAUDS[0])
        self._settle(FALLBACK_S * 1.2)
        self.connect()  # also drops the questions that were asked in vain; the context stays
        return False

    def fastest(self, wanted: int = BAUDS[-1]) -> int:
        """Go to the fastest rate up to ``wanted`` that works, and return it."""
        for baud in sorted((b for b in BAUDS if b <= wanted), reverse=True):
            if self.set_baud(baud):
                break
        return self.baud

    @contextlib.contextmanager
    def idle(self) -> Iterator[None]:
        """Keep the session and its rate alive while this thread waits for something else.

        The link must not be used inside the block.
        """
        if not self.transport.real_time or self.baud == BAUDS[0]:
            yield
            return
        stop = threading.Event()
        self._endpoint.expecting = False

        def pump() -> None:
            # A line lost here is noticed, and reported, by the next use of the link.
            with contextlib.suppress(DeviceError):
                while not stop.wait(KEEP_ALIVE_S / 6):
                    self._pump(0.0)

        thread = threading.Thread(target=pump, name="glintfpga keep-alive", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self._endpoint.expecting = True

    def close(self) -> None:
        """Give the line back."""
        self.transport.close()

    def _wait(self, began: float) -> None:
        """One step of waiting that started at ``began``."""
        self._pump()
        now = self.clock()
        if min(now - began, self._endpoint.silence(now)) > LOST_S:
            self._lost = True
            raise LinkLost(
                f"the device at {self.transport.name!r} fell silent; reset it, then try again"
            )

    def _pump(self, timeout: float = STEP_S) -> bytes:
        try:
            if out := self._endpoint.poll(self.clock()):
                self.transport.write(out)
            data = self.transport.read(4096, timeout)
        except LinkLost:
            self._lost = True
            raise
        self._endpoint.feed(data, self.clock())
        self._held += self._endpoint.read()
        return data

    def _settle(self, seconds: float) -> None:
        """Say nothing for a while, and forget what arrives: it may be noise of another rate."""
        deadline = self.clock() + seconds
        while self.clock() < deadline:
            self.transport.read(4096, STEP_S)

    def _use_rate(self, baud: int) -> None:
        if baud * self._factor != self._line_rate:
            self.transport.set_baud(baud * self._factor)
            self._line_rate = baud * self._factor
        self.baud = baud
        self._endpoint.retry_s = retry_seconds(baud)
        self._endpoint.keep_alive = KEEP_ALIVE_S if baud > BAUDS[0] else None

    def _rate_works(self) -> bool:
        damaged = self._endpoint.crc_errors
        for _ in range(TRIALS):
            self._endpoint.write(message(Op.COUNTERS))
            ops = []
            while Op.DONE not in ops:
                if (found := self.receive_soon(10 * STEP_S + self._endpoint.retry_s)) is None:
                    return False
                ops.append(found[0])
        return self._endpoint.crc_errors == damaged


class _VersionWatch:
    """Looks for greetings of another protocol version, which an `Endpoint` drops unread."""

    def __init__(self, name: str):
        self._name = name
        self._splitter = FrameSplitter()

    def feed(self, data: bytes) -> None:
        for raw in self._splitter.feed(data):
            with contextlib.suppress(FrameError):
                first = decode_frame(raw)[0]
                if first & 15 == Kind.HELLO:
                    self.check(first >> 4)

    def check(self, version: int) -> None:
        if version != VERSION:
            raise DeviceError(
                f"the device at {self._name!r} speaks protocol version {version}, this host "
                f"version {VERSION}; flash the bitstream of this release: glintfpga flash"
            )
