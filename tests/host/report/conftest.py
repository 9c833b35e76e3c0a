# SPDX-License-Identifier: MIT
import hashlib
import json

import pytest

from glintfpga.host.models import image_of
from glintfpga.quant.blink.spec import PRESETS

SPEC = PRESETS["blink"]


def report_json(timing):
    return {
        "timing": timing,
        "utilization": {
            "LUT4": {"used": 12, "available": 20736},
            "ALU": {"used": 4, "available": 15552},
            "DFF": {"used": 3, "available": 15552},
            "BSRAM": {"used": 2, "available": 46},
            "MULT18X18": {"used": 3, "available": 48},
        },
        "lut_route_through": 5,
        "carry_heads_repaired": 0,
        "cycles": {"token 1": 310, "embed": 2, "norm and q, k, v": 48, "attention": 96,
                   "feed-forward": 120, "logits": 44},
        "steps": [{"name": "route", "seconds": 386.5, "cached": False}],
        "warnings": [],
    }  # fmt: skip


def floorplan_json():
    step = {"type": "LUT4", "bel": "X3Y3/LUT0", "block": "norm"}
    return {
        "board": "tangnano20k",
        "part": "GW2AR",
        "columns": 56,
        "rows": 55,
        "slots": {
            "BSRAM": {"width": 3, "at": [[4, 9], [7, 9], [10, 9]]},
            "DSP": {"width": 9, "at": [[1, 18], [10, 18]]},
        },
        "kinds": ["LUT", "ALU", "DFF", "BSRAM", "MULT18X18"],
        "blocks": ["lane 0", "norm", "sampler"],
        "cells": [
            [3, 3, 0, 1, 6],
            [3, 3, 1, 0, 4],
            [20, 30, 0, 2, 2],
            [21, 30, 2, 2, 3],
            [4, 9, 3, 0, 1],
            [7, 9, 3, 2, 1],
            [1, 18, 4, 0, 2],
            [1, 18, 4, 1, 1],
        ],
        "path": {
            "from": "register",
            "to": "memory",
            "delay_ns": 1.5,
            "steps": [
                step | {"kind": "clock-to-out", "delay_ns": 0.25, "cell": "a.b_DFF_Q",
                        "x": 3, "y": 3, "type": "DFFRE"},
                step | {"kind": "wires", "delay_ns": 1.0, "cell": "a.c_LUT4_F", "x": 20, "y": 30,
                        "net": "a.wire"},
                step | {"kind": "logic", "delay_ns": 0.25, "cell": "a.c_LUT4_F", "x": 20, "y": 30},
            ],
        },
    }  # fmt: skip


@pytest.fixture(scope="session")
def blink():
    return image_of(None)


@pytest.fixture
def new_build(tmp_path, write_build, timing_json, blink):
    """Write a small build into a folder; keywords replace fields of its three files."""

    def write(name="built", *, manifest=None, report=None, floorplan=None):
        folder = tmp_path / name
        facts = {
            "image_sha256": hashlib.sha256(blink.data).hexdigest(),
            "part": "GW2AR",
            "tools": {"yosys": "0.70"},
            "spec": SPEC.to_json(),
        }
        write_build(folder, **facts | (manifest or {}))
        for file, content in (
            ("report.json", report_json(timing_json()) | (report or {})),
            ("floorplan.json", floorplan_json() | (floorplan or {})),
        ):
            (folder / file).write_text(json.dumps(content))
        return folder

    return write
