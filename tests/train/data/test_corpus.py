# SPDX-License-Identifier: MIT
import shutil

import numpy as np
import pytest

from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.train.data import streams as module
from glintfpga.train.data.corpus import EOS
from glintfpga.train.data.spacing import spaced
from glintfpga.train.data.streams import Selection, open_corpus


def ids(*documents):
    return [code for text in documents for code in (*text.encode(), EOS)]


@pytest.fixture
def small(corpus_of):
    return corpus_of(a=["One, two.", "Three.\nFour é"], b=["Five"])[1]


@pytest.fixture
def large(corpus_of, sentences, tmp_path):
    _, manifest = corpus_of(a=[sentences(seed) for seed in range(250)])
    return open_corpus(manifest, cache=tmp_path / "cache")


def test_streams(small, tmp_path):
    documents = ["One, two.", "Three.\nFour é", "Five"]
    corpus = open_corpus(small, cache=tmp_path / "cache")
    assert corpus.raw.dtype == np.uint16
    assert corpus.raw.tolist() == ids(*documents)
    assert corpus.spaced.tolist() == ids(*map(spaced, documents))
    assert corpus.documents == 3
    assert not corpus.raw_heldout.size and not corpus.spaced_heldout.size


def test_every_hundredth_document_is_held_out(large, sentences):
    held_out = [sentences(99), sentences(199)]
    assert large.raw_heldout.tolist() == ids(*held_out)
    assert large.spaced_heldout.tolist() == ids(*map(spaced, held_out))
    kept = [sentences(seed) for seed in range(250) if seed not in (99, 199)]
    assert large.raw.tolist() == ids(*kept)
    assert large.documents == 248


def test_made_once(small, tmp_path):
    calls = []
    first = open_corpus(small, cache=tmp_path, progress=lambda *call: calls.append(call))
    assert calls[-1][0] == calls[-1][1] == sum(source.bytes for source in small.sources)
    calls.clear()
    again = open_corpus(small, cache=tmp_path, progress=lambda *call: calls.append(call))
    assert calls == []
    assert again.digest == first.digest and again.raw.tolist() == first.raw.tolist()


@pytest.mark.parametrize("damage", ["raw.u16", "corpus.json"])
def test_a_damaged_cache_is_made_again(small, tmp_path, damage):
    first = open_corpus(small, cache=tmp_path).raw.tolist()
    (file,) = tmp_path.glob(f"corpus/*/{damage}")
    file.write_bytes(file.read_bytes()[:-2])
    assert open_corpus(small, cache=tmp_path).raw.tolist() == first
    assert len(list(tmp_path.glob("corpus/*"))) == 1


def test_what_another_process_made_meanwhile_is_taken(small, tmp_path, monkeypatch):
    """Its reader must never find the folder gone."""
    open_corpus(small, cache=tmp_path)
    (record,) = tmp_path.glob("corpus/*/corpus.json")
    node = record.stat().st_ino
    found = iter([None])
    real = module._mapped
    monkeypatch.setattr(module, "_mapped", lambda folder: next(found, real(folder)))
    assert open_corpus(small, cache=tmp_path).documents == 3
    assert record.stat().st_ino == node
    assert not list(tmp_path.glob("corpus/.*"))


def test_selection(corpus_of, sentences, tmp_path):
    _, manifest = corpus_of(a=[sentences(seed) for seed in range(120)])
    some = Selection(name="some", kept=frozenset({3, 5}))
    corpus = open_corpus(manifest, cache=tmp_path, selection=some)
    assert corpus.raw.tolist() == ids(sentences(3), sentences(5))
    assert corpus.raw_heldout.tolist() == ids(sentences(99))
    assert open_corpus(manifest, cache=tmp_path).documents == 119
    with pytest.raises(InputError, match="no documents to train on"):
        open_corpus(manifest, cache=tmp_path, selection=Selection(name="no", kept=frozenset()))
    assert not list(tmp_path.glob("corpus/.*"))


def is_part(row, stream):
    return row.astype("<u2").tobytes() in stream.astype("<u2").tobytes()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_windows_are_parts_of_their_stream(large, share):
    rows = large.windows(np.random.default_rng(0), 8, 100, wikitext_fraction=share)
    assert rows.shape == (8, 101) and rows.dtype == np.uint16
    first = round(8 * share)
    assert all(is_part(row, large.spaced) for row in rows[:first])
    assert all(is_part(row, large.raw) for row in rows[first:])


def test_shares_are_right_on_average(large):
    rng = np.random.default_rng(0)
    taken = [large.windows(rng, 3, 100, wikitext_fraction=0.5) for _ in range(400)]
    counts = [sum(is_part(row, large.spaced) for row in rows) for rows in taken[:40]]
    assert set(counts) == {1, 2}


def test_windows_reach_both_ends(corpus_of, tmp_path):
    _, manifest = corpus_of(a=["abcdef"])
    corpus = open_corpus(manifest, cache=tmp_path)
    rows = corpus.windows(np.random.default_rng(0), 100, 4, wikitext_fraction=0)
    assert {bytes(row[:4].astype(np.uint8)) for row in rows} == {b"abcd", b"bcde", b"cdef"}
    with pytest.raises(InputError, match="7 ids, too few for a window of 8: add text"):
        corpus.windows(np.random.default_rng(0), 1, 7, wikitext_fraction=0)


