# SPDX-License-Identifier: MIT
"""The smallest host: one `Endpoint`, messages in, replies out, no I/O. For benches and traces."""

from glintfpga.firmware.wire.byte_line import ByteLine
from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.messages import set_baud, take_message
from glintfpga.firmware.wire.protocol import BAUDS, HelloInfo, Op
from glintfpga.quant.errors import DeviceError

__all__ = ["Exchange", "SimHost"]

PATIENCE_S = 2.0
TURN_S = 0.002


class Exchange:
    """A session from its HELLO on. Feed what arrived to `step`, send what it returns.

    Members: ``endpoint``; ``replies``, the messages ``(op, body)`` that came so far.
    """

    def __init__(self, *, nonce: int = 1, now: float = 0.0):
        self.endpoint = Endpoint(Role.HOST)
        self.endpoint.start_session(nonce, now)
        self.replies: list[tuple[int, bytes]] = []
        self._outgoing = b""
        self._incoming = bytearray()
        self._awaited = 0

    @property
    def done(self) -> bool:
        """Whether the session is open and every message asked has had its DONE."""
        heard = sum(op == Op.DONE for op, _ in self.replies)
        return self.endpoint.open and heard >= self._awaited and not self._outgoing

    def ask(self, *messages: bytes) -> None:
        """Queue whole messages."""
        self._outgoing += b"".join(messages)
        self._awaited += len(messages)

    def step(self, arrived: bytes, now: float) -> bytes:
        """One turn of the link: bytes from the line in, bytes for the line out."""
        self.endpoint.feed(arrived, now)
        self._incoming += self.endpoint.read()
        while (found := take_message(self._incoming)) is not None:
            self.replies.append(found)
        self._outgoing = self._outgoing[self.endpoint.write(self._outgoing) :]
        return self.endpoint.poll(now)

    def take_replies(self) -> list[tuple[int, bytes]]:
        """Remove and return the replies; later `ask` calls wait for their own DONEs only."""
        taken, self.replies, self._awaited = self.replies, [], 0
        return taken


class SimHost:
    """An `Exchange` on a `ByteLine`. Raises ``DeviceError`` after `PATIENCE_S` without a byte."""

    def __init__(self, port: ByteLine):
        self.port = port
        self.exchange = Exchange(now=port.clock())

    @property
    def info(self) -> HelloInfo:
        """What the device says about itself; opens the session if need be."""
        if self.exchange.endpoint.info is None:
            self.ask()
        assert self.exchange.endpoint.info is not None
        return self.exchange.endpoint.info

    def ask(self, *messages: bytes) -> list[tuple[int, bytes]]:
        """Send whole messages, wait until each has had its DONE; all replies ``(op, body)``."""
        self.exchange.ask(*messages)
        heard = self.port.clock()
        while not self.exchange.done:
            if self._turn():
                heard = self.port.clock()
            elif self.port.clock() - heard > PATIENCE_S:
                raise DeviceError(f"the simulated device fell silent at {heard:.3f} s")
        return self.exchange.take_replies()

    def set_baud(self, index: int) -> None:
        """Take both ends to ``BAUDS[index]``."""
        self.ask(set_baud(index))
        self.port.set_baud(BAUDS[index])

    def _turn(self) -> bytes:
        """What arrived; its acknowledgment is on its way."""
        self.port.write(self.exchange.step(b"", self.port.clock()))
        arrived = self.port.read(4096, TURN_S)
        self.port.write(self.exchange.step(arrived, self.port.clock()))
        return arrived
