# SPDX-License-Identifier: MIT
"""Native code that is compiled once per machine, then loaded or run as it stands.

It is kept by its content in the folder ``native`` of the cache. Folder and file must be this
user's own, as `cache_folder` checks; otherwise the code is compiled for this process alone. On
Windows, where a file does not tell who may write it, nothing is checked.
"""

import hashlib
import logging
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.quant.files.atomic import cannot_write
from glintfpga.quant.files.cache_folder import check_own_file, own_folder

__all__ = ["compile_cached", "compile_sources", "made_cached", "run_compiler"]

_log = logging.getLogger("glintfpga.native")


def compile_cached(
    name: str,
    command: Sequence[str],
    sources: Mapping[str, str],
    *,
    what: str,
    libraries: Sequence[str] = (),
    key: Iterable[str] = (),
) -> Path:
    """The result of `compile_sources`, kept.

    ``name`` begins and ends that of the file, as "kernel.so". ``key`` is what else the result
    depends on. Raises ``EnvironmentProblem`` when the compiler fails.
    """
    return made_cached(
        name,
        [*key, *command, *libraries, *sources, *sources.values()],
        lambda folder: compile_sources(folder, command, sources, what=what, libraries=libraries),
    )


def made_cached(name: str, key: Iterable[str], make: Callable[[Path], Path]) -> Path:
    """The file that ``make`` leaves in the empty folder it is given, kept under all of ``key``.

    Raises ``EnvironmentProblem`` when the disk has no room for it.
    """
    try:
        folder = own_folder("native")
    except (OSError, RuntimeError) as error:
        _log.warning("compiling %s, which cannot be kept: %s", name, error)
        folder = _folder_of_this_process()
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()
    path = folder / f"{Path(name).stem}-{digest[:32]}{Path(name).suffix}"
    if not _is_own(path):
        try:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                made = make(Path(scratch))
                made.chmod(0o700)
                made.replace(path)
        except OSError as error:
            raise cannot_write(f"in {str(folder)!r}", error) from error
    return path


def compile_sources(
    folder: Path,
    command: Sequence[str],
    sources: Mapping[str, str],
    *,
    what: str,
    libraries: Sequence[str] = (),
) -> Path:
    """Write texts by name into a folder and compile the first of them; the file that results."""
    for name, text in sources.items():
        (folder / name).write_text(text, encoding="utf-8")
    built = folder / "built"
    run_compiler([*command, "-o", str(built), str(folder / next(iter(sources))), *libraries], what)
    return built


def run_compiler(command: Sequence[str], what: str, folder: Path | None = None) -> str:
    """What a compiler writes to its output. ``what`` it compiles is for the error.

    Raises ``EnvironmentProblem`` with the first line of its errors when it fails.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        first = next((line for line in lines if "error" in line.lower()), lines[0])
        raise EnvironmentProblem(f"{what} could not be compiled: {first[:200]!r}")
    return done.stdout


def _is_own(path: Path) -> bool:
    """Whether the file is there and may be executed."""
    try:
        check_own_file(path)
    except OSError as error:
        _log.debug("compiling %s: %s", path.name, error)
        return False
    return True


@cache
def _folder_of_this_process() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="glintfpga-", ignore_cleanup_errors=True)
    _folders.append(folder)
    return Path(folder.name)


_folders: list[tempfile.TemporaryDirectory[str]] = []
"""Removed with the process."""
