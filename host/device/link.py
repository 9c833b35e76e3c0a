# SPDX-License-Identifier: MIT
"""Drives a `Session` over a `ByteLine`: greetings, rates, patience, and lines that are lost."""

import contextlib
import itertools
import logging
import secrets
import threading
from collections.abc import Callable, Iterator

from glintfpga.boards.flash.failures import UPDATE_PAGE
from glintfpga.firmware.wire.byte_line import BRIDGE_DIVIDER, ByteLine, LinkLost
from glintfpga.firmware.wire.endpoint import retry_seconds
from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.messages import Done, message, set_baud
from glintfpga.firmware.wire.protocol import BAUDS, KEEP_ALIVE_S, Op, Status, payload_limit
from glintfpga.firmware.wire.session import Session
from glintfpga.host.console.progress import Waiting
from glintfpga.host.device.families import check_info
from glintfpga.host.ports.port_probe import PortProbe
from glintfpga.quant.errors import DeviceError

__all__ = ["Link"]

GREETINGS_S = (0.3, 0.6, 1.2)
"""Seconds of greeting per rate factor, in three rounds. A device left at a higher rate receives the
greetings, 0.1 s apart, as noise: after two (16 framing errors), or at the latest after 1 s without
a valid frame, it returns to the first rate. A board just plugged in first reads its bitstream."""
GREETING_S = GREETINGS_S[-1]
"""How long a device that was there may take to answer."""
LOST_S = 2.0
"""A device that is polled again and again and sends nothing for this long is gone."""
STUCK_S = 60.0
"""A device that answers but neither takes nor sends a byte of a message for this long is stuck. The
slowest, a software device, enters the 2,048 tokens that its ring holds in less."""
STEP_S = 0.01
SETTLE_S = 0.002
"""On its way a last frame may be delayed by a USB bridge, which no simulated line has."""
TRIALS = 4
"""Exchanges that must pass without an error before a rate is kept."""

_log = logging.getLogger("glintfpga.link")


