# SPDX-License-Identifier: MIT
import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import settings

from glintfpga.boards.gowin.bitstream_file import footer, header
from glintfpga.boards.tangnano20k.board import TANGNANO20K
from support.damage import TALLY, sealed

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
        }
        (folder / "blink.fs").write_bytes(data)
        (folder / "manifest.json").write_text(json.dumps(facts | other))
        return folder / "blink.fs"

    return write


@pytest.fixture
def timing_json():
    """What the step `timing` of a build leaves, with fields replaced."""

    def make(**other):
        step = {"type": "LUT4", "bel": "X20Y30/LUT0", "port": "F", "x": 20, "y": 30}
        first = {"type": "DFFRE", "bel": "X3Y3/DFF0", "port": "Q", "x": 3, "y": 3}
        steps = [
            first | {"kind": "clock-to-out", "delay_ns": 0.25, "cell": "a.b_DFF_Q"},
            step | {"kind": "wires", "delay_ns": 1.0, "cell": "a.c_LUT4_F", "net": "a.wire"},
            step
            | {
                "kind": "logic",
                "delay_ns": 8.7,
                "cell": "a.c_LUT4_F",
                "source": "hdl/row/core.py:7",
            },
        ]
        path = {"from": "register", "to": "memory", "delay_ns": 9.95, "wires_ns": 1.0}
        return {
            "clock_mhz": 54.0,
            "limit_mhz": 100.5,
            "margin": 0.8611,
            "margin_wanted": 0.1,
            "grade": "C8/I7",
            "assumed": {"multiplier": 4.5, "pad": 0.0},
            "left_out": {"ISB": 3},
            "skew_ns": 0.0,
            "hold_slack_ns": 0.065,
            "router": {"limit_mhz": 110.0, "delay_ns": 9, "recomputed_ns": 9, "difference": 0.0},
            "slack": {"first_ns": 8.5, "step_ns": 0.5, "counts": [2, 0, 7]},
            "paths": [path | {"mhz": 100.5, "steps": steps}],
        } | other

    return make


def pytest_terminal_summary(terminalreporter):
    """What hostile input came to; docs/robustness.md is made from it."""
    for what, tally in TALLY.items():
        terminalreporter.write_line(f"{what}: {tally}")
