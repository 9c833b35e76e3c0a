# SPDX-License-Identifier: MIT
import json
import sys

PAIR = {"sentence_good": "The cat sits.", "sentence_bad": "The cat sit.", "UID": "agreement"}


def test_table(command, tmp_path):
    (tmp_path / "some.txt").write_bytes(b"To be, or not to be, that is the question. " * 4)
    (tmp_path / "pairs.jsonl").write_text(json.dumps(PAIR))
    code, out, _ = command("eval", "blink-base", "--data", tmp_path)
    assert code == 0
    lines = out.decode().splitlines()
    assert lines[0].split() == ["benchmark", "form", "metric", "value", "±", "n"]
    assert [line.split()[0] for line in lines[1:]] == ["pairs", "pairs", "some", "some"]


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
        assert [(row["form"], row["numerics"], row["n"]) for row in rows] == [
            ("256-byte windows", numerics, 99),
            ("continuous", numerics, 100),
        ]
        assert all(row["benchmark"] == "some" and row["value"] > 1 for row in rows)


def test_without_data(command, tmp_path):
    code, _, err = command("eval", "blink-base", "--data", tmp_path)
    assert code == 2
    assert "there is no .txt, .jsonl, .txt.xz or .jsonl.xz file in" in err


def test_fetch_fails_before_it_scores(command, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    code, out, err = command("eval", "blink-base", "--data", tmp_path, "--fetch")
    assert (code, out) == (3, b"")
    assert "pip install 'glintfpga[data]'" in err
