# SPDX-License-Identifier: MIT
"""The bytes that the fuzzer begins with, and those it was found to trip over, once each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from glintfpga.quant.errors import InputError
from support import fuzz_targets
from support.fuzz_targets import TARGETS, accepts

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
MAX_BYTES = 64_000
FILES = sorted(CORPUS.glob("*/*"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_replay(path):
    assert accepts(path.parent.name, path.read_bytes()) or path.name != "good"


def test_every_target_has_bytes_that_it_takes():
    assert {path.parent.name for path in FILES if path.name == "good"} == set(TARGETS)
    assert sum(path.stat().st_size for path in FILES) < MAX_BYTES


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_refuses_something(target):
    """Else it reads nothing. A line, and a stream of messages, may carry any bytes."""
    anything = {"line-of-a-host", "line-of-a-device", "messages", "commands"}
    assert accepts(target, b"\xff\0\x01") == (target in anything)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("error", "caught"),
    [
        (InputError("a\nb"), AssertionError),
        (InputError(""), AssertionError),
        (KeyError(1), KeyError),
    ],
)
def test_a_defect_is_noticed(monkeypatch, error, caught):
    def parse(data):
        raise error

    monkeypatch.setitem(fuzz_targets.TARGETS, "json", parse)
    with pytest.raises(caught):
        accepts("json", b"{}")


@pytest.mark.slow
def test_the_fuzzer_runs_and_notices(tmp_path):
    pytest.importorskip("atheris")
    broken = (
        "import sys, fuzz\n"
        "from glintfpga.host import parsers\n"
        "def parse(data):\n"
        "    assert data[:1] != b'{' or len(data) < 9, 'long'\n"
        "parsers.TARGETS['json'] = parse\n"
        "from pathlib import Path\n"
        f"fuzz.BUILD = Path({str(tmp_path)!r})\n"
        "sys.exit(fuzz.main('2', *sys.argv[1:]))\n"
    )
    for target, code in (("frame", 0), ("json", 1)):
        done = subprocess.run(
            [sys.executable, "-c", broken, target],
            cwd=HERE,
            env=os.environ | {"PYTHONPATH": str(HERE)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert " branches" in done.stdout
    assert list(tmp_path.glob("json-crash-*"))
