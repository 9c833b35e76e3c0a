# SPDX-License-Identifier: MIT
"""Files that commands write, and what they must not replace.

A command replaces what such a command wrote before, and nothing else: not what it reads itself,
under whatever name, and no file of another kind.
"""

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glintfpga.host.console.text import one_line
from glintfpga.host.files.named import check_place, write_bytes
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.atomic import cannot_write

__all__ = [
    *("BUILD", "CHECK", "IMAGE", "PAGE", "PROOF", "RANGES", "TRACE"),
    *("Kind", "Output", "check_folder", "same"),
]

_HEAD_BYTES = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of file, recognized by its first bytes."""

    name: str
    beginning: re.Pattern[bytes]

    def begins(self, data: bytes) -> bool:
        """Whether these first bytes may be of such a file; an empty one is of any kind."""
        return not data or self.beginning.match(data) is not None


def _kind(name: str, beginning: bytes) -> Kind:
    return Kind(name=name, beginning=re.compile(beginning, re.DOTALL))


def _object_with(key: str) -> bytes:
    """A JSON object with a key near its beginning."""
    return rb'\s*\{.*"%s"\s*:' % key.encode()


IMAGE = _kind("a .glint image", b"GLNT")
PAGE = _kind("a page of glintfpga report", rb"<!doctype html>\n<html.{,200}default-src 'none'")
TRACE = _kind("a waveform (VCD)", rb"\s*\$(timescale|date|version|comment|var)\b")
RANGES = _kind("a report of glintfpga quantize", _object_with("logit_snr_db"))
PROOF = _kind("a proof", _object_with("first_difference"))
CHECK = _kind("a record of glintfpga data check", _object_with("manifest_sha256"))
BUILD = {
    "blink.fs": _kind("a bitstream", rb"(//[^\n]*\n|\s)*[01]{8}"),
    "report.json": _kind("the report of a build", _object_with("utilization")),
    "timing.json": _kind("the timing of a build", rb'\s*\{\s*"clock_mhz"\s*:'),
    "floorplan.json": _kind("the floorplan of a build", _object_with("columns")),
    "manifest.json": _kind("the manifest of a build", _object_with("bitstream")),
}
"""What a build writes into its folder."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """A file to write. It is checked when it is made, before the work, and again when written.

    ``sources`` are what the command reads, or writes besides. Raises ``InputError`` when ``path``
    is one of them, is there and no ``kind``, or cannot be a file, and ``EnvironmentProblem`` when
    it cannot be written.
    """

    path: Path
    kind: Kind
    sources: Sequence[Path | None] = ()

    def __post_init__(self) -> None:
        check_place(self.path)
        for source in self.sources:
            if source is not None and same(self.path, source):
                raise InputError(
                    f"the output {str(self.path)!r} and {str(source)!r} are one file; name another"
                )
        if not self.kind.begins(_head(self.path)):
            raise InputError(
                f"the output {str(self.path)!r} is there and not {self.kind.name}; name another "
                "file, or move that one away"
            )

    def __str__(self) -> str:
        return one_line(str(self.path))

    def write(self, data: bytes) -> None:
        """Write the file, wholly or not at all."""
        self.__post_init__()
        write_bytes(self.path, data)


def check_folder(folder: Path, *, record: str, files: Sequence[str], what: str) -> None:
    """Raise ``InputError`` when one of ``files`` is in a folder that ``what`` has not filled.

    What it filled has its ``record``.
    """
    if (folder / record).exists():
        return
    for name in files:
        if (folder / name).exists():
            raise InputError(
                f"{str(folder / name)!r} is not of {what}, which would replace it; name another "
                "folder, or move it away"
            )


def same(path: Path, source: Path) -> bool:
    """Whether two names are of one file, which need not exist yet."""
    with contextlib.suppress(OSError):
        return path.samefile(source)  # links of both kinds
    with contextlib.suppress(OSError, RuntimeError):  # links in a circle
        return path.resolve() == source.resolve()
    return False


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise cannot_write(repr(str(path)), error) from error
