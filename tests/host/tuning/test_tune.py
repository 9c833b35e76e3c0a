# SPDX-License-Identifier: MIT
"""``glintfpga tune`` and ``flash --tuned`` on a board that fails above some clock."""

import json
from pathlib import Path

import pytest

from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.host.device.connect import open_connection
from glintfpga.host.models import image_of
from glintfpga.host.tuning.records import read_records, records_file
from support.tunable_board import PORT, SERIAL

TOKENS = ("--tokens", 200)


@pytest.fixture
def tuned(command, board):
    """A board that was tuned to 67.5 MHz."""
    assert command("tune", PORT, *TOKENS)[0] == 0
    board.forget_calls()
    return board


def test_a_board_with_a_limit_of_85_mhz(command, board):
    code, out, err = command("tune", PORT, "--tokens", 2000, "--warmth", "cold, 18 C")
    assert code == 0, err
    passed = "passed, 2,000 tokens equal"
    lines = out.decode().splitlines()
    assert lines[:3] == [f"54 MHz {passed}", f"67.5 MHz {passed}", f"81 MHz {passed}"]
    assert lines[3].startswith("94.5 MHz failed: token ")
    assert lines[4:] == [
        f"board {SERIAL}: 67.5 MHz, as 81 MHz passed too (measured); next: glintfpga flash --tuned"
    ]
    record = read_records()[SERIAL]
    assert (record.clock_mhz, record.next_clock_mhz, record.failed_clock_mhz) == (67.5, 81.0, 94.5)
    assert (record.tokens, record.warmth) == (2000, "cold, 18 C")
    # Into SRAM only, to the board that was named, and at the end what was built.
    assert len(board.calls) == 5
    assert all(call[:4] == ["-b", "tangnano20k", "--ftdi-serial", SERIAL] for call in board.calls)
    assert all(len(call) == 5 for call in board.calls)
    assert board.clock_hz == 54_000_000

    # The clock is used when it is asked for, and every command knows it.
    code, _, err = command("flash", "--tuned")
    assert code == 0, err
    assert "blink-base, 67.5 MHz (tuned), 4 lanes" in err
    assert "the self-test passed at 67.5 MHz" in err
    assert board.clock_hz == 67_500_000
    code, out, err = command("show", PORT)
    assert code == 0 and "67.5 MHz" in out.decode(), err
    with open_connection(PORT) as connection:
        link = connection.client.link
        assert link.baud == 2_000_000 and link.bit_rate(link.baud) == 2_500_000
    assert command("generate", PORT, "--prompt", "the ", "--bytes", 20, "--seed", 1)[0] == 0
    assert command("flash")[0] == 0
    assert command("show", PORT)[0] == 0 and board.clock_hz == 54_000_000


