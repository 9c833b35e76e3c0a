# SPDX-License-Identifier: MIT
import io
import sys

import pytest

from glintfpga.host.chat.keyboard import MAX_LINE, Keyboard, Pipe, Typed
from glintfpga.quant.errors import InputError


def lines_of(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
    pipe, found = Pipe(), []
    while (typed := pipe.read()) is not None:
        found.append(typed)
    return found


def test_a_pipe(monkeypatch):
    """Bytes that are no text stay; marks and line ends go; no line is a command."""
    found = lines_of(monkeypatch, b"\xef\xbb\xbf/bye\r\n\xff\xfe\n\n \nlast")
    assert found == [Typed(b"/bye"), Typed(b"\xff\xfe"), Typed(b""), Typed(b" "), Typed(b"last")]


def test_the_longest_line(monkeypatch):
    line = b"x" * (MAX_LINE - 1) + b"\n"
    assert lines_of(monkeypatch, line) == [Typed(line[:-1])]
    with pytest.raises(InputError, match="break it into lines"):
        lines_of(monkeypatch, b"x" * (MAX_LINE + 1))


def test_no_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert Pipe().read() is None


@pytest.fixture
def typed(monkeypatch):
    """What a keyboard reads; an exception stands for a key that raises it."""

    def read(*lines):
        monkeypatch.setitem(sys.modules, "readline", None)
        waiting = iter(lines)

        def answer(prompt):
            line = next(waiting)
            if isinstance(line, BaseException):
                raise line
            return line

        monkeypatch.setattr("builtins.input", answer)
        return Keyboard().read()

    return read


@pytest.mark.quick
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["/seed 3"], Typed(b"/seed 3", may_command=True)),
        (["/seed 3\nsecond"], Typed(b"/seed 3\nsecond")),  # pasted
        (['  """/bye', 'still"""'], Typed(b"/bye\nstill")),
        (['"""', "one", "", '"""'], Typed(b"one\n")),
        (['"""one"""'], Typed(b"one")),
        (['"""half', KeyboardInterrupt()], Typed(b"")),
        ([EOFError()], None),
        (['"""half', EOFError()], None),
    ],
)
def test_a_person(typed, lines, expected):
    assert typed(*lines) == expected


def test_ctrl_c_outside_quotes(typed, capsys):
    with pytest.raises(KeyboardInterrupt):
        typed(KeyboardInterrupt())
    assert capsys.readouterr().out == "\n"
