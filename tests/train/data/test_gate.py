# SPDX-License-Identifier: MIT
import json
import lzma

import pytest

from glintfpga.quant.errors import InputError
from glintfpga.train.data.gate import check, checked, record_path
from glintfpga.train.data.manifest import read_manifest, sign, write_manifest

SENTENCE = "The seventeen green parrots never liked that tall gentleman."
LONG = "It was on a cold bright day in April that all of the clocks of the town struck thirteen."


@pytest.fixture
def evaluation(tmp_path):
    """A text and a set of pairs, in a folder."""
    folder = tmp_path / "eval"
    folder.mkdir()
    (folder / "text.txt").write_text(f" = Title = \n\n {LONG} \n")
    pair = {"sentence_good": SENTENCE, "sentence_bad": "He sleep.", "UID": "u"}
    (folder / "pairs.jsonl").write_text(json.dumps(pair))
    return folder


@pytest.fixture
def clean(corpus_of, sentences):
    return corpus_of(a=[sentences(seed) for seed in range(20)])[0]


def test_clean(clean, evaluation):
    found = check(clean, evaluation=evaluation)
    assert found.reasons == ()
    assert (found.documents, found.exact_duplicates, found.near_duplicates) == (20, 0, 0)
    assert set(found.evaluation) == {"text.txt", "pairs.jsonl"}
    verdict = checked(clean)
    assert verdict.passed and verdict.reasons == ()


def test_not_checked_yet(clean):
    verdict = checked(clean)
    assert not verdict.passed
    assert "there is no check" in verdict.reasons[0]
    with pytest.raises(InputError, match="cannot read the manifest"):
        checked(clean.with_name("none.json"))


def test_no_evaluation_sets(clean):
    assert check(clean).reasons == ("overlap was not looked for: name evaluation sets with --eval",)
    assert not checked(clean).passed


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (SENTENCE, 1),
        (SENTENCE.upper().replace(" ", " , "), 1),
        ("And " + SENTENCE + " It was so.", 1),
        (SENTENCE.replace("never", "ever"), 0),
        (" ".join(LONG.split()[2:15]), 1),
        (" ".join(LONG.split()[2:14]), 0),
    ],
)
def test_overlap(corpus_of, evaluation, sentences, text, count):
    path, _ = corpus_of(a=[sentences(1), text])
    found = check(path, evaluation=evaluation)
    assert sum(found.overlaps.values()) == count
    assert (found.reasons == ()) == (count == 0)
    if count:
        assert found.examples[0].startswith("a.txt#1: shares words with ")


def test_held_out_text_is_no_evaluation_set(corpus_of, evaluation, sentences):
    (evaluation / "train-heldout.txt").write_text(sentences(1, lines=1, words=20))
    path, _ = corpus_of(a=[sentences(1, lines=1, words=20)])
    assert check(path, evaluation=evaluation).reasons == ()


def test_duplicates(corpus_of, evaluation, sentences):
    texts = [sentences(seed, lines=20) for seed in range(30)]
    nearly = texts[3].replace("cat", "owl", 1)
    path, _ = corpus_of(a=texts, b=[texts[7].upper(), nearly])
    found = check(path, evaluation=evaluation)
    assert (found.exact_duplicates, found.near_duplicates) == (1, 1)
    assert found.examples == ("b.txt#0: equals a.txt#7", "b.txt#1: resembles a.txt#3")
    assert found.reasons == ("2 of 32 documents repeat an earlier one, more than 1%: remove them",)
    assert not checked(path).passed


def test_changed_file(clean, evaluation, sentences):
    check(clean, evaluation=evaluation)
    clean.with_name("a.txt").write_text(sentences(99))
    assert "not the file that was checked" in checked(clean).reasons[0]
    found = check(clean, evaluation=evaluation)
    assert found.foreign == found.documents == 1
    assert "not from the source stated" in found.reasons[0]
    clean.with_name("a.txt").unlink()
    assert "No such file" in checked(clean).reasons[0]


@pytest.mark.quick
def test_changed_manifest(clean, evaluation):
    check(clean, evaluation=evaluation)
    write_manifest(clean, sign(read_manifest(clean), ["a.txt"], "Cleo"))
    assert "is of another manifest" in checked(clean).reasons[0]


def test_unreviewed(clean, evaluation):
    data = json.loads(clean.read_text())
    data["sources"][0]["reviewer"] = "ann"
    clean.write_text(json.dumps(data))
    found = check(clean, evaluation=evaluation)
    assert found.unreviewed == ("a.txt",)
    assert "a second person's sign-off is missing" in checked(clean).reasons[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.update(version=2),
        lambda record: record.update(foreign="0"),
        lambda record: record.pop("overlaps"),
        lambda record: record.update(more=1),
    ],
)
def test_wrong_records(clean, evaluation, change):
    check(clean, evaluation=evaluation)
    record = json.loads(record_path(clean).read_text())
    change(record)
    record_path(clean).write_text(json.dumps(record))
    assert "is no record of a check" in checked(clean).reasons[0]
    for data in (b"", b"[]", b"\xff"):
        record_path(clean).write_bytes(data)
        assert "is no record of a check" in checked(clean).reasons[0]


def test_damaged_text(clean, evaluation):
    data = json.loads(clean.read_text())
    data["sources"][0]["file"] = "a.txt.xz"
    clean.write_text(json.dumps(data))
    clean.with_name("a.txt.xz").write_bytes(lzma.compress(b"text" * 99)[:-7])
    with pytest.raises(InputError, match=r"cannot read .*a\.txt\.xz"):
        check(clean, evaluation=evaluation)
