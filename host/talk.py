# SPDX-License-Identifier: MIT
"""The chat's loop: lines in, answers out as they come, Ctrl-C, and lost boards."""

import contextlib
import importlib
import logging
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import click

from glintfpga.firmware.messages import Counters
from glintfpga.firmware.protocol import Reason
from glintfpga.host.client import Client
from glintfpga.host.conversation import Conversation
from glintfpga.host.ports import how_timed
from glintfpga.host.text import ShownText, typed_bytes
from glintfpga.quant.errors import DeviceError, InputError
from glintfpga.quant.template import question
from glintfpga.quant.text_files import without_mark

__all__ = ["Talk"]

PATIENCE_S = 30.0
"""How long a piped chat waits for a board that went away; at a terminal the user decides."""
RETRY_S = 0.5
FRAME_S = 1e-3
"""A frame closes 1 ms after its last token: tokens so close to the first came with it, and say
nothing about the rate."""
MAX_LINE = 1 << 20
PROMPT = "> "
BYTES_AND_EOS = 257

_log = logging.getLogger("glintfpga")


@dataclass(kw_only=True)
class Talk:
    """One run of ``glintfpga chat`` over stdin, stdout and (for all but the text) stderr.

    A model that was trained on dialogues is asked in their form, which its image's header tells;
    any other goes on with what was typed.
    """

    client: Client
    image: bytes | None
    count: int
    temperature: float
    seed: int | None
    _gone_since: float | None = field(default=None, init=False)
    _told: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._conversation = Conversation(
            client=self.client, image=self.image, lost=self._wait_for_board, back=self._is_back
        )
        # Without a console both are None.
        self._terminal = all(stream and stream.isatty() for stream in (sys.stdin, sys.stdout))

    def run(self) -> None:
        """Answer each line until the input ends; Ctrl-C at the input line leaves as an error.

        Raises ``InputError`` when the model's tokens are not bytes.
        """
        if (vocab := self.client.vocab) > BYTES_AND_EOS:
            raise InputError(
                f"the model has {vocab} tokens, which are not bytes; use generate, "
                "which writes token numbers"
            )
        if self._terminal:
            _log.info("Ctrl-C ends an answer, Ctrl-D the chat.")
        while (line := self._read_line()) is not None:
            if line:
                self._answer(line)

    def _read_line(self) -> bytes | None:
        """The next line without its end, or None after the last one."""
        with self.client.link.idle():
            if not self._terminal:
                data = sys.stdin.buffer.readline(MAX_LINE + 1) if sys.stdin else b""
                if len(data) > MAX_LINE:
                    raise InputError(f"a line of more than {MAX_LINE} bytes; break it into lines")
                return without_mark(data.rstrip(b"\r\n")) if data else None
            with contextlib.suppress(ImportError):
                importlib.import_module("readline")  # line editing, where the system has it
            try:
                return typed_bytes(input(PROMPT))
            except EOFError:
                click.echo()
                return None
            except KeyboardInterrupt:
                click.echo()
                raise

    def _answer(self, line: bytes) -> None:
        talk = self._conversation
        if self.client.for_chat:
            line = question(line)
        # What was said before ends its line first, or the two would run into one word.
        if talk.history and talk.history[-1] != ord("\n") and talk.reason is not Reason.EOS:
            line = b"\n" + line
        shown = ShownText()
        pace = _Pace(self.client)
        with self._interruptible():
            for token in talk.answer(
                line, self.count, temperature=self.temperature, seed=self.seed
            ):
                self.seed = None  # the noise goes on from answer to answer
                pace.count_one()
                click.echo(shown.feed(bytes([token])), nl=False)
        click.echo(shown.finish(), nl=False)
        if pace.tokens == 0 or talk.history[-1] != ord("\n"):
            click.echo()
        self._say(pace.line(talk.reason))

    def _say(self, line: str) -> None:
        if not _log.isEnabledFor(logging.INFO):
            return
        click.secho(line, err=True, dim=True)

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Within the block Ctrl-C asks the answer to end; a second one, or a lost board, leaves."""

        def ask(number: int, frame: object) -> None:
            if self._conversation.stopping or self._gone_since is not None:
                raise KeyboardInterrupt
            self._conversation.stopping = True

        try:
            before = signal.signal(signal.SIGINT, ask)
        except ValueError:  # not in the main thread: nobody can press Ctrl-C
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _wait_for_board(self, error: DeviceError) -> None:
        if self._gone_since is None:
            self._gone_since = time.monotonic()
            _log.warning("\n%s (waiting for it; Ctrl-C gives up)", error)
        elif not self._terminal and time.monotonic() - self._gone_since > PATIENCE_S:
            raise error
        elif str(error) not in self._told:
            _log.warning("%s", error)
        self._told.add(str(error))
        if self._conversation.stopping:
            raise KeyboardInterrupt
        time.sleep(RETRY_S)

    def _is_back(self) -> None:
        self._gone_since = None
        self._told.clear()
        _log.warning("the device is back; telling it the conversation again")


class _Pace:
    """Counts tokens and time of one answer, by the device's clock and its counters."""

    def __init__(self, client: Client):
        self.tokens = 0
        self._client = client
        self._before = self._counters()
        self._first = self._last = 0.0
        self._at_once = 0

    def count_one(self) -> None:
        self._last = self._client.link.clock()
        if self.tokens == 0:
            self._first = self._last
        self.tokens += 1
        if self._last - self._first < FRAME_S:
            self._at_once = self.tokens

    def line(self, reason: Reason | None) -> str:
        """As ``[57 tokens, end of text; 112,000 tokens/s on the chip, ... (simulated)]``."""
        ended = {Reason.EOS: ", end of text", Reason.BLANK_LINE: ", blank line"}
        ended[Reason.ABORT] = ", interrupted"
        text = f"{self.tokens} tokens{ended.get(reason, '') if reason else ''}"
        rates = []
        after = self._counters()
        if self._before is not None and after is not None:
            cycles = after.total_cycles - self._before.total_cycles
            sampled = (after.tokens - self._before.tokens) & 0xFFFFFFFF
            if cycles > 0 and sampled > 0 and self._client.info.clock_hz:
                rate = sampled * self._client.info.clock_hz / cycles
                rates.append(f"{rate:,.0f} tokens/s on the chip")
        if self.tokens > self._at_once:
            rate = (self.tokens - self._at_once) / (self._last - self._first)
            rates.append(f"{rate:,.0f} over the wire")
        how = how_timed(self._client.link.transport.name, self._client.info.build_id)
        return f"[{text}{'; ' + ', '.join(rates) + f' ({how})' if rates else ''}]"

    def _counters(self) -> Counters | None:
        # Statistics are no reason to fail; the answer itself notices a lost device.
        try:
            return self._client.counters()
        except DeviceError:
            return None
