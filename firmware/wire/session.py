# SPDX-License-Identifier: MIT
"""The host's side of the protocol without I/O: messages out, replies in, time as an argument.

Whoever drives a `Session` moves bytes and looks at a clock, nothing else: the client of a device,
the small host of the simulation, the benches in cocotb, the stimuli of the proof.
"""

from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.messages import take_message
from glintfpga.firmware.wire.protocol import MAX_MESSAGE, MESSAGE_HEADER, Op

__all__ = ["Reply", "Session"]

Reply = tuple[int, bytes]
"""Op and body of a message from the device."""


class Session:
    """The host's end of one session after another, each from its HELLO on.

    Feed what the line brought, transmit what `poll` returns, at least every 10 ms.

    Members: ``endpoint``, with the session's state, timers and counters; ``stored``, the bytes of
    replies that nobody has taken. Beyond one message of those the device has to wait.
    """

    def __init__(self) -> None:
        self.endpoint = Endpoint(Role.HOST)
        self._clear()

    def _clear(self) -> None:
        self.stored = 0
        self._unwritten = b""
        self._begun = bytearray()
        self._replies: list[Reply] = []
        self._awaited = 0

    def start(self, nonce: int, now: float) -> None:
        """Drop what is under way and greet the device; the endpoint is ``open`` once it answers.

        ``nonce`` as in `Endpoint.start_session`.
        """
        self._clear()
        self.endpoint.start_session(nonce, now)

    @property
    def done(self) -> bool:
        """Whether the session is open and every message has gone out and has had its DONE."""
        return self.endpoint.open and not self._awaited and not self._unwritten

    @property
    def unwritten(self) -> int:
        """Bytes of messages that have no room in the sending ring yet."""
        return len(self._unwritten)

    @property
    def unconfirmed(self) -> int:
        """Bytes of messages that the device has not confirmed."""
        return len(self._unwritten) + self.endpoint.unacked

    def send(self, *messages: bytes) -> None:
        """Queue whole messages."""
        self._unwritten += b"".join(messages)
        self._awaited += len(messages)
        self._fill()

    def drop_unwritten(self) -> None:
        """Forget what is not in the sending ring yet: the link was lost, or the user gave up."""
        self._unwritten = self._unwritten[:0]

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes from the line, cut anywhere."""
        self.endpoint.feed(data, now)
        if self.stored <= MESSAGE_HEADER + MAX_MESSAGE:
            self._read()
        self._fill()

    def poll(self, now: float, *, frames: int = 64) -> bytes:
        """Whole frames to transmit now, at most ``frames`` of them."""
        return self.endpoint.poll(now, frames=frames)

    def step(self, data: bytes, now: float) -> bytes:
        """One turn of the line: `feed`, then `poll`."""
        self.feed(data, now)
        return self.poll(now)

    def receive(self) -> Reply | None:
        """The next reply that is complete."""
        if not self._replies:
            return None
        op, body = self._replies.pop(0)
        self.stored -= MESSAGE_HEADER + len(body)
        return op, body

    def receive_all(self) -> list[Reply]:
        """All replies that are complete."""
        replies = []
        while (reply := self.receive()) is not None:
            replies.append(reply)
        return replies

    def _fill(self) -> None:
        self._unwritten = self._unwritten[self.endpoint.write(self._unwritten) :]

    def _read(self) -> None:
        data = self.endpoint.read()
        self.stored += len(data)
        self._begun += data
        while (reply := take_message(self._begun)) is not None:
            self._replies.append(reply)
            self._awaited -= reply[0] == Op.DONE and self._awaited > 0
