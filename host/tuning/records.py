# SPDX-License-Identifier: MIT
"""tuned.json: the clock that each board was found to run at, by its USB serial number.

    {"boards": {"2023030621": {"clock_mhz": 67.5, "bitstream_sha256": "...", ...}}}

It belongs to the user, who may move and edit it, so it is read as any file from outside.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from glintfpga.boards.catalog import BOARDS
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.atomic import cannot_write, write_atomic
from glintfpga.quant.files.bounded import read_limited
from glintfpga.quant.files.strict_json import parse_object

__all__ = ["MOST_WARMTH", "TunedBoard", "is_serial", "read_records", "records_file", "write_record"]

MAX_BYTES = 1 << 20
MOST_BOARDS = 1000
MOST_WARMTH = 200
"""Characters of what the user says."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class TunedBoard:
    """What was found of one board, with one bitstream."""

    board: str
    clock_mhz: float
    """The fastest whose next step passed, too; the bitstream's own where there was none."""
    next_clock_mhz: float | None
    """That next step; None where only the bitstream's own clock passed."""
    failed_clock_mhz: float | None
    """The first that failed; None where all passed that the PLL makes."""
    built_clock_mhz: float
    bitstream_sha256: str
    """Of the bitstream as it was built."""
    tokens: int
    """Compared at each clock."""
    warmth: str
    """How warm the board was, in the user's words."""
    date: str
    """UTC, as 2026-01-31."""

    @property
    def rate_factor(self) -> float:
        """By how much the rates of the line have grown."""
        return self.clock_mhz / self.built_clock_mhz


def records_file() -> Path:
    """``tuned.json`` in the user's folder for data, see the XDG base directories."""
    base = os.environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser()
    return Path(base, "glintfpga", "tuned.json")


def is_serial(text: str) -> bool:
    """Whether a USB serial number can be a key."""
    return 0 < len(text) <= 128 and text.isprintable()


def read_records(path: Path | None = None) -> dict[str, TunedBoard]:
    """All boards of a file, else of `records_file`; none where there is no file.

    Raises ``InputError`` for a damaged one.
    """
    path = path or records_file()
    if not path.exists():
        return {}
    try:
        boards = parse_object(read_limited(path, MAX_BYTES)).get("boards")
        if not isinstance(boards, dict) or len(boards) > MOST_BOARDS:
            raise InputError(f"{boards!r:.60} for 'boards'")
        return {_serial(serial): _record(facts) for serial, facts in boards.items()}
    except InputError as error:
        raise InputError(
            f"{str(path)!r} is no list of tuned boards ({error}): remove it and run glintfpga tune"
        ) from None


def write_record(serial: str, record: TunedBoard) -> Path:
    """Write down what was found of one board; returns the file. The others stay.

    Raises ``EnvironmentProblem`` when it cannot be written, ``InputError`` for a damaged one.
    """
    path = records_file()
    boards = {**read_records(), _serial(serial): record}
    text = json.dumps({"boards": {key: asdict(one) for key, one in boards.items()}}, indent=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(f"in {str(path.parent)!r}", error) from error
    write_atomic(path, f"{text}\n".encode())
    return path


def _serial(text: str) -> str:
    if not is_serial(text):
        raise InputError(f"{text!r:.60} is no serial number")
    return text


def _record(facts: Any) -> TunedBoard:
    if not isinstance(facts, dict):
        raise InputError(f"{facts!r:.60} for a board")
    for field in fields(TunedBoard):
        value = facts.get(field.name)
        if field.name not in facts or not _FORMS[field.name](value):
            raise InputError(f"{value!r:.60} for {field.name!r}")
    record = TunedBoard(**{field.name: facts[field.name] for field in fields(TunedBoard)})
    clocks = BOARDS[record.board].dividers
    for clock in (record.clock_mhz, record.built_clock_mhz):
        if clock not in clocks:
            raise InputError(f"{clock!r} MHz, which the PLL of {record.board} does not make")
    if record.clock_mhz < record.built_clock_mhz:
        raise InputError(f"{record.clock_mhz:g} MHz, less than the bitstream was built for")
    return record


def _is_clock(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < 1e6


def _is_text(most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and len(value) <= most and value.isprintable()


_FORMS: Mapping[str, Callable[[Any], bool]] = {
    "board": lambda value: isinstance(value, str) and value in BOARDS,
    "clock_mhz": _is_clock,
    "next_clock_mhz": lambda value: value is None or _is_clock(value),
    "failed_clock_mhz": lambda value: value is None or _is_clock(value),
    "built_clock_mhz": _is_clock,
    "bitstream_sha256": lambda value: isinstance(value, str) and bool(_SHA256.fullmatch(value)),
    "tokens": lambda value: type(value) is int and 0 < value < 1 << 32,
    "warmth": _is_text(MOST_WARMTH),
    "date": lambda value: (
        isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None
    ),
}
