# SPDX-License-Identifier: MIT
"""Machine code of WebAssembly modules, kept between runs.

To compile the shipped simulation takes 0.3 s, to load what was compiled 1 ms. What is loaded is
executed as it stands, so it must be this user's own, which `read_own` checks. Otherwise the module
is compiled, and always on Windows, where a file does not tell who may write it. A digest in front
of the code shows damage.
"""

import contextlib
import hashlib
import importlib.metadata
import logging
import os
from pathlib import Path

import wasmtime

from glintfpga.quant.errors import GlintError
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.quant.files.cache_folder import cache_dir, own_folder, read_own

__all__ = ["compiled"]

KEPT = 4
"""Files in the folder; the oldest go first."""
MOST_BYTES = 64 << 20
_DIGEST_BYTES = hashlib.sha256().digest_size
_FOLDER = "modules"
_SUFFIX = ".cwasm"

_log = logging.getLogger("glintfpga.sim")


def compiled(engine: wasmtime.Engine, code: bytes) -> wasmtime.Module:
    """The module of ``code`` for an engine with the default settings.

    Raises ``wasmtime.WasmtimeError`` for code that is no module.
    """
    if not hasattr(os, "geteuid"):
        return wasmtime.Module(engine, code)
    try:
        path = _place(code)
        # wasmtime itself refuses the code of other releases, settings and processors.
        return wasmtime.Module.deserialize(engine, _checked(read_own(path, most=MOST_BYTES)))
    except (PermissionError, RuntimeError) as error:
        _log.debug("compiling the simulation, which cannot be kept: %s", error)
        return wasmtime.Module(engine, code)
    except (OSError, ValueError, wasmtime.WasmtimeError) as error:
        _log.debug("compiling the simulation, once: %s", error)
    module = wasmtime.Module(engine, code)
    with contextlib.suppress(OSError, GlintError):  # nobody needs it
        _keep(path, bytes(module.serialize()))
    return module


def _place(code: bytes) -> Path:
    """The file of this code, release and kind of machine (a home can be that of several)."""
    made_for = f"{importlib.metadata.version('wasmtime')} {os.uname().machine}"
    key = hashlib.sha256(made_for.encode() + b"\0" + code).hexdigest()
    return cache_dir() / _FOLDER / (key + _SUFFIX)


def _checked(data: bytes) -> bytes:
    """What follows the digest; raises ``ValueError`` when the digest is that of something else."""
    digest, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("what was kept is damaged")
    return content


def _keep(path: Path, content: bytes) -> None:
    folder = own_folder(_FOLDER)
    write_atomic(path, hashlib.sha256(content).digest() + content, private=True)
    files = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda file: file.stat().st_mtime)
    for old in files[:-KEPT]:
        old.unlink()