class Link:
    """One device, session by session.

    Parameters:
        opener: opens the line, again after it was lost.

    Members:
        info: what the device reported when it was last greeted.
        baud: the rate now, one of ``BAUDS``; `bit_rate` is that of the wire.
        line: the open line; its ``clock`` is the link's time.
        session: state of the protocol on it.

    Raises ``LinkLost`` when the device goes away or falls silent for 2 s while it should speak.
    """

    def __init__(self, *, opener: Callable[[], ByteLine]):
        self._factor: float = 1
        self._opener = opener
        self._open()
        self._info: HelloInfo | None = None
        self._lost = False
        self._moved = 0.0
        self._session_id = secrets.randbelow(256)
        self.session = Session()

    @property
    def info(self) -> HelloInfo:
        if self._info is None:
            raise DeviceError(f"{self.line.name!r} was not greeted yet; connect first")
        return self._info

    @property
    def crc_errors(self) -> int:
        """Damaged frames that arrived here."""
        return self.session.endpoint.crc_errors

    @property
    def retries(self) -> int:
        """Times this end sent something again."""
        return self.session.endpoint.retries

    def bit_rate(self, baud: int) -> int:
        """What a rate of ``BAUDS`` is on the wire, in bits per second; more for a tuned device.

        A bridge that divides has another rate only toward this program.
        """
        return baud if self._factor == BRIDGE_DIVIDER else round(baud * self._factor)

    def clock(self) -> float:
        """Seconds of the device's time."""
        return self.line.clock()

    def _open(self) -> None:
        self.line = self._opener()
        self.baud = self._line_rate = self.line.first_baud
        self._is_new = True

    def connect(self) -> HelloInfo:
        """Greet the device; opens the line again if it was lost.

        It has the rate with which the line was opened, or 115200 baud, or comes back to that.
        Bridges that divide the rate are found, and told to the user; tuned devices, whose rates
        have grown with their clock, where the line knows by how much.
        Raises ``LinkLost`` when no device answers and ``DeviceError`` when the protocol version is
        foreign.
        """
        if self._lost:
            self.line.close()
            self._open()
            self._lost = False
        probe = PortProbe(self.line.name)
        if not self._find(probe):
            raise LinkLost(probe.diagnosis())
        return self.info

    def _find(self, probe: PortProbe) -> bool:
        """Greet in all ways there are; returns whether a device answers."""
        is_new, self._is_new = self._is_new, False
        first = self.baud
        if is_new and first != BAUDS[0] and self._use_rate(first):
            if self._greet(GREETINGS_S[0], probe):
                return True
        known = self._factor
        factors = sorted(self.line.rate_factors, key=lambda factor: factor != known)
        for seconds, factor in itertools.product(GREETINGS_S, factors):
            self._factor = factor
            if self._use_rate(BAUDS[0]) and self._greet(seconds, probe):
                if factor == BRIDGE_DIVIDER != known:
                    self._tell_factor()
                return True
        self._factor = known
        return False

    def greet(self) -> HelloInfo:
        """Begin a new session at the rate of now; the device keeps its context."""
        if not self._greet(GREETING_S, PortProbe(self.line.name)):
            raise LinkLost(f"the device at {self.line.name!r} does not answer; reset it")
        return self.info

    def _greet(self, seconds: float, probe: PortProbe) -> bool:
        """Ask for a session and wait so long for it; returns whether there is one."""
        self._session_id = (self._session_id + 1 + secrets.randbelow(255)) % 256
        nonce = secrets.randbelow(1 << 24) << 8 | self._session_id
        self.session.start(nonce, self.clock())
        deadline = self.clock() + seconds
        while not self.session.endpoint.open and self.clock() < deadline:
            probe.feed(self._pump())
        if self.session.endpoint.info is not None:
            check_info(self.session.endpoint.info, self.line.name)
            self._info = self.session.endpoint.info
            _log.debug("session %#x with %s", nonce, self.line.name)
        return self.session.endpoint.open

    def _tell_factor(self) -> None:
        _log.warning(
            "the USB bridge of %s divides rates by %d: other programs need %d baud to get %d; "
            "update the board's debugger firmware as %s says",
            self.line.name,
            BRIDGE_DIVIDER,
            BRIDGE_DIVIDER * BAUDS[0],
            BAUDS[0],
            UPDATE_PAGE,
        )

    def send(self, data: bytes, *, progress: Callable[[int], None] = lambda sent: None) -> None:
        """Queue whole messages; returns when all bytes are in the sending ring.

        Until then ``progress`` is called with the bytes that have arrived.
        """
        began = self.clock()
        waiting = Waiting(f"sending to {self.line.name!r}", len(data))
        self.session.send(data)
        try:
            while self.session.unwritten:
                self._wait(began)
                sent = len(data) - self.session.unconfirmed
                waiting(sent)
                progress(sent)
        except BaseException:
            self.session.drop_unwritten()
            raise

    def receive(self, *, progress: Callable[[int], None] = lambda left: None) -> tuple[int, bytes]:
        """The next message ``(op, body)``; waits for it.

        Until then ``progress`` is called with the bytes sent that have not arrived.
        """
        began = self.clock()
        waiting = Waiting(f"waiting for an answer from {self.line.name!r}")
        while (found := self.session.receive()) is None:
            self._wait(began)
            waiting()
            progress(self.session.unconfirmed)
        return found

    def receive_soon(self, timeout: float) -> tuple[int, bytes] | None:
        """The next message if it is complete within ``timeout`` seconds."""
        deadline = self.clock() + timeout
        while (found := self.session.receive()) is None and self.clock() < deadline:
            self._pump()
        return found

    def set_baud(self, baud: int) -> bool:
        """Go to this rate of ``BAUDS`` and test it; on failure both ends are at 115200 again."""
        if baud == self.baud:
            return True
        if self._factor == BRIDGE_DIVIDER:
            return False  # no bridge does four times the next rate
        self.send(set_baud(BAUDS.index(baud)))
        op, body = self.receive()
        if op != Op.DONE or Done.decode(body).status != Status.OK:
            return False
        # The device switches when the ack of this DONE arrives, so that goes out first.
        self._pump(0.0)
        self._settle(STEP_S if self.line.real_time else SETTLE_S)
        if self._use_rate(baud) and self._rate_works():
            _log.debug("%s at %d baud", self.line.name, baud)
            return True
        _log.debug("%s: %d baud does not work", self.line.name, baud)
        # This also drops the questions that were asked in vain; the context stays.
        probe = PortProbe(self.line.name)
        if not self._find(probe):
            raise LinkLost(probe.diagnosis_after(baud))
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
        if not self.line.real_time or self.baud == BAUDS[0]:
            yield
            return
        stop = threading.Event()
        self.session.endpoint.expecting = False

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
            self.session.endpoint.expecting = True

    def close(self) -> None:
        """Acknowledge what came, so that it is not sent again to nobody; give the line back."""
        if self.session.endpoint.open and not self._lost:
            with contextlib.suppress(DeviceError):
                self.line.write(self.session.poll(self.clock(), frames=1))
        self.line.close()

    def _wait(self, began: float) -> None:
        """One step of waiting that started at ``began``."""
        before = self.session.endpoint.moved
        self._pump()
        now = self.clock()
        if before != self.session.endpoint.moved:
            self._moved = now
        if now - max(began, self._moved) > STUCK_S:
            self._lost = True
            raise LinkLost(
                f"the device at {self.line.name!r} is there but stopped working; reset it, "
                "then try again"
            )
        if min(now - began, self.session.endpoint.silence(now)) > LOST_S:
            self._lost = True
            raise LinkLost(
                f"the device at {self.line.name!r} fell silent; reset it, then try again"
            )

    def _pump(self, timeout: float = STEP_S) -> bytes:
        with self._noticing_loss():
            if out := self.session.poll(self.clock()):
                self.line.write(out)
            data = self.line.read(4096, timeout)
        self.session.feed(data, self.clock())
        return data

    def _settle(self, seconds: float) -> None:
        """Wait and discard input: it may be noise received at the wrong rate."""
        deadline = self.clock() + seconds
        with self._noticing_loss():
            while self.clock() < deadline:
                self.line.read(4096, seconds)

    @contextlib.contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        try:
            yield
        except LinkLost:
            self._lost = True
            raise

    def _use_rate(self, baud: int) -> bool:
        """Change this end's rate; returns whether the port can."""
        rate = round(baud * self._factor)
        if rate != self._line_rate:
            self._line_rate = 0
            with self._noticing_loss():
                if not self.line.set_baud(rate):
                    return False
            self._line_rate = rate
        self.baud = baud
        self.session.endpoint.retry_s = retry_seconds(baud)
        self.session.endpoint.payload_limit = payload_limit(baud)
        self.session.endpoint.keep_alive = KEEP_ALIVE_S if baud > BAUDS[0] else None
        return True

    def _rate_works(self) -> bool:
        endpoint = self.session.endpoint
        damaged, patience = endpoint.crc_errors, 10 * STEP_S + endpoint.retry_s
        for _ in range(TRIALS):
            self.session.send(message(Op.COUNTERS))
            for expected in (Op.COUNTED, Op.DONE):
                found = self.receive_soon(patience)
                if found is None or found[0] != expected:
                    return False
        return endpoint.crc_errors == damaged
