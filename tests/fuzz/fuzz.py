# SPDX-License-Identifier: MIT
"""Coverage-guided fuzzing of all parsers: ``PYTHONPATH=tests python tests/fuzz/fuzz.py SECONDS
[TARGET...]``.

All targets together take SECONDS, one after the other, at least one second each. What is found
goes to build/fuzz/: the bytes of a defect as ``<target>-crash-...``, inputs that reach new code in
a folder of the target's name. Bytes worth keeping belong into tests/fuzz/corpus/<target>/, from
where every run of the tests replays them.
"""

import gc
import os
import re
import sys
import types
from pathlib import Path

import atheris

from support.fuzz_targets import TARGETS, accepts

CORPUS = Path(__file__).parent / "corpus"
BUILD = Path(__file__).parent.parent.parent / "build" / "fuzz"
PATIENCE_S = 10
MEMORY_MIB = 2048
LONGEST = 8192
_LAST = re.compile(r"^#(\d+).* cov: (\d+)", re.MULTILINE)


def instrument():
    """Make every function of this package report what it reaches.

    The hook of atheris for imports does not see packages that are installed editable.
    """
    for thing in gc.get_objects():
        if isinstance(thing, types.FunctionType) and f"{thing.__module__}".startswith("glintfpga."):
            atheris.instrument_func(thing)


def fuzz(target, seconds):
    """One target in a process of its own; its log, and whether it found nothing."""
    grown = BUILD / target
    grown.mkdir(parents=True, exist_ok=True)
    log = BUILD / f"{target}.log"
    child = os.fork()
    if child == 0:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        options = {
            "max_total_time": seconds,
            "timeout": PATIENCE_S,
            "rss_limit_mb": MEMORY_MIB,
            "max_len": LONGEST,
            "artifact_prefix": f"{BUILD}/{target}-",
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        folders = [str(grown), str(CORPUS / target)]
        atheris.Setup(["fuzz", *arguments, *folders], lambda data: accepts(target, data) and None)
        atheris.Fuzz()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return log.read_text(encoding="utf-8", errors="replace"), status == 0


def main(seconds, *targets):
    """Returns the exit code: 0 when no target found a defect."""
    targets = targets or tuple(TARGETS)
    share = max(1, int(seconds) // len(targets))
    instrument()
    failed = []
    for target in targets:
        log, passed = fuzz(target, share)
        runs, reached = (_LAST.findall(log) or [("0", "0")])[-1]
        print(f"{target}: {int(runs):,} inputs in {share} s, {reached} branches", flush=True)
        if not passed:
            failed.append(target)
            print(log[-3000:], flush=True)
    if failed:
        print(f"defects in {', '.join(failed)}; the bytes are in {BUILD}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