def test_windows_repeat_with_the_seed(large):
    one, two = (large.windows(np.random.default_rng(5), 4, 20) for _ in range(2))
    assert np.array_equal(one, two)


def test_pair_counts(small, tmp_path):
    corpus = open_corpus(small, cache=tmp_path)
    wanted = np.zeros((257, 257))
    for share, stream in ((0.25, corpus.spaced), (0.75, corpus.raw)):
        for a, b in zip(stream[:-1].tolist(), stream[1:].tolist()):
            wanted[a, b] += share
    assert np.allclose(corpus.pair_counts(wikitext_fraction=0.25), wanted)


@pytest.mark.quick
def test_changed_file(small, tmp_path):
    path = small.path(small.sources[0])
    path.write_text("One, too.")
    with pytest.raises(InputError, match="is not the file of the manifest"):
        open_corpus(small, cache=tmp_path)


def test_no_text_and_no_cache(corpus_of, small, tmp_path):
    _, empty = corpus_of(a=[""])
    with pytest.raises(InputError, match="no documents to train on: add text"):
        open_corpus(empty, cache=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentProblem, match="choose another place"):
        open_corpus(small, cache=tmp_path / "file")


def test_spans_of_files(corpus_of, sentences, tmp_path):
    texts = [sentences(seed) for seed in range(180)]
    one, two = texts[:150], texts[150:]
    _, manifest = corpus_of(one=one, two=two)
    corpus = open_corpus(manifest, cache=tmp_path / "cache")
    (start, edge), (again, stop) = corpus.spans["one.txt"], corpus.spans["two.txt"]
    assert (start, again, stop) == (0, edge, len(corpus.spaced))
    assert corpus.spaced[edge:].tolist() == ids(*map(spaced, two))


def test_a_mixture_takes_its_shares(corpus_of, sentences, tmp_path):
    long = [sentences(seed) for seed in range(60)]
    _, manifest = corpus_of(one=long, two=["0123456789."], three=["ABCDEFGHIJKLM."])
    corpus = open_corpus(manifest, cache=tmp_path / "cache")
    mixture = {"two.txt": 3.0, "three.txt": 1.0}
    rng = np.random.default_rng(0)
    rows = corpus.windows(rng, 4000, 5, wikitext_fraction=0.5, mixture=mixture)
    parts = {name: corpus.spaced[slice(*corpus.spans[name])] for name in mixture}
    digits = [is_part(row, parts["two.txt"]) for row in rows[:2000]]
    assert np.mean(digits) == pytest.approx(0.75, abs=0.03)
    letters = [row for row, digit in zip(rows[:2000], digits) if not digit]
    assert all(is_part(row, parts["three.txt"]) for row in letters)
    # Anywhere in a file, from its first id to its last.
    assert {row[0] for row in letters} == set(parts["three.txt"][:-5])
    assert EOS in {row[-1] for row in letters}
    assert all(is_part(row, corpus.raw) for row in rows[2000:])


def test_pair_counts_of_a_mixture(corpus_of, tmp_path):
    _, manifest = corpus_of(one=["aaaa."], two=["bbbbbbbb."])
    corpus = open_corpus(manifest, cache=tmp_path / "cache")
    counts = corpus.pair_counts(wikitext_fraction=1.0, mixture={"one.txt": 1.0, "two.txt": 3.0})
    for name, letter, share in (("one.txt", "a", 0.25), ("two.txt", "b", 0.75)):
        start, stop = corpus.spans[name]
        pairs = bytes(corpus.spaced[start : stop - 1].astype("u1")).count(letter.encode()) - 1
        scaled = pairs * share * len(corpus.spaced) / (stop - start)
        assert counts[ord(letter), ord(letter)] == pytest.approx(scaled)


def test_a_mixture_of_unknown_or_short_files_is_refused(corpus_of, tmp_path):
    _, manifest = corpus_of(one=["a text."], two=["bbbbbbbbbbbbbbbbbbbbbbb."])
    corpus = open_corpus(manifest, cache=tmp_path / "cache")
    rng, least = np.random.default_rng(0), corpus.spans["one.txt"][1]
    with pytest.raises(InputError, match=r"names 'no.txt', .* use one.txt, two.txt"):
        corpus.windows(rng, 2, 4, mixture={"no.txt": 1.0})
    with pytest.raises(InputError, match=f"{least} ids, too few for a window of {least + 1}: add"):
        corpus.windows(rng, 2, least, mixture={"one.txt": 1.0, "two.txt": 1.0})


@pytest.mark.parametrize("what", ["file", "dangling link"])
def test_what_is_no_folder_makes_room(small, tmp_path, what):
    open_corpus(small, cache=tmp_path)
    (folder,) = tmp_path.glob("corpus/*")
    shutil.rmtree(folder)
    if what == "file":
        folder.write_text("in the way")
    else:
        folder.symlink_to(tmp_path / "nothing")
    assert open_corpus(small, cache=tmp_path).documents == 3
    assert [path.name for path in tmp_path.glob("corpus/*")] == [folder.name]
