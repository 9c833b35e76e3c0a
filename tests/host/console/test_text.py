# SPDX-License-Identifier: MIT
import io
import sys
from pathlib import Path

import pytest

from glintfpga.host.console.progress import Progress
from glintfpga.host.console.streams import prepare_output
from glintfpga.host.console.text import ShownText, counted, shown_name, typed_bytes
from glintfpga.quant.errors import InputError


@pytest.mark.parametrize(
    "data, text",
    [
        (b"plain\n\ttext", "plain\n\ttext"),
        ("naïve — 日本 🙂".encode(), "naïve — 日本 🙂"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"caf\xc3", "caf\\xc3"),
        (b"\xc3(", "\\xc3("),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        (b"\x1b[31mred\x07\x00\r", "\\x1b[31mred\\x07\\x00\\x0d"),
        (b"\xc2\x9b31m\x7f", "\\xc2\\x9b31m\\x7f"),
        (b"\xe2\x80\xae\xe2\x81\xa6", "\\xe2\\x80\\xae\\xe2\\x81\\xa6"),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 100])
def test_shown_whatever_the_cuts(data, text, step):
    shown = ShownText()
    parts = [shown.feed(data[i : i + step]) for i in range(0, len(data), step)]
    assert "".join(parts) + shown.finish() == text


def test_finish_begins_anew():
    shown = ShownText()
    shown.feed(b"\xc3")
    assert shown.finish() == "\\xc3"
    assert shown.feed(b"\xa9") == "\\xa9"


def test_typed_bytes():
    assert typed_bytes("é\udcff") == b"\xc3\xa9\xff"
    with pytest.raises(InputError, match="half a character"):
        typed_bytes("\ud83d")


def test_output_takes_any_text_whatever_the_code_page(monkeypatch):
    buffer = io.BytesIO()
    console = io.TextIOWrapper(buffer, encoding="cp1252", newline="\r\n")
    console.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", console)
    prepare_output()
    sys.stdout.write("é ± Ω ☃\n")
    console.flush()
    assert buffer.getvalue() == b"\xe9 \xb1 \\u03a9 \\u2603\r\n"


def test_output_to_a_file_is_the_same_on_every_system(monkeypatch):
    buffer = io.BytesIO()
    file = io.TextIOWrapper(buffer, encoding="cp1252", newline="\r\n")
    monkeypatch.setattr(sys, "stdout", file)
    monkeypatch.setattr(sys, "stderr", None)
    prepare_output()
    sys.stdout.write("é ± Ω ☃\n")
    file.flush()
    assert buffer.getvalue() == "é ± Ω ☃\n".encode()


NAME = Path("m\u00f6 del\n\x1b[2J.glint")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_name_on_stdout(monkeypatch, terminal):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert shown_name(NAME) == ("m\u00f6 del \\x1b[2J.glint" if terminal else str(NAME))


@pytest.mark.quick
def test_names_in_notes_and_progress_cannot_steer_a_terminal(command, tmp_path):
    image = tmp_path / NAME
    code, _, err = command("quantize", "blink-base", "-o", image)
    assert code == 0 and image.exists()
    assert "\x1b" not in err and "m\u00f6 del \\x1b[2J.glint: 4948 bytes" in err
    assert Progress(f"quantizing {NAME}", 1.0, clock=lambda: 0.0).what == (
        "quantizing m\u00f6 del \\x1b[2J.glint"
    )


@pytest.mark.parametrize(
    "number, text",
    [(1, "1 minute"), (1.0, "1 minute"), (0, "0 minutes"), (0.5, "0.5 minutes"), (3, "3 minutes")],
)
def test_counts(number, text):
    assert counted(number, "minute") == text
