# SPDX-License-Identifier: MIT
"""Where compiled simulations are kept between runs."""

import os
from pathlib import Path

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """``$XDG_CACHE_HOME/glintfpga``, by default ``~/.cache/glintfpga``; it may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "glintfpga"
