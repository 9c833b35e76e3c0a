# SPDX-License-Identifier: MIT
import json

import pytest

from glintfpga.boards.manifest import gateware_facts, manifest_beside, read_manifest
from glintfpga.quant.errors import InputError

BOARD = "tangnano20k"


def test_reads_what_a_build_wrote(write_build):
    manifest = manifest_beside(write_build(), board=BOARD)
    assert (manifest.lanes, manifest.build_id) == (4, "0123456789abcdef")
    assert str(manifest) == "blink-base, 54 MHz, 4 lanes, 12-bit numbers, build 0123456789abcdef"


def test_without_a_model(write_build):
    manifest = manifest_beside(write_build(model=None, image_sha256=None), board=BOARD)
    assert str(manifest).startswith("no model, 54 MHz")


def test_none_or_of_another_file(write_build, tmp_path):
    bitstream = write_build(bitstream="other.fs", bitstream_sha256="0" * 64)
    assert manifest_beside(bitstream, board=BOARD) is None
    (tmp_path / "manifest.json").unlink()
    assert manifest_beside(bitstream, board=BOARD) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data[:500] + bytes([data[500] ^ 1]) + data[501:],
        lambda data: data + b"\n",
    ],
)
def test_damaged_bitstream(write_build, damage):
    bitstream = write_build()
    bitstream.write_bytes(damage(bitstream.read_bytes()))
    with pytest.raises(InputError, match=r"its manifest\.json says .*: it is damaged or half"):
        manifest_beside(bitstream, board=BOARD)


def test_missing_bitstream(write_build):
    bitstream = write_build()
    bitstream.unlink()
    with pytest.raises(InputError, match=r"^cannot read .*blink\.fs': No such file"):
        manifest_beside(bitstream, board=BOARD)


def test_other_board(write_build):
    bitstream = write_build(board="nano9k")
    with pytest.raises(InputError, match="for the board 'nano9k', not for 'tangnano20k'"):
        manifest_beside(bitstream, board=BOARD)


@pytest.mark.quick
@pytest.mark.parametrize(
    "other",
    [
        {"bitstream_sha256": "0" * 63},
        {"bitstream_sha256": "0" * 64 + "\n"},
        {"bitstream_sha256": None},
        {"board": 7},
        {"board": ""},
        {"model": "\x1b[2J"},
        {"model": "x" * 256},
        {"clock_mhz": "54"},
        {"clock_mhz": 0},
        {"lanes": True},
        {"lanes": 4.0},
        {"plan": -1},
        {"seed": 2**32},
        {"build_id": "0123"},
        {"image_sha256": 1},
        {"gateware_sha256": "G" * 64},
        {"contents_sha256": []},
    ],
)
def test_lying_manifest(write_build, tmp_path, other):
    write_build(**other)
    ((name, _),) = other.items()
    with pytest.raises(InputError, match=f" for '{name}': build the bitstream again") as caught:
        read_manifest(tmp_path / "manifest.json")
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)


def test_lacking_field(write_build, tmp_path):
    write_build()
    path = tmp_path / "manifest.json"
    facts = json.loads(path.read_text())
    del facts["plan"]
    path.write_text(json.dumps(facts))
    with pytest.raises(InputError, match="says None for 'plan'"):
        read_manifest(path)


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 200_000, "is not JSON"),
        (b'{"clock_mhz": NaN}', "is not JSON"),
        (b"[1]", "is no JSON object"),
    ],
)
def test_not_a_manifest(write_build, tmp_path, data, words):
    bitstream = write_build()
    (tmp_path / "manifest.json").write_bytes(data)
    with pytest.raises(InputError, match=f"{words}.*: build the bitstream again$"):
        manifest_beside(bitstream, board=BOARD)


def test_large_files_are_no_manifest(write_build, tmp_path):
    bitstream = write_build()
    (tmp_path / "manifest.json").write_bytes(b" " * (1 << 20) + b"{}")
    with pytest.raises(InputError, match="is larger than 1 MiB"):
        manifest_beside(bitstream, board=BOARD)


def test_missing_manifest(tmp_path):
    with pytest.raises(InputError, match="^cannot read .*: No such file"):
        read_manifest(tmp_path / "manifest.json")


def test_gateware_facts():
    names = ("top.il", "top.ys", "top.cst", "top.sdc", "contents.json")
    digests = {name: name for name in names}
    first = gateware_facts(digests)
    assert first["contents_sha256"] == "contents.json"
    for name in names[:4]:
        assert gateware_facts(digests | {name: ""})["gateware_sha256"] != first["gateware_sha256"]
    other = gateware_facts(digests | {"contents.json": ""})
    assert other["gateware_sha256"] == first["gateware_sha256"]
