# SPDX-License-Identifier: MIT
"""Untrusted JSON files, read field by field; every error names the file and the field."""

from pathlib import Path
from typing import Any, NoReturn

from glintfpga.host.files.named import read_bytes
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.strict_json import parse_object

__all__ = ["Fields", "read_json"]

MAX_BYTES = 4 << 20
MAX_ITEMS = 1 << 16
MAX_TEXT = 1 << 16


class Fields:
    """A JSON object at ``where`` in a file."""

    def __init__(self, path: Path, value: object, where: str = "") -> None:
        self.path = path
        self.where = where
        if not isinstance(value, dict):
            self._refuse("", "a JSON object", value)
        self._value: dict[str, object] = value

    def __contains__(self, name: str) -> bool:
        return self._value.get(name) is not None

    def names(self) -> list[str]:
        """The names of all fields."""
        if len(self._value) > MAX_ITEMS:
            self._refuse("", f"an object of at most {MAX_ITEMS} fields", len(self._value))
        return list(self._value)

    def text(self, name: str) -> str:
        """A string."""
        value = self._get(name)
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            self._refuse(name, f"a text of at most {MAX_TEXT} characters", value)
        return value

    def whole(self, name: str, hi: int = (1 << 53) - 1) -> int:
        """A whole number from 0 to ``hi``."""
        value = self._get(name)
        if type(value) is not int or not 0 <= value <= hi:
            self._refuse(name, f"a whole number from 0 to {hi}", value)
        return value

    def number(self, name: str) -> float:
        """A finite number, not negative, below 1e12."""
        value = self._get(name)
        if type(value) not in (int, float) or not 0 <= value < 1e12:  # type: ignore[operator]
            self._refuse(name, "a number from 0 to 1e12", value)
        return float(value)  # type: ignore[arg-type]

    def signed(self, name: str) -> float:
        """A finite number between -1e12 and 1e12."""
        value = self._get(name)
        if type(value) not in (int, float) or not -1e12 < value < 1e12:  # type: ignore[operator]
            self._refuse(name, "a number from -1e12 to 1e12", value)
        return float(value)  # type: ignore[arg-type]

    def wholes(self, name: str, longest: int) -> list[int]:
        """A list of at most ``longest`` whole numbers, none of them negative."""
        items = self._list(name)
        if len(items) > longest:
            self._refuse(name, f"a list of at most {longest} items", len(items))
        for index, item in enumerate(items):
            if type(item) is not int or item < 0:
                self._refuse(f"{name}[{index}]", "a whole number", item)
        return [int(item) for item in items]  # type: ignore[call-overload]

    def raw(self, name: str) -> Any:
        """The value as it is, for callers who check it themselves."""
        return self._get(name)

    def inner(self, name: str) -> "Fields":
        """An object inside this one."""
        return Fields(self.path, self._get(name), self._at(name))

    def inners(self, name: str) -> "list[Fields]":
        """A list of objects."""
        return [
            Fields(self.path, item, f"{self._at(name)}[{index}]")
            for index, item in enumerate(self._list(name))
        ]

    def texts(self, name: str) -> list[str]:
        """A list of strings."""
        items = self._list(name)
        for index, item in enumerate(items):
            if not isinstance(item, str) or len(item) > MAX_TEXT:
                self._refuse(f"{name}[{index}]", "a text", item)
        return [str(item) for item in items]

    def rows(self, name: str, *limits: int) -> list[tuple[int, ...]]:
        """A list of lists of whole numbers, the ``i``-th of each from 0 to below ``limits[i]``."""
        rows = []
        for index, item in enumerate(self._list(name)):
            if not isinstance(item, list) or not _within(item, limits):
                below = ", ".join(map(str, limits))
                self._refuse(f"{name}[{index}]", f"whole numbers below {below}", item)
            rows.append(tuple(item))
        return rows

    def _list(self, name: str) -> list[object]:
        value = self._get(name)
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            self._refuse(name, f"a list of at most {MAX_ITEMS} items", value)
        return value

    def _get(self, name: str) -> object:
        if name not in self._value:
            raise InputError(
                f"{str(self.path)!r} lacks {self._at(name)!r}: build again with this version"
            )
        return self._value[name]

    def _at(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where and name else self.where or name

    def _refuse(self, name: str, wanted: str, value: object) -> NoReturn:
        where = f"{self._at(name)!r}" if self._at(name) else "the file"
        raise InputError(f"{str(self.path)!r}: {where} must be {wanted}, not {value!r:.60}")


def _within(numbers: list[object], limits: tuple[int, ...]) -> bool:
    return len(numbers) == len(limits) and all(
        isinstance(n, int) and type(n) is int and 0 <= n < top for n, top in zip(numbers, limits)
    )


def read_json(path: Path, *, what: str) -> Fields:
    """The object in a JSON file. Raises ``InputError`` for anything else, and above 4 MiB."""
    data = read_bytes(path, what=what, most=MAX_BYTES)
    try:
        return Fields(path, parse_object(data))
    except InputError as error:
        raise InputError(f"the {what} {str(path)!r}: {error}; build again") from error
