# SPDX-License-Identifier: MIT
"""The bitstream that ships: ``release/<board>/``, so that a board needs no build.

    blink.fs.xz      the bitstream, 7.3 MB of text unpacked
    manifest.json    its description
    report.json      its cells and timing
    floorplan.json   where its cells lie
    proof.json       the result of ``glintfpga prove``

`support.shipping.renew_release` writes the folder, ``make proof`` the last file.
"""

import contextlib
import hashlib
import lzma
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from glintfpga.boards.catalog import board_of
from glintfpga.boards.manifest import MANIFEST, Manifest, read_manifest
from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.quant.files.bounded import read_limited

__all__ = ["BITSTREAM", "PACKED", "Release", "read_release", "release_folder", "shipped"]

BITSTREAM = "blink.fs"
PACKED = f"{BITSTREAM}.xz"
MAX_PACKED = 4 << 20
MAX_UNPACKED = 16 << 20
MAX_MEMORY = 32 << 20
"""Of the unpacker, in bytes; the dictionary that `support.shipping.renew_release` packs with needs
9 MB."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """A shipped bitstream, verified."""

    folder: Path
    manifest: Manifest
    bitstream: bytes = field(repr=False)
    """Contents of the .fs file."""

    @contextlib.contextmanager
    def unpacked(self) -> Iterator[Path]:
        """The bitstream as a .fs file beside its manifest; removed when the block ends."""
        with tempfile.TemporaryDirectory(prefix="glintfpga-") as folder:
            path = Path(folder, BITSTREAM)
            path.write_bytes(self.bitstream)
            Path(folder, MANIFEST).write_bytes((self.folder / MANIFEST).read_bytes())
            yield path


def shipped(board: str) -> Release:
    """The bitstream that ships for a board.

    Raises ``InputError`` for an unknown board or one without a shipped bitstream, and
    ``EnvironmentProblem`` when a file is missing or damaged.
    """
    folder = release_folder() / board_of(board).name
    if not folder.is_dir():
        raise InputError(f"no bitstream ships for {board!r}: run: glintfpga build --board {board}")
    try:
        return read_release(folder, board=board)
    except InputError as error:
        raise EnvironmentProblem(
            f"the shipped bitstream is damaged, install glintfpga again ({error})"
        ) from error


def release_folder() -> Path:
    """Where the folders of the boards are."""
    return Path(str(resources.files("glintfpga.boards"))) / "release"


def read_release(folder: Path, *, board: str) -> Release:
    """Read a folder; ``InputError`` when bitstream and manifest differ."""
    manifest = read_manifest(folder / MANIFEST)
    for what, found, wanted in (
        ("board", manifest.board, board),
        ("bitstream", manifest.bitstream, BITSTREAM),
    ):
        if found != wanted:
            raise InputError(f"{MANIFEST} says {found!r} for {what!r}, not {wanted!r}")
    bitstream = _unpack(folder / PACKED)
    digest = hashlib.sha256(bitstream).hexdigest()
    if digest != manifest.bitstream_sha256:
        raise InputError(
            f"{PACKED} unpacks to sha256 {digest[:16]}..., {MANIFEST} says "
            f"{manifest.bitstream_sha256[:16]}..."
        )
    return Release(folder=folder, manifest=manifest, bitstream=bitstream)


def _unpack(path: Path) -> bytes:
    """Contents of an .xz file, in bounded memory for any input."""
    packed = read_limited(path, MAX_PACKED)
    unpacker = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=MAX_MEMORY)
    try:
        data = unpacker.decompress(packed, max_length=MAX_UNPACKED + 1)
    except lzma.LZMAError as error:
        raise InputError(f"{path.name} cannot be unpacked: {error}") from None
    if len(data) > MAX_UNPACKED:
        raise InputError(f"{path.name} unpacks to more than {MAX_UNPACKED >> 20} MiB")
    if not unpacker.eof:
        raise InputError(f"{path.name} is cut off")
    if unpacker.unused_data:
        raise InputError(f"{path.name} goes on after its end")
    return data
