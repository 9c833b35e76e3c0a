# SPDX-License-Identifier: MIT
from types import SimpleNamespace

import pytest

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.byte_line import LinkLost
from glintfpga.host.chat.slash_commands import HELP, LEAVE, SlashCommands


@pytest.fixture
def chat():
    cleared = []
    session = SimpleNamespace(clear=lambda: cleared.append(True))
    return SimpleNamespace(session=session, cleared=cleared, seed=None, temperature=0.5)


@pytest.mark.parametrize("line", [*LEAVE, " /bye \t"])
def test_leaving(chat, line):
    commands = SlashCommands(chat)
    assert commands.run(line) and commands.leaving


@pytest.mark.parametrize("line", ["", "hello", "please exit", " /seed 3", "bye", "\\/bye"])
def test_a_question_is_no_command(chat, line):
    commands = SlashCommands(chat)
    assert not commands.run(line) and not commands.leaving


@pytest.mark.parametrize(
    ("line", "seed", "temperature"),
    [
        ("/seed 18446744073709551615", 2**64 - 1, 0.5),
        ("/temp 4e0", None, 0.5),
        ("/temp 3.99", None, 3.99),
        ("/seed  7 ", 7, 0.5),
    ],
)
def test_settings(chat, line, seed, temperature):
    assert SlashCommands(chat).run(line)
    assert (chat.seed, chat.temperature) == (seed, temperature)


@pytest.mark.quick
@pytest.mark.parametrize(
    "line",
    [
        "/seed 18446744073709551616",
        "/seed -1",
        "/seed ٣",  # a digit, but none of ours
        "/seed 1_0",
        "/seed",
        "/temp nan",
        "/temp -0.1",
        "/temp 99",
        "/load",
        "/load /no/such/model",
        "/nothing\x1b[2J",
    ],
)
def test_what_is_wrong_is_one_line_and_changes_nothing(chat, line, capsys):
    chat.client = SimpleNamespace(machine=RowFacts())
    assert SlashCommands(chat).run(line)
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and "\x1b" not in err
    assert (chat.seed, chat.temperature) == (None, 0.5)


def test_a_lost_board_is_not_swallowed(chat):
    def lost():
        raise LinkLost("gone")

    chat.session.clear = lost
    with pytest.raises(LinkLost):
        SlashCommands(chat).run("/clear")


def test_help_names_every_command(chat, capsys):
    SlashCommands(chat).run("/?")
    assert capsys.readouterr().err == HELP + "\n"
    for name in ("/clear", "/load", "/seed", "/temp", "/bye"):
        assert name in HELP
