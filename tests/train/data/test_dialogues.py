# SPDX-License-Identifier: MIT
import json
import lzma

import pytest

from glintfpga.quant.errors import InputError
from glintfpga.train.data import documents as module
from glintfpga.train.data.corpus import EOS
from glintfpga.train.data.documents import documents
from glintfpga.train.data.gate import check
from glintfpga.train.data.manifest import Manifest, describe, sign, write_manifest
from glintfpga.train.data.streams import open_corpus


def line(*turns):
    roles = ("user", "assistant")
    return json.dumps(
        {"id": 7, "messages": [
            {"role": roles[i % 2], "content": text} for i, text in enumerate(turns)
        ]}
    )  # fmt: skip


def ids(*texts):
    return [code for text in texts for code in (*text.encode(), EOS)]


@pytest.fixture
def manifest_of(tmp_path):
    def make(**files):
        sources = []
        for name, content in files.items():
            path = tmp_path / name.replace("_", ".")
            path.write_text(content, encoding="utf-8")
            sources.append(describe(tmp_path, path, licence="", origin="", added_by="Ann"))
        return Manifest(folder=tmp_path, sources=tuple(sources))

    return make


def test_a_dialogue_is_a_document(tmp_path):
    text = line("Hé?", "Yes.\nNo.") + "\n\n" + line("One?", "Two.", "Three?", "Four.")
    for name, data in (("a.jsonl", text.encode()), ("a.jsonl.xz", lzma.compress(text.encode()))):
        (tmp_path / name).write_bytes(data)
        assert list(documents(tmp_path / name)) == [
            "Hé?\nYes. No.".encode(),
            b"One?\nTwo.\n\nThree?\nFour.",
        ]


def test_every_exchange_ends_with_eos(manifest_of, tmp_path):
    manifest = manifest_of(a_txt="A text.", b_jsonl=line("One?", "Two.", "Three?", "Four."))
    corpus = open_corpus(manifest, cache=tmp_path / "cache")
    assert corpus.raw.tolist() == ids("A text.", "One?\nTwo.", "Three?\nFour.")
    assert corpus.documents == 2
    # Dialogues are not rewritten into the spacing of WikiText.
    assert bytes(corpus.spaced[:-1].astype("u1")).strip() == b"A text ."


def test_whole_dialogues_are_held_out(manifest_of, tmp_path):
    rows = [line(f"{number}?", "Yes.", "No?", f"{number}.") for number in range(150)]
    corpus = open_corpus(manifest_of(a_jsonl="\n".join(rows)), cache=tmp_path / "cache")
    assert corpus.raw_heldout.tolist() == ids("99?\nYes.", "No?\n99.")
    assert not corpus.spaced_heldout.size and not corpus.spaced.size


def test_the_gate_looks_into_dialogues(manifest_of, tmp_path):
    shared = "the miller's seventh daughter counted lanterns along the frozen canal until day"
    manifest = manifest_of(a_jsonl=line("Who?", "Ann.") + "\n" + line("And then?", shared))
    write_manifest(tmp_path / "m.json", sign(manifest, ["a.jsonl"], "Ben"))
    (tmp_path / "set.txt").write_text(shared)
    found = check(tmp_path / "m.json", evaluation=tmp_path / "set.txt")
    assert found.overlaps == {"set.txt": 1}
    assert found.examples == ("a.jsonl#1: shares words with set.txt",)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "line 1: 'messages' must be a list of turns"),
        ('{"messages": []}', "must be a list of turns"),
        (line("One?"), "an answer to each question"),
        (line("One?", "Two.") + "\n\nrubbish", "line 3: not JSON"),
        ('{"messages": ["a", "b"]}', "expected a turn of the user, not 'a'"),
        (
            '{"messages": [{"role": "assistant", "content": "a"}, {"role": "user"}]}',
            "expected a turn of the user",
        ),
        (line("One?", " \n"), "'content' must be text, not ' .n'"),
        (line(1, "Two."), "'content' must be text, not 1"),
        (line("One?", "\ud800"), "half a character"),
        ('{"messages": "a", "messages": "b"}', "appears twice"),
    ],
)
def test_hostile(tmp_path, text, message):
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=f"a.jsonl.*{message}") as caught:
        list(documents(path))
    assert "\n" not in str(caught.value)


def test_a_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_DOCUMENT_BYTES", 1 << 20)
    many = "\n".join([line("One?", "x" * 1000)] * 3000)
    (tmp_path / "a.jsonl").write_text(many)
    assert sum(1 for _ in documents(tmp_path / "a.jsonl")) == 3000
    (tmp_path / "a.jsonl").write_text("x" * (4 << 20))
    with pytest.raises(InputError, match="more than 1048576 bytes: put newlines"):
        list(documents(tmp_path / "a.jsonl"))
