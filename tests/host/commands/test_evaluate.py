# SPDX-License-Identifier: MIT
import json
import sys

import pytest

PAIR = {"sentence_good": "The cat sits.", "sentence_bad": "The cat sit.", "UID": "agreement"}


def test_table(command, tmp_path):
    (tmp_path / "some.txt").write_bytes(b"To be, or not to be, that is the question. " * 4)
    (tmp_path / "pairs.jsonl").write_text(json.dumps(PAIR))
    code, out, _ = command("eval", "blink-base", "--data", tmp_path)
    assert code == 0
    lines = out.decode().splitlines()
    assert lines[0].split() == ["benchmark", "form", "metric", "value", "±", "n"]
    assert [line.split()[0] for line in lines[1:]] == ["pairs"] * 2 + ["some"] * 4
    # One pair, one window, one piece: no spread to tell a standard error from.
    assert [line.split()[-2] for line in lines[1:]] == ["-"] * 6


def test_json(command, tmp_path):
    text = tmp_path / "some.txt"
    text.write_bytes(b"To be, or not to be, that is the question. " * 4)
    for numerics in ("float", "fixed"):
        arguments = ("--data", text, "--numerics", numerics, "--json", "--bytes", 100)
        _, out, _ = command("eval", "blink-base", *arguments)
        result = json.loads(out)
        rows = result.pop("rows")
        lanes = {"lanes": 4} if numerics == "fixed" else {}
        assert result == {"model": "blink-base", "numerics": numerics, **lanes}
        against = ["arg max differs, %", "KL, 1e-3 nats"] if numerics == "fixed" else []
        assert [(row["form"], row["metric"], row["n"]) for row in rows] == [
            *(("256-byte windows", metric, 99) for metric in ["byte perplexity", *against]),
            ("continuous", "byte perplexity", 100),
        ]
        assert all((row["benchmark"], row["numerics"]) == ("some", numerics) for row in rows)
        assert [row["stderr"] for row in rows] == [None] * len(rows)


def test_an_image_has_no_floats_beside_it(command, glint, tmp_path):
    text = tmp_path / "some.txt"
    text.write_bytes(b"To be, or not to be.")
    _, out, _ = command("eval", glint, "--data", text, "--json")
    assert [row["metric"] for row in json.loads(out)["rows"]] == ["byte perplexity"] * 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xef\xbb\xbfA line.\n", "it has a byte-order mark: that changes"),
        (b"A line.\r\nAnother.\r\n", "it has carriage returns, as line ends of Windows: that"),
        ("A.\r\n".encode("utf-16"), "carriage returns, as line ends of Windows, NUL bytes, as"),
        (b"A line.\nAnother.\n", None),
    ],
)
def test_what_changes_a_score_is_told_of(command, tmp_path, data, message):
    (tmp_path / "some.txt").write_bytes(data)
    code, _, err = command("eval", "blink-base", "--data", tmp_path / "some.txt")
    notes = [line for line in err.splitlines() if line.startswith("some.txt: it has")]
    assert code == 0
    assert len(notes) == (message is not None)
    assert all(message in note for note in notes)


def test_without_data(command, tmp_path):
    code, _, err = command("eval", "blink-base", "--data", tmp_path)
    assert code == 2
    assert "there is no .txt, .jsonl, .txt.xz or .jsonl.xz file in" in err


@pytest.mark.quick
def test_fetch_fails_before_it_scores(command, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    code, out, err = command("eval", "blink-base", "--data", tmp_path, "--fetch")
    assert (code, out) == (3, b"")
    assert "pip install 'glintfpga[data]'" in err
