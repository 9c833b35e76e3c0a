# SPDX-License-Identifier: MIT
"""The result of a check of the doctor."""

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from glintfpga.host.doctor.machine import Machine
from glintfpga.quant.errors import GlintError

__all__ = ["Check", "Finding", "Level", "ok", "optional", "problem", "split_error", "warning"]


class Level(enum.StrEnum):
    """How bad it is: a problem keeps something that is installed or plugged in from working."""

    OK = "ok"
    OPTIONAL = "optional"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the doctor."""

    check: str
    """What was looked at, in a word or two."""
    level: Level
    text: str
    """What was found, with paths and versions."""
    next_step: str | None
    """The one thing to do; always there unless all is well."""

    def to_json(self) -> dict[str, str | None]:
        """Keys check, level, text and next (null where there is nothing to do)."""
        return {
            "check": self.check,
            "level": self.level.value,
            "text": self.text,
            "next": self.next_step,
        }


Check: TypeAlias = Callable[[Machine], Iterable[Finding]]


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check=check, level=Level.OK, text=text, next_step=None)


def optional(check: str, text: str, next_step: str) -> Finding:
    """All is well; ``next_step`` is what to do for more."""
    return Finding(check=check, level=Level.OPTIONAL, text=text, next_step=next_step)


def warning(check: str, text: str, next_step: str) -> Finding:
    """A warning: worth knowing before it costs time."""
    return Finding(check=check, level=Level.WARNING, text=text, next_step=next_step)


def problem(check: str, text: str, next_step: str) -> Finding:
    """A problem: something does not work."""
    return Finding(check=check, level=Level.PROBLEM, text=text, next_step=next_step)


def split_error(error: GlintError) -> tuple[str, str]:
    """What happened, and what to do: the errors of the tools end in ``: <next step>``."""
    text, _, step = str(error).rpartition(": ")
    return text, step
