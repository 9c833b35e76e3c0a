# SPDX-License-Identifier: MIT
"""The command lines of a build, for people who run the tools themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

from glintfpga.boards.gowin.steps import Steps

__all__ = ["ToolCommands", "tool_commands", "without"]


@dataclass(frozen=True, kw_only=True)
class ToolCommands:
    """Arguments of the three tools, all files in the current folder."""

    synth: tuple[str, ...]
    """Of yosys: its command ``synth_gowin``."""
    route: tuple[str, ...]
    """Of nextpnr-himbaechel."""
    pack: tuple[str, ...]
    """Of gowin_pack."""


def tool_commands(steps: Steps, script: str) -> ToolCommands:
    """What a build passes; ``script`` is the yosys script of the platform.

    The router may fail on a clock that is missed; in a build `boards.gowin.timing` says it instead.
    """
    (synth,) = (line for line in script.splitlines() if line.startswith("synth_gowin "))
    return ToolCommands(
        synth=tuple(synth.split()),
        route=tuple(word for word in steps.route_arguments() if word != "--timing-allow-fail"),
        pack=tuple(steps.pack_arguments()),
    )


def without(arguments: Sequence[str], options: Sequence[str]) -> list[str]:
    """``arguments`` less ``options`` and the value that follows each of them."""
    values = {at + 1 for at, word in enumerate(arguments) if word in options}
    return [word for at, word in enumerate(arguments) if word not in options and at not in values]
