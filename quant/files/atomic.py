# SPDX-License-Identifier: MIT
"""Files and folders that appear whole or not at all."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from glintfpga.quant.errors import EnvironmentProblem

__all__ = ["DISK_ERRORS", "DRAFT", "cannot_write", "draft_folder", "write_atomic"]

DISK_ERRORS = {
    errno.ENOSPC: "make room there, or choose another place",
    errno.EDQUOT: "make room there, or choose another place",
    errno.EFBIG: "choose another place",
    errno.EROFS: "choose another place",
    errno.EIO: "choose another place, and save what is there",
}
"""What is wrong with a disk, whatever was to be written, and what to do."""


DRAFT = "."
"""How the names of drafts begin."""


def write_atomic(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write to a temporary file beside ``path``, then rename; ``private``: for its owner alone.

    Raises ``EnvironmentProblem`` when it cannot be written (a full disk, no permission). What was
    there before then stays.
    """
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not private:
            temporary.chmod(0o666 & ~_mask())  # that of a plain `open`
        temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, (OSError, ValueError)):  # ValueError: a NUL in the name
            raise cannot_write(repr(str(path)), error) from error
        raise


@contextlib.contextmanager
def draft_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside ``folder``, which the block fills and renames; else it is removed.

    Its name begins with `DRAFT`. Raises ``EnvironmentProblem`` when it cannot be made, or the
    block meets one of `DISK_ERRORS`.
    """
    place = folder.parent
    try:
        place.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f"{DRAFT}{folder.name}-", dir=place))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise cannot_write(f"in {str(place)!r}", error) from error
    try:
        yield draft
    except OSError as error:
        if error.errno in DISK_ERRORS:
            raise cannot_write(f"in {str(place)!r}", error) from error
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def cannot_write(what: str, error: Exception) -> EnvironmentProblem:
    """The error for what could not be written, as ``'a.glint'`` or ``to stdout``."""
    reason = getattr(error, "strerror", None) or error
    step = DISK_ERRORS.get(getattr(error, "errno", None) or 0, "choose another place")
    return EnvironmentProblem(f"cannot write {what}: {reason}; {step}")


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
