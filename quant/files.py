# SPDX-License-Identifier: MIT
"""Files that appear whole or not at all."""

import os
import tempfile
from pathlib import Path

from glintfpga.quant.errors import InputError

__all__ = ["publish"]


def publish(path: Path, data: bytes) -> None:
    """Write to a temporary file beside ``path``, then rename. ``InputError`` when it cannot be
    written (a full disk, no permission); what was there before then stays."""
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise InputError(
            f"cannot write {str(path)!r}: {error.strerror}; free space there or name another place"
        ) from error
