# SPDX-License-Identifier: MIT
"""A folder that a command fills and may fill again, without touching the user's own files."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from glintfpga.host.files.named import read_bytes, write_bytes
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.strict_json import parse_object

__all__ = ["RECORD", "check", "fill"]

RECORD = "export.json"
"""What was written: facts, and under ``files`` the sha256 of each file by its path."""

_SCRIPT = "#!"


def check(folder: Path) -> None:
    """Raise ``InputError`` when `fill` would refuse the folder in any case."""
    _written(folder)


def fill(folder: Path, files: Mapping[str, str], facts: Mapping[str, Any]) -> None:
    """Write texts by path in the folder, and a record of them; scripts become executable.

    Files that the last call wrote and this one does not are removed. Others stay. Nothing is
    written when the folder is in use for something else or a file to replace is not as the last
    call left it; ``InputError`` names the file. Each file appears whole or not at all.
    """
    before = _written(folder)
    data = {name: text.encode() for name, text in files.items()}
    for name in before.keys() | data.keys():
        path = folder / name
        if path.is_dir() or (path.exists() and _digest(path) not in _known(name, before, data)):
            raise InputError(
                f"{str(path)!r} was not left so by an export; move it away, or name another folder"
            )
    for name in before.keys() - data.keys():
        (folder / name).unlink(missing_ok=True)
    for name, content in data.items():
        write_bytes(folder / name, content)
        if files[name].startswith(_SCRIPT):
            mode = (folder / name).stat().st_mode
            (folder / name).chmod(mode | (mode & 0o444) >> 2)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in data.items()}
    record = json.dumps({**facts, "files": digests}, indent=2) + "\n"
    write_bytes(folder / RECORD, record.encode())


def _written(folder: Path) -> dict[str, str]:
    """The ``files`` of the folder's record; none for a folder that is empty or not there."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{str(folder)!r} is a file; name a folder")
    try:
        found = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    except OSError as error:
        raise InputError(f"cannot read the folder {str(folder)!r}: {error.strerror}") from error
    if not found:
        return {}
    if RECORD not in found:
        raise InputError(
            f"the folder {str(folder)!r} holds {found[0]!r}, which no export wrote; name an empty "
            "folder"
        )
    record = folder / RECORD
    files = parse_object(read_bytes(record, what="record")).get("files")
    if not isinstance(files, dict) or not all(map(_is_inside, files)):
        raise InputError(f"{str(record)!r} is damaged; name another folder")
    return files


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _known(name: str, before: Mapping[str, str], data: Mapping[str, bytes]) -> set[str]:
    """Hashes of the contents that may be replaced: the last ones, and those to be written."""
    found = {before[name]} if name in before else set()
    return found | ({hashlib.sha256(data[name]).hexdigest()} if name in data else set())


def _digest(path: Path) -> str:
    return hashlib.sha256(read_bytes(path, what="file")).hexdigest()
