# SPDX-License-Identifier: MIT
"""How fast an answer came: on the chip by its counters, over the wire by the device's clock."""

from glintfpga.firmware.wire.messages import Counters
from glintfpga.firmware.wire.protocol import Reason
from glintfpga.host.console.text import counted
from glintfpga.host.device.client import Client
from glintfpga.host.ports.open_port import how_timed
from glintfpga.quant.errors import DeviceError

__all__ = ["AnswerSpeed"]

FRAME_S = 1e-3
"""A frame closes 1 ms after its last token: tokens so close to the first came with it, and say
nothing about the rate."""


class AnswerSpeed:
    """Counts tokens and time of one answer; make it before the question is sent."""

    def __init__(self, client: Client):
        self.tokens = 0
        self._client = client
        self._before = self._counters()
        self._first = self._last = 0.0
        self._at_once = 0

    def count_one(self) -> None:
        """Another token came, now."""
        self._last = self._client.link.clock()
        if self.tokens == 0:
            self._first = self._last
        self.tokens += 1
        if self._last - self._first < FRAME_S:
            self._at_once = self.tokens

    def line(self, reason: Reason | None) -> str:
        """As ``[57 tokens, end of text; 122,172 tokens/s on the chip, ... (simulated)]``."""
        ended = {Reason.EOS: ", end of text", Reason.BLANK_LINE: ", blank line"}
        ended[Reason.ABORT] = ", interrupted"
        text = counted(self.tokens, "token")
        text += ended.get(reason, "") if reason else ""
        rates = []
        if rate := self._on_chip():
            rates.append(f"{rate:,.0f} tokens/s on the chip")
        if self.tokens > self._at_once:
            rate = (self.tokens - self._at_once) / (self._last - self._first)
            rates.append(f"{rate:,.0f} tokens/s over the wire")
        how = how_timed(self._client.link.line.name, self._client.info.build_id)
        return f"[{text}{'; ' + ', '.join(rates) + f' ({how})' if rates else ''}]"

    def _on_chip(self) -> float | None:
        """Tokens per second from the cycles of the last token; None if there is no such rate.

        The first token is not representative: its passes ran with the question, so it takes a
        fifth of the cycles of any other, and a mean over a short answer would be too high.
        """
        before, after, clock_hz = self._before, self._counters(), self._client.info.clock_hz
        if before is None or after is None or not (clock_hz and after.token_cycles):
            return None
        sampled = (after.tokens - before.tokens) & 0xFFFFFFFF
        return clock_hz / after.token_cycles if sampled > 1 else None

    def _counters(self) -> Counters | None:
        # Statistics are no reason to fail; the answer itself notices a lost device.
        try:
            return self._client.counters()
        except DeviceError:
            return None
