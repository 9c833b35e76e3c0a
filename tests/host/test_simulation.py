# SPDX-License-Identifier: MIT
"""The gateware behind the port sim:, through the same commands as a board."""

import contextlib

import pytest

from glintfpga.firmware.wire.endpoint import HELLO_S
from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.host.device import connect as session_module
from glintfpga.host.device.connect import open_connection
from glintfpga.host.device.link import Link
from glintfpga.host.ports import usb
from glintfpga.sim.line import open_sim_line


def test_same_bytes_as_the_reference(command):
    arguments = ("--prompt", "To be", "--bytes", 40, "--temperature", 0.9, "--seed", 3)
    code, out, err = command("generate", "sim:", *arguments)
    assert (code, err) == (0, "")
    assert out == command("generate", "ref:", *arguments)[1]
    assert len(out) == 40


def test_starts_at_the_highest_rate_and_says_so(command):
    with open_connection("sim:") as connection:
        link = connection.client.link
        assert (link.baud, link.info.baud_index) == (BAUDS[-1], len(BAUDS) - 1)
        # The whole way there; at 115200 baud the hello alone takes 15 ms.
        assert link.clock() < 0.0015
        assert connection.client.set_baud(BAUDS[0])
        assert connection.client.counters().crc_errors == 0
        assert link.clock() > 0.02
    assert (
        "sim: starts at 3000000 baud; a board at 115200"
        in command("load", "-v", "sim:", "blink-base")[2]
    )


def test_without_a_board_the_simulation_is_named(monkeypatch):
    named = []

    @contextlib.contextmanager
    def counting(what):
        named.append(what)
        yield

    monkeypatch.setattr(session_module, "counting", counting)
    monkeypatch.setattr(usb.list_ports, "comports", list)
    with open_connection(None) as connection:
        assert connection.client.link.line.name == "sim:"
    assert named == ["connecting to 'sim:'"]


def test_piped_chat(command):
    code, out, err = command("chat", "sim:", "--bytes", 20, "--seed", 1, stdin=b"the ")
    assert code == 0
    assert out == command("chat", "ref:", "--bytes", 20, "--seed", 1, stdin=b"the ")[1]
    assert "tokens/s on the chip" in err
    assert "(simulated)" in err


@pytest.mark.quick
def test_lanes_are_those_it_was_built_with(command):
    arguments = ("generate", "sim:", "--bytes", 8, "--seed", 1)
    code, out, err = command(*arguments, "--lanes", 2)
    assert (code, out) == (2, b"")
    assert "--lanes has no effect here: sim: has the lanes it was built with; leave it out" in err


def test_every_logit_is_that_of_the_reference(command):
    code, out, _ = command("verify", "sim:", "--tokens", 60)
    assert code == 0
    assert b"0 mismatches" in out


def test_another_model_without_a_rebuild(command, glint):
    arguments = ("--load", glint, "--bytes", 20, "--temperature", 0)
    _, out, _ = command("generate", "sim:", *arguments)
    assert out == command("generate", "ref:", *arguments)[1]


def test_board_left_at_the_highest_rate_is_found_at_once():
    line = open_sim_line()

    def open_line():
        line.set_baud(BAUDS[0])
        return line

    first = Link(opener=open_line)
    first.connect()
    assert first.set_baud(BAUDS[-1])
    began = line.clock()
    second = Link(opener=open_line)
    second.connect()
    assert line.clock() - began < 2 * HELLO_S


@pytest.mark.parametrize("prompt", ["Hi", ""])
def test_trace(command, tmp_path, prompt):
    path = tmp_path / "answer.vcd"
    code, out, err = command("sim", "--trace", path, "--prompt", prompt)
    assert (code, out) == (0, b"")
    assert "clock cycles" in err
    assert path.read_bytes().startswith(b"$")
