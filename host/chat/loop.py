# SPDX-License-Identifier: MIT
"""The chat's loop: lines in, answers out as they come, Ctrl-C, and lost boards."""

import contextlib
import logging
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import click

from glintfpga.firmware.wire.byte_line import LinkLost
from glintfpga.firmware.wire.protocol import Reason
from glintfpga.host.chat.answer_speed import AnswerSpeed
from glintfpga.host.chat.chat_session import ChatSession
from glintfpga.host.chat.keyboard import Keyboard, Pipe, Typed
from glintfpga.host.chat.slash_commands import SlashCommands
from glintfpga.host.console.text import ShownText
from glintfpga.host.device.client import Client
from glintfpga.host.models import named
from glintfpga.quant.chat_template import question
from glintfpga.quant.errors import DeviceError, InputError

__all__ = ["ChatLoop"]

PATIENCE_S = 30.0
"""How long a piped chat waits for a board that went away; at a terminal the user decides."""
RETRY_S = 0.5
BYTES_AND_EOS = 257

_log = logging.getLogger("glintfpga")


@dataclass(kw_only=True)
class ChatLoop:
    """One run of ``glintfpga chat`` over stdin, stdout and (for all but the text) stderr.

    A model that was trained on dialogues is asked in their form, which its image's header tells;
    any other goes on with what was typed. At a terminal a line may be a command, see
    `slash_commands`; in a pipe all is text.
    """

    client: Client
    image: bytes | None
    count: int
    temperature: float
    seed: int | None
    title: str | None = None
    """What to call the model; None: by the hello of the device."""
    _gone_since: float | None = field(default=None, init=False)
    _told: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.session = ChatSession(
            client=self.client, image=self.image, lost=self._wait_for_board, back=self._is_back
        )
        self._slash_commands = SlashCommands(self)
        # Without a console both are None.
        self._terminal = all(stream and stream.isatty() for stream in (sys.stdin, sys.stdout))

    def run(self) -> None:
        """Answer each line until the input ends; Ctrl-C at the input line leaves as an error.

        Raises ``InputError`` when the model's tokens are not bytes.
        """
        self.check_vocabulary(self.client.vocab)
        lines = Keyboard() if self._terminal else Pipe()
        if self._terminal:
            self.greet()
            _log.info("/help lists commands; Ctrl-C ends an answer, Ctrl-D the chat.")
        while not self._slash_commands.leaving and (typed := self._read(lines)) is not None:
            if typed.data and not (typed.may_command and self._obey(typed.data)):
                self._answer(typed.data)

    def check_vocabulary(self, vocab: int) -> None:
        """Raise ``InputError`` for a model whose tokens are not bytes."""
        if vocab > BYTES_AND_EOS:
            raise InputError(
                f"the model has {vocab} tokens, which are not bytes; use generate, "
                "which writes token numbers"
            )

    def greet(self) -> None:
        """Say which model is here, where, and what it does with a question."""
        title = self.title or named(self.client.model_id)
        does = "answers what is typed" if self.client.for_chat else "goes on with what is typed"
        _log.info("%s on %s: it %s.", title, self.client.link.line.name.removesuffix(":"), does)

    def _read(self, lines: Keyboard | Pipe) -> Typed | None:
        with self.client.link.idle():
            return lines.read()

    def _obey(self, line: bytes) -> bool:
        """Whether the line was a command."""
        try:
            return self._slash_commands.run(line.decode("utf-8", "surrogateescape"))
        except LinkLost as error:
            # The conversation waits for the device, and loads what that must hold.
            _log.warning("%s", error)
            return True

    def _answer(self, line: bytes) -> None:
        chat = self.session
        if self.client.for_chat:
            line = question(line)
        # What was said before ends its line first, or the two would run into one word.
        if chat.history and chat.history[-1] != ord("\n") and chat.reason is not Reason.EOS:
            line = b"\n" + line
        shown = ShownText()
        speed = AnswerSpeed(self.client)
        with self._interruptible():
            for token in chat.answer(
                line, self.count, temperature=self.temperature, seed=self.seed
            ):
                self.seed = None  # the noise goes on from answer to answer
                speed.count_one()
                click.echo(shown.feed(bytes([token])), nl=False)
        click.echo(shown.finish(), nl=False)
        if speed.tokens == 0 or chat.history[-1] != ord("\n"):
            click.echo()
        self._say(speed.line(chat.reason))

    def _say(self, line: str) -> None:
        if not _log.isEnabledFor(logging.INFO):
            return
        click.secho(line, err=True, dim=True)

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Within the block Ctrl-C asks the answer to end; a second one, or a lost board, leaves."""

        def ask(number: int, frame: object) -> None:
            if self.session.stopping or self._gone_since is not None:
                raise KeyboardInterrupt
            self.session.stopping = True

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
        if self.session.stopping:
            raise KeyboardInterrupt
        time.sleep(RETRY_S)

    def _is_back(self) -> None:
        self._gone_since = None
        self._told.clear()
        _log.warning("the device is back; telling it the conversation again")
