# SPDX-License-Identifier: MIT
"""Fuses of a hard block as named attributes, and back.

The chip database says which fuses a set of attribute values sets (rule of the packer: an entry
counts if all its positive codes are in the set and none of its negative ones). Reading goes the
other way: of each attribute the value that explains the most of the fuses, then writing that set
again must give exactly the fuses that were read. Any other fuse is unknown, and an error.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Fuse", "Table", "fuses_of"]

Fuse = tuple[int, int, int]
"""Tile within the block (columns to the right of its first), row and column in the tile."""

_Rules = Mapping[tuple[int, ...], Any]


def fuses_of(codes: Iterable[int], rules: _Rules) -> set[tuple[int, int]]:
    """Fuses that the attribute values `codes` set, by one table of the chip database."""
    have = set(codes)
    fuses: set[tuple[int, int]] = set()
    for key, bits in rules.items():
        used = key[: key.index(0)] if 0 in key else key
        if all(code in have if code > 0 else -code not in have for code in used):
            fuses.update(bits)
    return fuses


@dataclass(frozen=True, kw_only=True)
class Table:
    """The attributes of one block: the database's tables of its tiles taken together."""

    rules: Mapping[int, _Rules]
    """By tile within the block."""
    codes: Mapping[tuple[int, int], int]
    """(attribute, value) -> code, of the database's logic tables."""
    names: Mapping[str, int]
    values: Mapping[str, int]
    _choices: dict[str, list[tuple[int, frozenset[Fuse]]]] = field(default_factory=dict)

    @property
    def fuses(self) -> set[Fuse]:
        """Every fuse that any attribute can set."""
        return {
            (tile, *bit) for tile, rules in self.rules.items() for b in rules.values() for bit in b
        }

    def number(self, value: int | str) -> int:
        """The number of a named value."""
        return self.values[value] if isinstance(value, str) else value

    def encode(self, attributes: Mapping[str, int | str], extra: Iterable[int] = ()) -> set[Fuse]:
        """Fuses of a whole set of attributes; `extra` codes are in the set too."""
        codes = set(extra)
        for name, value in attributes.items():
            code = self.codes.get((self.names[name], self.number(value)))
            if code:
                codes.add(code)
        return {
            (tile, *bit) for tile, rules in self.rules.items() for bit in fuses_of(codes, rules)
        }

    def choices(self, name: str) -> list[tuple[int, frozenset[Fuse]]]:
        """Values of one attribute that set fuses of their own, the one with the most first."""
        if name not in self._choices:
            wanted = self.names[name]
            found = []
            for (attribute, value), code in self.codes.items():
                if attribute != wanted:
                    continue
                bits = frozenset(
                    (tile, *bit)
                    for tile, rules in self.rules.items()
                    for key, fuses in rules.items()
                    if key[0] == code and not any(key[1:])
                    for bit in fuses
                )
                if bits:
                    found.append((value, bits))
            found.sort(key=lambda item: (-len(item[1]), item[0]))
            self._choices[name] = found
        return self._choices[name]

    def read(self, name: str, fuses: set[Fuse] | frozenset[Fuse]) -> int | None:
        """The value of one attribute, None if it sets no fuse."""
        return next((value for value, bits in self.choices(name) if bits <= fuses), None)

    def all(self, fuses: set[Fuse] | frozenset[Fuse]) -> dict[str, int]:
        """Every attribute that has a value."""
        found = {}
        for name in self.names:
            value = self.read(name, fuses)
            if value is not None:
                found[name] = value
        return found
