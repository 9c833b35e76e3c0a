# SPDX-License-Identifier: MIT
"""The machine that the doctor examines."""

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Machine"]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The facts of a machine by which checks differ."""

    system: str
    """As ``sys.platform``: linux, darwin, win32 or another."""
    architecture: str
    """As ``platform.machine()``: x86_64, arm64..."""
    root: Path
    """Where /etc, /proc, /sys and /dev are."""
    superuser: bool
    """Whether this process may do everything."""

    @classmethod
    def here(cls) -> "Machine":
        """The one this runs on."""
        return cls(
            system=sys.platform,
            architecture=platform.machine() or "unknown",
            root=Path("/"),
            superuser=getattr(os, "geteuid", lambda: 1)() == 0,
        )

    @property
    def wsl(self) -> int:
        """Version of the Windows Subsystem for Linux, by the kernel's name; 0 outside of it."""
        if self.system != "linux":
            return 0
        try:
            kernel = (self.root / "proc/version").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return 0
        if "microsoft" not in kernel.lower():
            return 0
        return 2 if "microsoft-standard" in kernel or "WSL2" in kernel else 1
