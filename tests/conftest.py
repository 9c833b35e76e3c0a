# SPDX-License-Identifier: MIT
import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import settings

from glintfpga.boards.bitstream import footer, header
from glintfpga.boards.board import TANGNANO20K
from glintfpga.sim.damage import TALLY, sealed

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("nightly", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile("ci")


SMALL = replace(TANGNANO20K, tile_frames=3, contents_frames=1, frame_bytes=16)


FRAMES = [bytes(range(9 * i, 9 * i + 16)) for i in range(4)]
FS = b"//Made for a test\n" + sealed(
    header(SMALL, len(FRAMES)), FRAMES, footer(FRAMES[: SMALL.tile_frames])
)


@pytest.fixture(scope="session")
def fs():
    """A whole bitstream of two dozen lines, for `small_board`."""
    return FS


@pytest.fixture(scope="session")
def small_board():
    """The board with a chip of few fuses."""
    return SMALL


@pytest.fixture
def write_build(tmp_path):
    """Write what a build leaves: a bitstream, and a manifest that fits unless told otherwise."""

    def write(folder=tmp_path, data=FS, **other):
        folder.mkdir(parents=True, exist_ok=True)
        facts = {
            "bitstream": "blink.fs",
            "bitstream_sha256": hashlib.sha256(data).hexdigest(),
            "board": "tangnano20k",
            "clock_mhz": 54.0,
            "seed": 1,
            "lanes": 4,
            "plan": 12,
            "build_id": "0123456789abcdef",
            "model": "blink-base",
            "image_sha256": "1" * 64,
            "gateware_sha256": "2" * 64,
            "contents_sha256": "3" * 64,
            "fmax": {},
        }
        (folder / "blink.fs").write_bytes(data)
        (folder / "manifest.json").write_text(json.dumps(facts | other))
        return folder / "blink.fs"

    return write


def pytest_terminal_summary(terminalreporter):
    """What hostile input came to; docs/robustness.md is made from it."""
    for what, tally in TALLY.items():
        terminalreporter.write_line(f"{what}: {tally}")
