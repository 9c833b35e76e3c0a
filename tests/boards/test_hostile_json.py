# SPDX-License-Identifier: MIT
"""manifest.json and the records of the build's cache, as anybody might have left them."""

import json
import math
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.boards.cache import Cache
from glintfpga.boards.manifest import manifest_beside, read_manifest
from glintfpga.quant.errors import InputError
from support.damage import attempt, damaged, damaged_json


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("json")


def texts(rng, good):
    text = json.dumps(good).encode()
    return damaged_json(rng, good) if rng.random() < 0.7 else damaged(rng, text)


class TestManifest:
    GOOD = {
        "bitstream": "blink.fs",
        "board": "tangnano20k",
        "clock_mhz": 54.0,
        "seed": 1,
        "lanes": 4,
        "plan": 12,
        "build_id": "0123456789abcdef",
        "model": "blink-base",
        "tools": {"yosys": "0.70", "nextpnr": None},
        **{f"{name}_sha256": "1" * 64 for name in ("bitstream", "image", "gateware", "contents")},
    }

    def test_the_good_one(self, folder):
        (folder / "manifest.json").write_text(json.dumps(self.GOOD))
        manifest = read_manifest(folder / "manifest.json")
        found = {f.name: getattr(manifest, f.name) for f in fields(manifest)}
        good = self.GOOD | {"retimed": None}  # only a file that `tune` made has another clock
        assert found == {name: good[name] for name in found}

    @pytest.mark.quick
    @given(st.randoms(use_true_random=False))
    def test_damaged(self, folder, rng):
        data = texts(rng, self.GOOD)
        (folder / "manifest.json").write_bytes(data)
        found = attempt(
            lambda: read_manifest(folder / "manifest.json"), what="manifest", size=len(data)
        )
        if found is not None:
            values = [getattr(found, field.name) for field in fields(found)]
            assert all(isinstance(value, str | int | float | None) for value in values)
            assert str(found).isprintable()

    @pytest.mark.parametrize("name", ["", ".", "x\0y", "a" * 300])
    def test_impossible_paths(self, folder, name):
        path = folder / name / "blink.fs"
        found = attempt(lambda: manifest_beside(path, board="tangnano20k"), what="manifest", size=0)
        assert found is None

    def test_a_repeated_name_is_no_second_opinion(self, folder):
        text = json.dumps(self.GOOD)[:-1] + ', "board": "other"}'
        (folder / "manifest.json").write_text(text)
        with pytest.raises(InputError, match=r"manifest\.json"):
            read_manifest(folder / "manifest.json")


def make(draft):
    (draft / "result.txt").write_text("right")


@pytest.fixture(scope="module")
def cache(folder):
    return Cache(folder / "cache")


@pytest.fixture(scope="module")
def record(cache):
    path = cache.step("pack", ["a"], make).path("step.json")
    return path, json.loads(path.read_text()) | {"seconds": 0.25}


@given(st.randoms(use_true_random=False))
def test_a_damaged_record_costs_a_step(cache, record, rng):
    """The step's result is there afterward and right, whatever its record said."""
    path, good = record
    data = texts(rng, good)
    path.write_bytes(data)
    result = attempt(lambda: cache.step("pack", ["a"], make), what="record", size=len(data))
    assert result.path("result.txt").read_text() == "right"
    assert math.isfinite(result.seconds)
