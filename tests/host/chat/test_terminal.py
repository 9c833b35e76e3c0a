# SPDX-License-Identifier: MIT
"""A chat as a person has it: at a pseudo-terminal, with commands, quotes, and a history."""

import os
import re
import select
import stat
import subprocess
import sys
import time

import pytest

pytest.importorskip("termios")

UP = b"\x1b[A"
# So that Ctrl-C comes from the terminal, and is heard where a background run ignores it.
START = """
import fcntl, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)
from glintfpga.host.cli import main
main()
"""
PATIENCE_S = 20


class Terminal:
    """One run of ``glintfpga chat`` at a terminal."""

    def __init__(self, *arguments, home, **variables):
        self.ours, its = os.openpty()
        environment = {"XDG_STATE_HOME": str(home), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, "chat", *map(str, arguments)],
            stdin=its, stdout=its, stderr=its, start_new_session=True,
            env={**os.environ, **environment, **variables},
        )  # fmt: skip
        os.close(its)
        self.shown = b""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        os.close(self.ours)

    def wait_for(self, pattern):
        """What is shown until then, which is taken away."""
        until = time.monotonic() + PATIENCE_S
        while not (match := re.search(pattern, self.shown)):
            assert time.monotonic() < until, self.shown
            if select.select([self.ours], [], [], 1)[0]:
                self.shown += os.read(self.ours, 4096)
        before, self.shown = self.shown[: match.end()], self.shown[match.end() :]
        return before

    def say(self, line):
        os.write(self.ours, line + b"\n")

    def interrupt(self):
        """Ctrl-C, again where it was lost.

        CPython loses one that comes after readline's prompt and before its wait for a key.
        """
        for _ in range(4):
            os.write(self.ours, b"\x03")
            if select.select([self.ours], [], [], 5)[0]:
                return
        raise AssertionError("no Ctrl-C is heard")

    def ask(self, line):
        """The answer, without the line on its speed."""
        self.say(line)
        shown = self.wait_for(rb"\[\d+ tokens?[^]]*\]")
        # Where readline gives the terminal back, and where the dim line begins.
        return shown.split(b"\x1b[?2004l\r")[-1].split(b"\x1b[2m[")[0]

    def leave(self, line=b"/bye"):
        self.say(line)
        return self.ended()

    def ended(self):
        """The exit code, once it ends by itself."""
        until = time.monotonic() + PATIENCE_S
        try:
            while time.monotonic() < until:
                if select.select([self.ours], [], [], 1)[0]:
                    self.shown += os.read(self.ours, 4096)
        except OSError:  # as Linux calls the end
            return self.process.wait(timeout=PATIENCE_S)
        raise AssertionError(self.shown)


@pytest.fixture
def terminal(tmp_path, glint):
    def make(*arguments, **variables):
        options = ("--load", glint, "--bytes", 5, "--temperature", 0)
        return Terminal("ref:", *options, *arguments, home=tmp_path / "state", **variables)

    return make


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "state" / "glintfpga" / "chat-history"


def test_says_what_is_here(terminal):
    with terminal() as chat:
        greeting = chat.wait_for(rb"> ")
        assert b"tiny on ref: it goes on with what is typed." in greeting
        assert b"/help lists commands" in greeting
        chat.say(b"/help")
        told = chat.wait_for(rb"makes it text")
        for order in (b"/clear", b"/load MODEL", b"/seed N", b"/temp T", b"/bye", b'"""'):
            assert order in told
        assert chat.leave() == 0


@pytest.mark.parametrize("line", [b"/bye", b"exit", b"quit", b"/exit", b"/quit", b"\x04"])
def test_ways_out(terminal, line):
    with terminal() as chat:
        chat.wait_for(rb"> ")
        assert chat.leave(line) == 0


def test_interrupt_at_the_input_line(terminal):
    with terminal() as chat:
        chat.wait_for(rb"> ")
        os.write(chat.ours, b"half a")
        chat.wait_for(rb"half a")
        chat.interrupt()
        assert chat.ended() == 130


