# SPDX-License-Identifier: MIT
import json
import lzma
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from glintfpga.boards import shipped as module
from glintfpga.boards.catalog import board_of
from glintfpga.boards.gowin.bitstream_file import check_bitstream
from glintfpga.boards.manifest import manifest_beside
from glintfpga.boards.shipped import MAX_PACKED, MAX_UNPACKED, read_release, shipped
from glintfpga.quant.errors import EnvironmentProblem, InputError
from support.shipping.renew_release import pack

BOARD = "tangnano20k"


@pytest.fixture
def folder(write_build, tmp_path, monkeypatch):
    """A whole release of a small bitstream, in place of the shipped one."""
    path = tmp_path / BOARD
    bitstream = write_build(path)
    (path / "blink.fs.xz").write_bytes(pack(bitstream.read_bytes()))
    bitstream.unlink()
    monkeypatch.setattr(module, "release_folder", lambda: tmp_path)
    return path


def refused(words):
    """Expect an error that says `words`, in one line."""
    return pytest.raises(
        EnvironmentProblem, match=rf"^the shipped bitstream is damaged, install .*\(.*{words}.*\)$"
    )


def test_the_shipped_one():
    release = shipped(BOARD)
    assert {path.name for path in release.folder.iterdir()} >= {
        *("blink.fs.xz", "manifest.json", "report.json")
    }
    with release.unpacked() as path:
        assert path.suffix == ".fs" and path.read_bytes() == release.bitstream
        check_bitstream(path, board=board_of(BOARD))
    assert not path.exists() and not path.parent.exists()


def test_its_proof():
    release = shipped(BOARD)
    proof = json.loads((release.folder / "proof.json").read_text())
    stages = {stage["name"]: stage for stage in proof["stages"]}
    assert proof["bitstream_sha256"] == release.manifest.bitstream_sha256, "run make proof"
    assert (proof["differences"], proof["first_difference"]) == (0, None)
    assert all(stage["difference"] == "" for stage in stages.values())
    assert min(stages[name]["count"] for name in ("RTL", "bitstream")) >= 1000
    assert stages["icarus"]["cycles"] >= 200_000
    assert proof["self_test"] == "PASSED"


def test_unpacked_has_its_manifest():
    release = shipped(BOARD)
    with release.unpacked() as path:
        assert manifest_beside(path, board=BOARD) == release.manifest


def test_unpacked_is_removed_after_an_error(folder):
    with pytest.raises(KeyboardInterrupt), shipped(BOARD).unpacked() as path:
        assert path.is_file()
        raise KeyboardInterrupt
    assert not path.parent.exists()


def test_unknown_board_and_board_without_a_release(folder, monkeypatch, tmp_path):
    with pytest.raises(InputError, match=r"^unknown board '\.\./x': use one of tangnano20k$"):
        shipped("../x")
    monkeypatch.setattr(module, "release_folder", lambda: tmp_path / "none")
    with pytest.raises(InputError, match="run: glintfpga build --board tangnano20k$"):
        shipped(BOARD)


@pytest.mark.parametrize("name", ["blink.fs.xz", "manifest.json"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    with refused(f"cannot read .*{name}': No such file"):
        shipped(BOARD)


def test_truncated_anywhere(folder):
    path = folder / "blink.fs.xz"
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with refused(r"blink\.fs\.xz (is cut off|cannot be unpacked)"):
            shipped(BOARD)


def test_flipped_bits(folder):
    path = folder / "blink.fs.xz"
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        with refused(r"blink\.fs\.xz"):
            shipped(BOARD)


def test_bytes_after_the_end(folder):
    path = folder / "blink.fs.xz"
    path.write_bytes(path.read_bytes() + lzma.compress(b"1111\n"))
    with refused("goes on after its end"):
        shipped(BOARD)


def test_not_xz(folder):
    (folder / "blink.fs.xz").write_bytes(b"1111\n" * 100)
    with refused("cannot be unpacked"):
        shipped(BOARD)


def test_other_contents(folder):
    (folder / "blink.fs.xz").write_bytes(pack(b"1111\n"))
    with refused(r"unpacks to sha256 .*, manifest\.json says "):
        shipped(BOARD)


@pytest.mark.parametrize(
    "other, words",
    [
        ({"board": "nano9k"}, "'nano9k' for 'board', not 'tangnano20k'"),
        ({"bitstream": "../blink.fs"}, r"'\.\./blink\.fs' for 'bitstream'"),
        ({"bitstream_sha256": "0" * 64}, "manifest.json says 0000000000000000"),
        ({"build_id": 7}, "says 7 for 'build_id'"),
    ],
)
def test_lying_manifest(folder, write_build, other, words):
    write_build(folder, **other)
    with refused(words):
        shipped(BOARD)


def test_too_large(folder):
    path = folder / "blink.fs.xz"
    path.write_bytes(bytes(MAX_PACKED + 1))
    with refused("is larger than 4 MiB"):
        shipped(BOARD)
    path.write_bytes(lzma.compress(bytes(MAX_UNPACKED + 1), preset=0))
    with refused("unpacks to more than 16 MiB"):
        shipped(BOARD)


@pytest.mark.quick
def test_dictionary_too_large(folder):
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 256 << 20}]
    (folder / "blink.fs.xz").write_bytes(lzma.compress(b"1111\n", filters=filters))
    with refused("cannot be unpacked: Memory usage limit exceeded"):
        shipped(BOARD)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS bounds memory on Linux only")
def test_a_bomb_needs_little_memory(folder):
    bomb = lzma.LZMACompressor(preset=1)
    zeros = bytes(1 << 24)
    data = b"".join([bomb.compress(zeros) for _ in range(24)] + [bomb.flush()])
    assert len(data) < MAX_PACKED
    (folder / "blink.fs.xz").write_bytes(data)
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from glintfpga.boards.shipped import read_release\n"
        "try:\n    read_release(Path(sys.argv[1]), board='tangnano20k')\n"
        "except Exception as error:\n    print(error)\n"
    )

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))

    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("blink.fs.xz unpacks to more than 16 MiB\n", "")


def test_read_release_names_its_folder(folder, fs):
    release = read_release(folder, board=BOARD)
    assert release.folder == Path(folder)
    assert release.bitstream == fs
