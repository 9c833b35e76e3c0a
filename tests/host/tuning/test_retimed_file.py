# SPDX-License-Identifier: MIT
"""The files of other clocks: what changes in them, and that they are held to their manifest."""

import hashlib
import json
import shutil

import pytest

from glintfpga.boards.manifest import manifest_beside
from glintfpga.boards.shipped import shipped
from glintfpga.host.tuning.records import TunedBoard, write_record
from glintfpga.host.tuning.retimed_file import BuiltFile, check_retimed
from glintfpga.quant.errors import InputError

BOARD = "tangnano20k"


@pytest.fixture
def built(decoding, build):
    return BuiltFile(build, board=BOARD)


@pytest.fixture
def tuned(built, tmp_path):
    """A file for 81 MHz, and its manifest, to be damaged."""
    with built.at(81.0) as path:
        for one in path.parent.iterdir():
            shutil.copy2(one, tmp_path)
    return tmp_path / "blink.fs"


def edit(path, **other):
    manifest = path.with_name("manifest.json")
    facts = json.loads(manifest.read_text())
    facts["retimed"] |= other.pop("retimed", {})
    facts["bitstream_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(facts | other))


def test_its_own_clock_is_the_file_itself(built, build):
    with built.at(54.0) as path:
        assert path == build
    assert build.exists()
    assert built.clocks == [54.0, 67.5, 81.0, 94.5, 108.0]


@pytest.mark.quick
def test_a_manifest_of_its_own(built, tuned):
    manifest = manifest_beside(tuned, board=BOARD)
    assert str(manifest).startswith("blink-base, 81 MHz (tuned), 4 lanes")
    assert manifest.build_id == built.manifest.build_id
    pll = manifest.retimed
    assert pll.from_sha256 == built.manifest.bitstream_sha256 and pll.built_clock_mhz == 54.0
    assert (pll.divider, pll.multiplier, pll.vco_divider) == (1, 3, 8)
    assert (pll.band, pll.charge_pump_ua, pll.loop_resistor) == (16, 150, "R3")
    check_retimed(tuned, board=BOARD)
    with pytest.raises(InputError, match="is a tuned one itself"):
        BuiltFile(tuned, board=BOARD)


def test_only_few_lines_change(tuned, build):
    before = [line for line in build.read_bytes().splitlines() if not line.startswith(b"//")]
    after = tuned.read_bytes().splitlines()
    assert len(before) == len(after)
    changed = [i for i, pair in enumerate(zip(before, after)) if pair[0] != pair[1]]
    # A frame of the PLL, two of a block RAM, and the sum of the frames of the tiles.
    assert len(changed) == 4


@pytest.mark.parametrize(
    "lie",
    [
        {"clock_mhz": 94.5},
        {"clock_mhz": 80.0},
        {"retimed": {"multiplier": 4}},
        {"retimed": {"charge_pump_ua": 160}},
        {"retimed": {"loop_resistor": "R4"}},
        {"retimed": {"built_clock_mhz": 50.0}},
        {"build_id": "0" * 16},
    ],
    ids=str,
)
def test_a_manifest_that_lies(command, tuned, lie, monkeypatch):
    edit(tuned, **lie)
    with pytest.raises(InputError, match="tune again"):
        check_retimed(tuned, board=BOARD)
    monkeypatch.setattr("glintfpga.boards.flash.openfpgaloader.flash", None)
    for name in ("flash", "prove"):
        code, _, err = command(name, tuned)
        assert (code, err.count("\n")) == (2, 1)
        assert "tune again" in err


@pytest.mark.parametrize(
    ("retimed", "text"),
    [
        (3, "says 3 for 'retimed'"),
        ({}, "says None for 'from_sha256'"),
        ({"from_sha256": "a" * 64}, "says None for 'built_clock_mhz'"),
        ({"from_sha256": "a" * 64, "built_clock_mhz": 54.0, "divider": -1}, "-1 for 'divider'"),
    ],
)
def test_a_damaged_manifest(command, tuned, retimed, text):
    manifest = tuned.with_name("manifest.json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"retimed": retimed}))
    code, _, err = command("flash", tuned)
    assert code == 2 and text in err


def test_another_pll_under_the_manifest(built, tuned, command):
    """The file is that of 94.5 MHz."""
    with built.at(94.5) as other:
        tuned.write_bytes(other.read_bytes())
    edit(tuned)
    code, _, err = command("flash", tuned)
    assert code == 2
    assert "the bitstream runs at 94.5 MHz, its build says 81 MHz" in err


def test_never_into_the_flash_memory(command, tuned, monkeypatch):
    monkeypatch.setattr("glintfpga.host.ports.usb.list_ports.comports", list)
    monkeypatch.setattr("glintfpga.boards.flash.openfpgaloader.flash", None)
    code, _, err = command("flash", tuned, "--persist")
    assert code == 2
    assert "is tuned to 81 MHz, and a tuned clock is never written to the flash memory" in err


def test_prove_takes_the_tuned_file(command, decoding, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("glintfpga.host.ports.usb.list_ports.comports", list)
    proved = []

    def run(path, **options):
        proved.append(manifest_beside(path, board=BOARD))
        return {"differences": 0}

    monkeypatch.setattr("glintfpga.host.proof.run.run", run)
    code, _, err = command("prove", "--tuned")
    assert code == 2 and "no board is plugged in, and none was tuned" in err
    record = TunedBoard(
        board=BOARD,
        clock_mhz=94.5,
        next_clock_mhz=108.0,
        failed_clock_mhz=None,
        built_clock_mhz=54.0,
        bitstream_sha256=shipped(BOARD).manifest.bitstream_sha256,
        tokens=2,
        warmth="",
        date="2026-01-31",
    )
    write_record("S1", record)
    assert command("prove", "--tuned")[0] == 0
    assert (proved[0].clock_mhz, proved[0].retimed.multiplier) == (94.5, 7)


def test_what_is_no_build_of_ours(decoding, build, tmp_path):
    path = tmp_path / "blink.fs"
    path.write_bytes(build.read_bytes())
    with pytest.raises(InputError, match="has no manifest beside it"):
        BuiltFile(path, board=BOARD)
