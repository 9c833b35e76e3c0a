# SPDX-License-Identifier: MIT
import json
from pathlib import Path

import pytest

from glintfpga.quant.errors import InputError
from glintfpga.train.data.manifest import (
    Manifest,
    describe,
    read_manifest,
    sign,
    with_sources,
    write_manifest,
)

ENTRY = {
    "file": "a.txt",
    "bytes": 3,
    "licence": "CC0",
    "origin": "here",
    "sha256": "0" * 64,
    "added_by": "Ann",
    "reviewer": "",
}


def write(path, *entries, **other):
    path.write_text(json.dumps({"version": 1, "sources": list(entries), **other}))
    return path


@pytest.fixture
def described(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"abc")
    return describe(tmp_path, tmp_path / "a.txt", licence="CC0", origin="here", added_by="Ann")


def test_round_trip(tmp_path, described):
    manifest = Manifest(folder=tmp_path, sources=(described,))
    write_manifest(tmp_path / "m.json", manifest)
    assert read_manifest(tmp_path / "m.json") == manifest
    assert described.sha256.startswith("ba7816bf8f01cfea")
    elsewhere = read_manifest(tmp_path / "m.json", folder=Path("/data"))
    assert elsewhere.path(described) == Path("/data/a.txt")


def test_sign(tmp_path, described):
    manifest = Manifest(folder=tmp_path, sources=(described,))
    assert not described.reviewed
    (signed,) = sign(manifest, ["a.txt"], "Ben").sources
    assert (signed.reviewer, signed.reviewed) == ("Ben", True)
    for person in ("Ann", " ann ", ""):
        with pytest.raises(InputError, match="ask a second person"):
            sign(manifest, ["a.txt"], person)
    with pytest.raises(InputError, match="'b.txt' is not in the manifest"):
        sign(manifest, ["b.txt"], "Ben")
    (tmp_path / "a.txt").write_bytes(b"abd")
    with pytest.raises(InputError, match="has changed since it was added"):
        sign(manifest, ["a.txt"], "Ben")


def test_adding_anew_takes_the_signature_off(tmp_path, described):
    signed = sign(Manifest(folder=tmp_path, sources=(described,)), ["a.txt"], "Ben")
    (source,) = with_sources(signed, [described]).sources
    assert not source.reviewed


@pytest.mark.quick
@pytest.mark.parametrize(
    "name",
    ["/etc/a.txt", "../a.txt", "b/../../a.txt", "..", "", "C:a.txt", "b\\a.txt", "a\0.txt"],
)
def test_names_that_lead_out(tmp_path, name):
    path = write(tmp_path / "m.json", {**ENTRY, "file": name})
    with pytest.raises(InputError, match="must be a path below the manifest's folder"):
        read_manifest(path)


def test_link_that_leads_out(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.txt").write_text("s")
    (tmp_path / "in/a.txt").symlink_to(tmp_path / "secret.txt")
    manifest = read_manifest(write(tmp_path / "in/m.json", ENTRY))
    with pytest.raises(InputError, match="'a.txt' leads out of"):
        manifest.path(manifest.sources[0])


def test_file_elsewhere_cannot_be_added(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "a.txt").write_bytes(b"abc")
    with pytest.raises(InputError, match="is not below the manifest's folder"):
        describe(tmp_path / "in", tmp_path / "a.txt", licence="", origin="", added_by="")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": 1}, "'file' must be str, not 1"),
        ({"bytes": "3"}, "'bytes' must be int, not '3'"),
        ({"bytes": True}, "'bytes' must be int, not True"),
        ({"bytes": -1}, "must not be negative: -1"),
        ({"licence": None}, "'licence' must be str, not None"),
        ({"reviewer": ["Ben"]}, "'reviewer' must be str"),
        ({"sha256": "0" * 63}, "'sha256' of 'a.txt' is not 64 hex digits"),
        ({"sha256": "G" * 64}, "'sha256' of 'a.txt' is not 64 hex digits"),
        ({"file": "a.bin"}, "'a.bin' is no text"),
        ({"more": 1}, "unknown field 'more'"),
    ],
)
def test_wrong_entries(tmp_path, change, message):
    with pytest.raises(InputError, match=f"m.json.*{message}"):
        read_manifest(write(tmp_path / "m.json", {**ENTRY, **change}))


def test_wrong_manifests(tmp_path):
    path = tmp_path / "m.json"
    for entries, other, message in (
        ([ENTRY, ENTRY], {}, "'a.txt' appears twice"),
        (["a.txt"], {}, "a source must be an object, not 'a.txt'"),
        ([{"file": "a.txt"}], {}, "a source has no field 'bytes'"),
        ([], {"version": 2}, "'version' must be 1, not 2"),
        ([], {"version": True}, "'version' must be 1, not True"),
        ([], {"sources": {}}, "'sources' must be a list"),
        ([], {"more": 1}, "with 'version' and 'sources' alone"),
    ):
        with pytest.raises(InputError, match=message):
            read_manifest(write(path, *entries, **other))
    for data in (b"", b"{", b"[" * 100_000, b'{"version": 1, "version": 1}', b"\xff"):
        path.write_bytes(data)
        with pytest.raises(InputError, match="not JSON"):
            read_manifest(path)
    with pytest.raises(InputError, match="cannot read the manifest .*No such file"):
        read_manifest(tmp_path / "none.json")
