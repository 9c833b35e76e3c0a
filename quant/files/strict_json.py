# SPDX-License-Identifier: MIT
"""JSON from files that anybody may have written: one object, no name twice, no NaN."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from glintfpga.quant.errors import InputError

__all__ = ["parse_object"]

_MAX_DEPTH = 32


def parse_object(data: bytes) -> dict[str, Any]:
    """The JSON object that is the whole of ``data``, which the caller keeps short.

    A byte-order mark, which some editors put first, is left out.

    Python's parser takes the last of equal names, NaN and Infinity, and makes 1e999 infinite.
    Raises ``InputError`` for those, for nesting beyond 32 levels (deeper values cannot even be
    shown where the interpreter's limit is near), for bytes that are not UTF-8, and for anything
    but an object.
    """
    try:
        value = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({' '.join(str(error).split())[:120]})") from error
    if not isinstance(value, dict):
        raise InputError("no JSON object")
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH):
        level = [part for holder in level for part in _parts(holder)]
        if not level:
            return value
    raise InputError(f"JSON nested more than {_MAX_DEPTH} deep")


def _parts(holder: dict[str, Any] | list[Any]) -> Iterator[dict[str, Any] | list[Any]]:
    inner = holder.values() if isinstance(holder, dict) else holder
    return (part for part in inner if isinstance(part, dict | list))


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"{name!r:.60} appears twice")
        result[name] = value
    return result


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"{digits:.60} is too large")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")
