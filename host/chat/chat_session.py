# SPDX-License-Identifier: MIT
"""A conversation that outlives its line: the turns are kept here and can be sent again."""

from collections.abc import Callable, Iterator

from glintfpga.firmware.blink.image_format import model_id_of
from glintfpga.firmware.wire.byte_line import LinkLost
from glintfpga.firmware.wire.protocol import BAUDS, NEWLINE, Reason
from glintfpga.host.device.client import Answer, Client
from glintfpga.quant.errors import DeviceError

__all__ = ["ChatSession"]

KEPT = 4096
"""Tokens sent again after a reset; no model that fits the device reaches further back."""


class ChatSession:
    """Questions and answers with one device.

    Parameters:
        client: connected.
        image: image that the device must hold, sent again after a reset; None leaves its own.
        lost: called with the error when the device is gone, then again after each vain attempt
            to reach it; it waits a while, or raises to give up.
        back: called when the device is there again.

    After a loss the device is reset and sent the conversation again, so that it answers as if
    nothing had happened; the noise stream starts anew. EOS has no spelling: a newline stands for
    the one that ended an answer.

    Members:
        history: tokens of both sides.
        reason: why the last answer ended.
        stopping: set it to end the running answer after what is already on its way.
    """

    def __init__(
        self,
        *,
        client: Client,
        image: bytes | None = None,
        lost: Callable[[DeviceError], None],
        back: Callable[[], None] = lambda: None,
    ):
        self.client = client
        self.history: list[int] = []
        self.reason: Reason | None = None
        self.stopping = False
        self._image = image
        self._lost = lost
        self._back = back
        self._stale = True

    def clear(self) -> None:
        """Forget all turns."""
        self.history = []
        self.reason = None
        self._stale = True

    def use(self, image: bytes) -> None:
        """From now on the device must hold this image; turns with another are forgotten."""
        self.clear()
        self._image = image

    def answer(
        self, text: bytes, count: int, *, temperature: float, seed: int | None = None
    ) -> Iterator[int]:
        """Say ``text``, then yield the tokens of the answer as they come.

        It ends at EOS, at a blank line, after ``count`` tokens, or once ``stopping`` is set. The
        device then still holds the EOS, which comes before the next ``text``.
        """
        if self.reason is Reason.EOS:
            self.history.append(NEWLINE)
        self.stopping = False
        self.reason = None
        self.history += text
        restored = not self._stale
        newlines = 0
        while self.reason is None:
            try:
                if not restored:
                    self._tell_again()
                else:
                    self.client.prompt(text)
                running = self.client.generate(
                    count, temperature=temperature, seed=seed, stop_blank=True
                )
                for token in running:
                    self.history.append(token.id)
                    count -= 1
                    newlines = newlines + 1 if token.id == NEWLINE else 0
                    yield token.id
                    self._stop_if_due(running, newlines)
                self.reason = running.reason
            except LinkLost as error:
                restored = False
                self._stale = True
                self._reach(error)
                # Another draw from the same seed would repeat the noise of the first part.
                seed = None

    def _stop_if_due(self, running: Answer, newlines: int) -> None:
        """The device ends an answer at a blank line, unless a loss came between its newlines."""
        if self.stopping or (newlines >= 2 and running.count < 2):
            running.abort()

    def _tell_again(self) -> None:
        if self._image is not None and not self._holds(self._image):
            self.client.load(self._image)
        self.client.reset()
        self.client.prompt(self.history[-KEPT:])
        self._stale = False

    def _holds(self, image: bytes) -> bool:
        return self.client.has_model and self.client.model_id == model_id_of(image)

    def _reach(self, error: DeviceError) -> None:
        while True:
            self._lost(error)
            try:
                self.client.connect()
                self.client.fastest(BAUDS[-1])
                self._back()
                return
            except DeviceError as again:
                error = again
