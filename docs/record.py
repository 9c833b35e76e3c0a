# SPDX-License-Identifier: MIT
"""Runs the commands of README.md and docs/ again and writes what they print into the pages:
``python docs/record.py``.

A block fenced as ``console`` is a recording: its lines that start with ``$ `` are commands, run one
after the other in an empty folder of the block's own with this folder as ``docs``; what follows
each is its output, stdout and stderr together. Other blocks are not run.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["PAGES", "Recording", "masked", "recordings", "rerun"]

DOCS = Path(__file__).resolve().parent
PAGES = (DOCS.parent / "README.md", *sorted(DOCS.glob("*.md")))
PATIENCE_S = 300

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PROGRESS = re.compile(r"^.+: (\d+ %|\d+:\d\d)(, .*)?$")
"""What a terminal would not keep, and only slow machines write into a pipe."""
_CHANGING = (
    (re.compile(r"[\d,]+( tokens/s)(?=.*\((?:software|measured)\))"), r"N\1"),
    (re.compile(r"\d+\.\d+ s\b"), "N s"),
    (re.compile(r"\d+ KB\b"), "N KB"),
    (re.compile(r"(\d\.\d{3})\d{6,}"), r"\1"),
)
"""What differs from one machine or release to another: speeds, times, sizes of pages, and the last
digits of floats."""

Recording = tuple[str, str]
"""A command and its output, which ends with a newline unless it is empty."""


def recordings(block: str) -> list[Recording]:
    """Commands and outputs of a block's text, without its fences."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def blocks(page: str) -> Iterator[str]:
    """The texts of a page's console blocks."""
    return (match[1] for match in _BLOCK.finditer(page))


def masked(output: str) -> str:
    """``output`` without what differs from one run to another."""
    for pattern, replacement in _CHANGING:
        output = pattern.sub(replacement, output)
    return output


def rerun(block: str) -> str:
    """The block with the outputs of now."""
    with tempfile.TemporaryDirectory(prefix="glintfpga-") as folder:
        Path(folder, "docs").symlink_to(DOCS)
        pairs = ((command, _output(command, folder)) for command, _ in recordings(block))
        return "".join(f"$ {command}\n{output}" for command, output in pairs)


def _renewed(block: str) -> str:
    """As `rerun`, or the block as it is where only masked things differ."""
    now = rerun(block)
    return block if masked(now) == masked(block) else now


def _output(command: str, folder: str) -> str:
    here = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": f"{here}{os.pathsep}{os.environ['PATH']}", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    lines = (text.rstrip() for text in done.stdout.splitlines())
    return "".join(f"{text}\n" for text in lines if not _PROGRESS.match(text))


def main() -> None:
    for path in PAGES:
        before = path.read_text(encoding="utf-8")
        after = _BLOCK.sub(lambda match: f"```console\n{_renewed(match[1])}```", before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"{path.name}: changed")


if __name__ == "__main__":
    main()
