# SPDX-License-Identifier: MIT
"""Groups of users that may use a device (Linux), and how one gets into them."""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["access_step", "group_of", "join_step"]

_GROUP_USES = 0o060
_ROOT = 0


def group_of(path: Path) -> str | None:
    """The group that may read and write a device; None where that is nobody's or root's alone.

    Raises ``OSError`` when the device is not there.
    """
    import grp

    found = path.stat()
    if found.st_gid == _ROOT or found.st_mode & _GROUP_USES != _GROUP_USES:
        return None
    try:
        return grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        return str(found.st_gid)


def join_step(names: Sequence[str]) -> str:
    """The command; a login keeps the groups it started with."""
    return f"sudo usermod -aG {','.join(names)} $USER, then log out and in again"


def access_step(path: Path) -> str:
    """What lets this user use a device: its group, or where it has none, its mode."""
    try:
        group = group_of(path)
    except (OSError, ValueError, ImportError):  # gone meanwhile, no path, a system without groups
        group = None
    return join_step([group]) if group else f"sudo chmod a+rw {path}, until it is plugged in again"
