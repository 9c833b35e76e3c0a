# SPDX-License-Identifier: MIT
"""Commands within a chat: lines that begin with /."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glintfpga.firmware.wire.byte_line import LinkLost
from glintfpga.firmware.wire.protocol import MAX_TEMPERATURE
from glintfpga.host.console.text import one_line
from glintfpga.quant.errors import DeviceError, InputError

if TYPE_CHECKING:
    from glintfpga.host.chat.loop import ChatLoop

__all__ = ["SlashCommands"]

HELP = '''\
/clear         forget what was said
/load MODEL    another model: a file, a folder, or a shipped name
/seed N        seed of the next answer
/temp T        temperature, 0 to 3.99; 0 is greedy
/bye           leave; so do exit, quit and Ctrl-D
"""            begins and ends a text of several lines
Ctrl-C         ends an answer; a space before / makes it text'''

LEAVE = ("/bye", "/exit", "/quit", "exit", "quit")

_log = logging.getLogger("glintfpga")


class SlashCommands:
    """Carries out commands on a chat.

    Members:
        leaving: whether the user wants to leave.
    """

    def __init__(self, chat: "ChatLoop"):
        self.leaving = False
        self._chat = chat
        self._known: dict[str, Callable[[str], None]] = {
            "/help": self._help,
            "/?": self._help,
            "/clear": self._clear,
            "/load": self._load,
            "/seed": self._seed,
            "/temp": self._temperature,
        }

    def run(self, line: str) -> bool:
        """Whether the line is a command, which is then carried out.

        What is wrong with it is logged as a line. Raises ``LinkLost`` when the device is gone.
        """
        words = line.strip()
        if words in LEAVE:
            self.leaving = True
            return True
        if not line.startswith("/"):
            return False
        name, _, rest = words.partition(" ")
        try:
            if name not in self._known:
                raise InputError(f"there is no command {one_line(name)}; /help lists them")
            self._known[name](rest.strip())
        except LinkLost:
            raise
        except (DeviceError, InputError) as error:
            click.echo(f"error: {one_line(str(error))}", err=True)
        return True

    def _help(self, rest: str) -> None:
        click.echo(HELP, err=True)

    def _clear(self, rest: str) -> None:
        self._chat.session.clear()
        _log.info("[conversation cleared]")

    def _seed(self, rest: str) -> None:
        if not (rest.isascii() and rest.isdigit() and len(rest) <= 20 and int(rest) < 1 << 64):
            raise InputError(f"a seed is a whole number from 0 to 2**64 - 1, not {rest!r}")
        self._chat.seed = int(rest)
        _log.info("[seed %d for the next answer]", self._chat.seed)

    def _temperature(self, rest: str) -> None:
        try:
            value = float(rest)
        except ValueError:
            value = -1.0
        if not 0 <= value <= MAX_TEMPERATURE / 256:
            raise InputError(
                f"a temperature is a number from 0 to {MAX_TEMPERATURE / 256:g}, not {rest!r}"
            )
        self._chat.temperature = value
        _log.info("[temperature %g]", value)

    def _load(self, rest: str) -> None:
        from glintfpga.host.device.connect import load
        from glintfpga.host.models import image_of, title_of

        if not rest:
            raise InputError("/load wants a model: a file, a folder, or a shipped name")
        client = self._chat.client
        path = Path(rest).expanduser()
        image = image_of(path, plan=client.machine.plan.code)
        self._chat.check_vocabulary(image.model.spec.vocab)
        # Should the device be gone, it is loaded when that is back.
        self._chat.session.use(image.data)
        load(client, image)
        self._chat.title = title_of(path)
        self._chat.greet()
