# SPDX-License-Identifier: MIT
"""manifest.json, the file beside a bitstream that describes it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from glintfpga.boards.cache import digest_of, file_digest
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.bounded import cannot_read, read_limited
from glintfpga.quant.files.strict_json import parse_object

__all__ = [
    *("MANIFEST", "Manifest", "Retimed"),
    *("gateware_facts", "manifest_beside", "read_manifest"),
]

MANIFEST = "manifest.json"
MAX_BYTES = 1 << 20
_AGAIN = "build the bitstream again"
_LOGIC = ("top.il", "top.ys", "top.cst", "top.sdc")


@dataclass(frozen=True, kw_only=True)
class Retimed:
    """What ``glintfpga tune`` changed in a finished bitstream: the settings of the PLL.

    f_out = f_in * multiplier / divider;  VCO = f_out * vco_divider
    """

    from_sha256: str
    """Of the bitstream as it was built."""
    built_clock_mhz: float
    """Its clock, for which the rates of the line were computed."""
    divider: int
    multiplier: int
    vco_divider: int
    band: int
    """Of the phase detector, by its reference."""
    charge_pump_ua: int
    loop_resistor: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The main fields of the file. Hashes are sha256 in hexadecimal."""

    bitstream: str
    """Name of the file."""
    bitstream_sha256: str
    board: str
    clock_mhz: float
    seed: int
    """Of the placer."""
    lanes: int
    plan: int
    """Bits of the numbers."""
    build_id: str
    """Sent by the device in its hello; in hexadecimal."""
    model: str | None
    """Name of the model inside; None for a device that waits for one."""
    image_sha256: str | None
    """Of the model's ``.glint`` file, as ``sha256sum`` prints it; its header has another."""
    gateware_sha256: str
    contents_sha256: str
    """Of the memories as they were built; a tuned bitstream has another clock in its hello."""
    retimed: Retimed | None = None
    """Only in the manifest of a tuned bitstream."""

    def __str__(self) -> str:
        tuned = "" if self.retimed is None else " (tuned)"
        return (
            f"{self.model or 'no model'}, {self.clock_mhz:g} MHz{tuned}, {self.lanes} lanes, "
            f"{self.plan}-bit numbers, build {self.build_id}"
        )


def gateware_facts(digests: Mapping[str, str]) -> dict[str, str]:
    """Hashes of what the step ``elaborate`` wrote, from those of its files.

    ``gateware_sha256`` is of the logic and its constraints, without source paths, model or build
    id. ``contents_sha256`` is of the words of the memories, model and build id among them.
    """
    return {
        "gateware_sha256": digest_of(*(digests[name] for name in _LOGIC)),
        "contents_sha256": digests["contents.json"],
    }


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises ``InputError`` when it is missing, damaged or lacks something."""
    data = read_limited(path, MAX_BYTES)
    try:
        facts = parse_object(data)
    except InputError as error:
        raise InputError(f"{str(path)!r} is {error}: {_AGAIN}") from None
    retimed = facts.pop("retimed", None)
    if retimed is not None:
        if not isinstance(retimed, dict):
            raise InputError(f"{str(path)!r} says {retimed!r:.80} for 'retimed': {_AGAIN}")
        retimed = Retimed(**_checked(path, retimed, [field.name for field in fields(Retimed)]))
    names = [field.name for field in fields(Manifest) if field.name != "retimed"]
    return Manifest(**_checked(path, facts, names), retimed=retimed)


def _checked(path: Path, facts: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The values of these names, each in its form."""
    for name in names:
        value = facts.get(name)
        if name not in facts or not _FORMS[name](value):
            raise InputError(f"{str(path)!r} says {value!r:.80} for {name!r}: {_AGAIN}")
    return {name: facts[name] for name in names}


def manifest_beside(bitstream: Path, *, board: str) -> Manifest | None:
    """The manifest in the folder of a bitstream; None when there is none, or of another file.

    Raises ``InputError`` when the bitstream is not the one that its manifest describes, or is for
    another board than ``board``.
    """
    path = bitstream.parent / MANIFEST
    try:
        if not path.exists():
            return None
    except OSError as error:
        raise cannot_read(repr(str(path)), error) from None
    manifest = read_manifest(path)
    if manifest.bitstream != bitstream.name:
        return None
    if manifest.board != board:
        raise InputError(
            f"{str(bitstream)!r} is for the board {manifest.board!r}, not for {board!r}: "
            f"name it with --board, or run: glintfpga build --board {board}"
        )
    try:
        digest = file_digest(bitstream)
    except OSError as error:
        raise cannot_read(repr(str(bitstream)), error) from None
    if digest != manifest.bitstream_sha256:
        raise InputError(
            f"{str(bitstream)!r} has sha256 {digest[:16]}..., its {MANIFEST} says "
            f"{manifest.bitstream_sha256[:16]}...: it is damaged or half written, build it again"
        )
    return manifest


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable()


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 32


def _is_hex(digits: int) -> Callable[[Any], bool]:
    pattern = re.compile(f"[0-9a-f]{{{digits}}}")
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


_is_sha256 = _is_hex(64)

_FORMS: Mapping[str, Callable[[Any], bool]] = {
    "bitstream": _is_name,
    "bitstream_sha256": _is_sha256,
    "board": _is_name,
    "clock_mhz": lambda value: type(value) in (int, float) and 0 < value < 1e6,
    "seed": _is_count,
    "lanes": _is_count,
    "plan": _is_count,
    "build_id": _is_hex(16),
    "model": lambda value: value is None or _is_name(value),
    "image_sha256": lambda value: value is None or _is_sha256(value),
    "gateware_sha256": _is_sha256,
    "contents_sha256": _is_sha256,
    "from_sha256": _is_sha256,
    "built_clock_mhz": lambda value: type(value) in (int, float) and 0 < value < 1e6,
    "divider": _is_count,
    "multiplier": _is_count,
    "vco_divider": _is_count,
    "band": _is_count,
    "charge_pump_ua": _is_count,
    "loop_resistor": _is_name,
}