def test_what_is_wrong_with_a_command_is_said(terminal):
    with terminal() as chat:
        for line, answer in (
            (b"/hlep", rb"error: there is no command /hlep; /help lists them"),
            (b"/seed x", rb"error: a seed is a whole number .* not 'x'"),
            (b"/temp 9", rb"error: a temperature is a number from 0 to 3.99609, not '9'"),
            (b"/temp nan", rb"not 'nan'"),
            (b"/load", rb"error: /load wants a model"),
            (b"/load nothing", rb"error: there is no model 'nothing'"),
        ):
            chat.wait_for(rb"> ")
            chat.say(line)
            chat.wait_for(answer)
        assert chat.ask(b" /not a command")
        assert chat.leave() == 0


@pytest.mark.quick
def test_seed_temperature_and_clear(terminal):
    with terminal() as chat:
        chat.wait_for(rb"> ")
        chat.say(b"/temp 3.9")
        chat.wait_for(rb"\[temperature 3.9\]")
        answers = []
        for seed in (b"7", b"7", b"8"):
            for order in (b"/seed " + seed, b"/clear"):
                chat.say(order)
            chat.wait_for(rb"cleared\]")
            answers.append(chat.ask(b"the"))
        assert answers[0] == answers[1] != answers[2]


def test_another_model(terminal, tmp_path, new_image):
    other = tmp_path / "other.glint"
    other.write_bytes(new_image(seed=5, chat=True).data)
    wide = tmp_path / "wide.glint"
    wide.write_bytes(new_image(vocab=300, eos=None).data)
    with terminal() as chat:
        chat.wait_for(rb"> ")
        before = chat.ask(b"the")
        chat.say(b"/load " + os.fsencode(wide))
        chat.wait_for(rb"error: the model has 300 tokens, which are not bytes")
        chat.say(b"/load " + os.fsencode(other))
        chat.wait_for(rb"other on ref: it answers what is typed\.")
        assert chat.ask(b"the") != before
        chat.say(b"/load blink-base")
        chat.wait_for(rb"blink-base on ref: it goes on")
        assert chat.leave() == 0


def test_a_text_of_several_lines(terminal):
    """One question, and the same answer however it was typed."""
    answers = []
    for typed in (b'"""a\nb\nc"""', b'"""\na\nb\nc\n"""', b"\x1b[200~a\nb\nc\x1b[201~"):
        with terminal() as chat:
            chat.wait_for(rb"> ")
            answers.append(chat.ask(typed))
            assert chat.leave() == 0
            assert b" tokens" not in chat.shown
    assert answers[0] and answers == answers[:1] * 3


def test_quotes_are_dropped_at_an_interrupt(terminal):
    with terminal() as chat:
        chat.wait_for(rb"> ")
        chat.say(b'"""not this')
        chat.wait_for(rb"\. ")
        chat.interrupt()
        chat.wait_for(rb"> ")
        assert chat.leave() == 0


def test_lines_are_kept_for_the_next_run(terminal, kept):
    with terminal() as chat:
        chat.wait_for(rb"> ")
        chat.ask(b"first question")
        assert chat.leave() == 0
    assert kept.read_text() == "first question\n/bye\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    with terminal() as chat:
        chat.wait_for(rb"> ")
        os.write(chat.ours, UP + UP)
        chat.wait_for(rb"first question")
        assert chat.ask(b"")
        assert chat.leave() == 0


def test_no_escape_codes_where_none_are_wanted(terminal):
    with terminal(NO_COLOR="1", TERM="dumb") as chat:
        shown = chat.wait_for(rb"> ") + chat.ask(b"the")
        assert chat.leave() == 0
        assert b"\x1b" not in shown + chat.shown


def test_a_pipe_is_all_text(command, glint, kept, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    arguments = ("chat", "ref:", "--load", glint, "-n", 5, "-t", 0)
    code, out, err = command(*arguments, stdin=b'/help\nexit\n"""a\nb"""\n')
    assert (code, len(re.findall(r"^\[5 tokens", err, re.M))) == (0, 4)
    assert b"/clear" not in out and b"ref:" not in out
    assert not kept.exists()
