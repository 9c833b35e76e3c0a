# SPDX-License-Identifier: MIT
"""The simulated board as a serial port, used by one command after the other as a board would be."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")

MODEL = {"loops": 2, "vocab": 128, "eos": None}
ASKED = ("--prompt", "To be", "--bytes", 40, "--temperature", 0.9, "--seed", 3)


@pytest.fixture
def board():
    """The path of a simulated board that another process serves."""
    code = "from glintfpga.host.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "sim", "--pty"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    with process:
        try:
            yield process.stdout.readline().strip()
            assert process.poll() is None
        finally:
            # Not an interrupt: a test run in the background has children that ignore it.
            process.terminate()
            process.wait(timeout=20)


def test_one_command_after_the_other(command, board, new_image, tmp_path):
    model = tmp_path / "other.glint"
    image = new_image(seed=11, **MODEL)
    model.write_bytes(image.data)

    code, out, err = command("load", board, model)
    assert (code, out) == (0, b""), err
    assert image.model_id[:16] in err

    code, out, err = command("generate", board, *ASKED)
    assert code == 0, err
    assert out == command("generate", "ref:", "--load", model, *ASKED)[1]
    assert len(out) == 40

    chat = ("--bytes", 20, "--seed", 1)
    code, out, err = command("chat", board, *chat, stdin=b"the\nend\n")
    assert code == 0, err
    assert out == command("chat", "ref:", "--load", model, *chat, stdin=b"the\nend\n")[1]

    code, out, err = command("bench", board, "--json")
    assert code == 0, err
    result = json.loads(out)
    assert (result["port"], result["kind"]) == (board, "simulated")
    assert result["device"]["model_id"] == image.model_id
