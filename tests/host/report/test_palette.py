# SPDX-License-Identifier: MIT
from itertools import combinations

import numpy as np
import pytest

from glintfpga.host.report.palette import BLOCKS, LANES, color_of

# Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of Color Vision
# Deficiency (2009), severity 1.0; they work on linear RGB.
SIMULATED = {
    "full": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])


def linear(color):
    value = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    ratio = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.quick
@pytest.mark.parametrize("vision", SIMULATED)
def test_blocks_differ_for_every_eye(vision):
    seen = {c: lab(SIMULATED[vision] @ linear(c)) for c in (*BLOCKS.values(), *LANES)}
    for a, b in combinations(seen, 2):
        if {a, b} != set(LANES):
            assert np.linalg.norm(seen[a] - seen[b]) > 18, (a, b)


def test_every_name_has_a_color():
    assert {color_of(f"lane {n}") for n in range(8)} == set(LANES)
    assert color_of("softmax") == BLOCKS["softmax"]
    for name in ("lane x", "lane " + "9" * 5000, "<script>", ""):
        assert color_of(name).startswith("#")
