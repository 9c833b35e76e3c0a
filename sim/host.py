# SPDX-License-Identifier: MIT
"""The smallest host: a `Session` on a line, for benches, traces and recordings."""

from glintfpga.firmware.wire.byte_line import ByteLine
from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.messages import set_baud
from glintfpga.firmware.wire.protocol import BAUDS, payload_limit
from glintfpga.firmware.wire.session import Reply, Session
from glintfpga.quant.errors import DeviceError

__all__ = ["SimHost"]

PATIENCE_S = 2.0
TURN_S = 0.002


class SimHost:
    """A `Session` on a line, without retries of its own.

    Members: ``line``; ``session``, which greets the device at once.

    Raises ``DeviceError`` after `PATIENCE_S` without a byte.
    """

    def __init__(self, line: ByteLine):
        self.line = line
        self._payload_limit = payload_limit(BAUDS[0])
        self.new_session(1)

    def new_session(self, nonce: int) -> None:
        """Forget the session and greet the device for another one."""
        self.session = Session()
        self.session.endpoint.payload_limit = self._payload_limit
        self.session.start(nonce, self.line.clock())

    @property
    def info(self) -> HelloInfo:
        """What the device reports about itself; opens the session if need be."""
        if self.session.endpoint.info is None:
            self.ask()
        assert self.session.endpoint.info is not None
        return self.session.endpoint.info

    def ask(self, *messages: bytes) -> list[Reply]:
        """Send whole messages, wait until each has had its DONE; all replies ``(op, body)``."""
        self.session.send(*messages)
        replies: list[Reply] = []
        last = self.line.clock()
        while not self.session.done:
            if self.turn():
                last = self.line.clock()
            elif self.line.clock() - last > PATIENCE_S:
                raise DeviceError(f"the simulated device fell silent at {last:.3f} s")
            replies += self.session.receive_all()
        return replies + self.session.receive_all()

    def set_baud(self, index: int) -> None:
        """Take both ends to ``BAUDS[index]``."""
        self.ask(set_baud(index))
        self.line.set_baud(BAUDS[index])
        self._payload_limit = payload_limit(BAUDS[index])
        self.session.endpoint.payload_limit = self._payload_limit

    def turn(self) -> bytes:
        """One turn of the line: what arrived, whose acknowledgment is on its way then."""
        self.line.write(self.session.step(b"", self.line.clock()))
        arrived = self.line.read(4096, TURN_S)
        self.line.write(self.session.step(arrived, self.line.clock()))
        return arrived
