# SPDX-License-Identifier: MIT
"""The gateware behind the port sim:, through the same commands as a board."""

import pytest


def test_same_bytes_as_the_reference(command):
    arguments = ("--prompt", "To be", "--bytes", 40, "--temperature", 0.9, "--seed", 3)
    code, out, err = command("generate", "sim:", *arguments)
    assert (code, err) == (0, "")
    assert out == command("generate", "ref:", *arguments)[1]
    assert len(out) == 40


def test_piped_chat(command):
    code, out, err = command("chat", "sim:", "--bytes", 20, "--seed", 1, stdin=b"the ")
    assert code == 0
    assert out == command("chat", "ref:", "--bytes", 20, "--seed", 1, stdin=b"the ")[1]
    assert "tokens/s on the chip" in err
    assert "(simulated)" in err


def test_every_logit_is_that_of_the_reference(command):
    code, out, _ = command("verify", "sim:", "--tokens", 60)
    assert code == 0
    assert b"0 mismatches" in out


def test_another_model_without_a_rebuild(command, glint):
    arguments = ("--load", glint, "--bytes", 20, "--temperature", 0)
    _, out, _ = command("generate", "sim:", *arguments)
    assert out == command("generate", "ref:", *arguments)[1]


@pytest.mark.parametrize("prompt", ["Hi", ""])
def test_trace(command, tmp_path, prompt):
    path = tmp_path / "answer.vcd"
    code, out, err = command("sim", "--trace", path, "--prompt", prompt)
    assert (code, out) == (0, b"")
    assert "clock cycles" in err
    assert path.read_bytes().startswith(b"$")