def test_no_faster_clock(command, board):
    board.limit_hz = 60e6
    code, out, err = command("tune", PORT, *TOKENS, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert facts["clock_mhz"] == 54.0 and facts["next_clock_mhz"] is None
    assert [step["passed"] for step in facts["steps"]] == [True, False]
    assert (facts["serial_number"], facts["file"]) == (SERIAL, str(records_file()))
    code, _, err = command("flash", "--tuned")
    assert code == 0, err
    assert board.clock_hz == 54_000_000


def test_every_clock_passes(command, board):
    board.limit_hz = 200e6
    code, out, err = command("tune", PORT, "--tokens", 100, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert (facts["clock_mhz"], facts["next_clock_mhz"]) == (94.5, 108.0)
    assert facts["failed_clock_mhz"] is None


@pytest.mark.parametrize("fault", ["silent", "self-test"])
def test_other_faults(command, board, fault):
    board.limit_hz, board.fault = 70e6, fault
    code, out, err = command("tune", PORT, "--tokens", 100, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert (facts["clock_mhz"], facts["failed_clock_mhz"]) == (54.0, 81.0)
    reason = facts["steps"][-1]["reason"]
    assert ("nothing answers" if fault == "silent" else "self-test") in reason


def test_a_board_that_fails_at_its_own_clock(command, board):
    board.limit_hz = 1e6
    code, out, err = command("tune", PORT, *TOKENS)
    assert (code, out) == (1, b"")
    assert "error: the device fails at 54 MHz, its own clock: token " in err
    assert read_records() == {}


def test_another_model(command, board):
    """One that is loaded is compared; one that was not named is not what fails."""
    board.limit_hz = 60e6
    arguments = ("tune", PORT, "--tokens", 140, "--load", "blink-instruct")
    code, out, err = command(*arguments)
    assert code == 0, err
    assert out.decode().splitlines()[1].startswith("67.5 MHz failed: token ")
    board.image = image_of(Path("blink-instruct"))
    code, _, err = command("tune", PORT, *TOKENS)
    assert code == 1
    assert "it holds the model" in err and "name it with --load" in err


def interrupt_above(board, clock_hz):
    def on_token(now_hz):
        if now_hz > clock_hz:
            board.on_token = lambda clock_hz: None
            raise KeyboardInterrupt

    board.on_token = on_token


def test_interrupted(command, board):
    interrupt_above(board, 60e6)
    code, _, err = command("tune", PORT, *TOKENS)
    assert code == 130
    assert "putting the bitstream for 54 MHz back" in err
    assert board.clock_hz == 54_000_000
    assert read_records() == {}


def test_interrupted_and_unplugged(command, board):
    interrupt_above(board, 60e6)
    real = board.on_token

    def on_token(clock_hz):
        if clock_hz > 60e6:
            board.break_loader()
        real(clock_hz)

    board.on_token = on_token
    code, _, err = command("tune", PORT, *TOKENS)
    assert code == 130
    assert "the board was left with the bitstream for 67.5 MHz, until power-off" in err
    assert read_records() == {}


def test_a_flash_tool_that_fails_says_nothing_of_a_clock(command, board):
    board.break_loader()
    code, out, err = command("tune", PORT, *TOKENS)
    assert (code, out) == (1, b"")
    assert "the board does not answer on JTAG" in err
    assert read_records() == {}


@pytest.mark.parametrize("serial_number", ["", None, "a\nb"])
def test_a_board_without_a_serial_number(command, board, serial_number):
    board.serial_number = serial_number
    code, _, err = command("tune", PORT, *TOKENS)
    assert code == 1
    assert "has no USB serial number" in err
    assert board.calls == []


@pytest.mark.quick
@pytest.mark.parametrize("port", ["sim:", "ref:", "float:"])
def test_a_simulation_has_no_limit(command, port):
    code, out, err = command("tune", port)
    assert (code, out) == (2, b"")
    assert err == (
        f"error: {port} is a simulation and has no limit to find; name the port of a board\n"
    )


def test_refused_arguments(command, board):
    assert command("tune", "/dev/ttyS0")[0] == 1
    assert command("tune", PORT, "--warmth", "a\nb")[0] == 2
    assert command("tune", PORT, "--warmth", "a" * 201)[0] == 2
    assert command("tune", PORT, "--tokens", 1)[0] == 2
    (board.folder / "none.fs").write_text("")
    assert command("tune", PORT, board.folder / "none.fs")[0] == 2
    assert board.calls == []


class TestTunedFlash:
    def test_never_into_the_flash_memory(self, command, tuned):
        code, _, err = command("flash", "--tuned", "--persist")
        assert code == 2
        assert "a tuned clock is never written to the flash memory" in err
        assert tuned.calls == []

    def test_a_board_that_became_warmer(self, command, tuned):
        tuned.limit_hz, tuned.fault = 60e6, "self-test"
        code, _, err = command("flash", "--tuned")
        assert code == 1
        assert "at 67.5 MHz, which it was tuned to, the self-test failed" in err
        assert "it has 54 MHz now; run glintfpga tune again" in err
        assert len(tuned.calls) == 2
        assert command("show", PORT)[0] == 0 and tuned.clock_hz == 54_000_000

    def test_another_bitstream(self, command, tuned):
        facts = json.loads(records_file().read_text())
        facts["boards"][SERIAL]["bitstream_sha256"] = "0" * 64
        records_file().write_text(json.dumps(facts))
        code, _, err = command("flash", "--tuned")
        assert code == 2
        assert "the board was tuned with another bitstream (0000000000000000...)" in err
        assert tuned.calls == []

    def test_another_board(self, command, tuned):
        tuned.serial_number = "S2"
        code, _, err = command("flash", "--tuned")
        assert (code, tuned.calls) == (2, [])
        assert "no clock was found yet for the board 'S2': run: glintfpga tune PORT" in err
        code, _, err = command("flash", "--tuned", "--serial", SERIAL)
        assert code == 1  # the self-test of a board that is not there cannot be read

    def test_a_damaged_list_of_boards(self, command, tuned):
        records_file().write_text("{")
        assert command("flash", "--tuned")[0] == 2
        assert command("tune", PORT)[0] == 2
        assert tuned.calls == []
        code, _, err = command("show", PORT)
        assert code == 0 and "remove it and run glintfpga tune" in err


def test_rates_of_the_line():
    """At twice the clock a device's time runs out twice as early; keep-alives still come in it."""
    from glintfpga.firmware.wire.protocol import FALLBACK_S, KEEP_ALIVE_S

    assert KEEP_ALIVE_S < FALLBACK_S * 54 / 108
    assert round(BAUDS[0] * 81 / 54) == 172_800
