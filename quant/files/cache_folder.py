# SPDX-License-Identifier: MIT
"""Where compiled code is kept between runs, and whether that place is safe to run from."""

import contextlib
import os
import stat
from pathlib import Path

__all__ = [
    "cache_dir",
    "check_own_file",
    "check_own_folder",
    "make_cache_dir",
    "own_folder",
    "read_own",
]

_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def cache_dir() -> Path:
    """``$XDG_CACHE_HOME/glintfpga``, by default ``~/.cache/glintfpga``; it may not exist yet.

    Raises ``RuntimeError`` for a user without a home.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "glintfpga"


def make_cache_dir() -> Path:
    """`cache_dir`, made for its owner alone: what is executed is not kept where others can write.

    One that others could write to, as a umask of 002 makes it, is closed to them: what is executed
    from it is checked file by file.

    Where it cannot be made, the first one to write there reports it.
    """
    folder = cache_dir()
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = folder.lstat()
        if stat.S_ISDIR(info.st_mode) and info.st_mode & _OTHERS:
            folder.chmod(stat.S_IMODE(info.st_mode) & ~_OTHERS)
    return folder


def own_folder(name: str) -> Path:
    """A folder of the cache that only this user, and root, can change; made if it is not there.

    Raises ``PermissionError`` as `check_own_folder`, another ``OSError`` where it cannot be made
    or written to, and ``RuntimeError`` for a user without a home. Windows: nothing is checked.
    """
    folder = make_cache_dir() / name
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "geteuid"):
        check_own_folder(folder)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{str(folder)!r} cannot be written to")
    return folder


def check_own_folder(folder: Path) -> None:
    """Raise ``PermissionError`` unless only this user, and root, can change what is in a folder.

    It belongs to the effective user and nobody else may write to it; no folder above can be
    changed by others; none of them is a link. POSIX only.
    """
    folder = folder.absolute()
    _check(folder, folder.lstat(), is_kind=stat.S_ISDIR(folder.lstat().st_mode), own=True)
    for above in folder.parents:
        info = above.lstat()
        _check(above, info, is_kind=stat.S_ISDIR(info.st_mode), own=False)


def check_own_file(path: Path) -> None:
    """Raise ``PermissionError`` unless nobody but this user, and root, can have written a file.

    Its folder is checked by `check_own_folder`, or was. Another ``OSError`` when it is not there.
    Windows: nothing else is checked.
    """
    info = path.lstat()
    if hasattr(os, "geteuid"):
        _check(path, info, is_kind=stat.S_ISREG(info.st_mode), own=True)


def read_own(path: Path, *, most: int) -> bytes:
    """The content of a file that nobody but this user, and root, can have written.

    For what is executed. Raises ``PermissionError`` for another file, or folder, and ``OSError``
    when it cannot be read or has more than ``most`` bytes. POSIX only.
    """
    check_own_folder(path.parent)
    # No link is followed and no pipe waited for; what is read is what was checked.
    with open(path, "rb", opener=_open_plainly) as file:
        info = os.fstat(file.fileno())
        _check(path, info, is_kind=stat.S_ISREG(info.st_mode), own=True)
        if info.st_size > most:
            raise OSError(f"{str(path)!r} has more than {most} bytes")
        return file.read(most)


def _open_plainly(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _check(path: Path, info: os.stat_result, *, is_kind: bool, own: bool) -> None:
    if not is_kind:
        raise PermissionError(f"{str(path)!r} is a link, or not what it should be")
    if info.st_uid != os.geteuid() and (own or info.st_uid != 0):
        raise PermissionError(f"{str(path)!r} belongs to another user")
    # In a sticky folder, such as /tmp, others cannot replace what is not theirs.
    if info.st_mode & _OTHERS and (own or not info.st_mode & stat.S_ISVTX):
        raise PermissionError(f"others may write to {str(path)!r}")
