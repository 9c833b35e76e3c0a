# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.firmware.blink.latency import ROTATE, TO_OPERAND
from glintfpga.firmware.blink.schedule import Rows
from glintfpga.hdl.row.operand import Operand
from glintfpga.quant.blink.blocks import rope
from glintfpga.quant.blink.plan import PLAN12
from support.component_bench import record

CYCLES = 60
ANGLE = (700, -741)
all_lanes = pytest.mark.parametrize("lanes", [2, 4, 8])


def play(lanes, words, first=()):
    """Outputs of each cycle, and what was at the inputs h and values."""
    rng = np.random.default_rng(lanes)
    h = rng.integers(-2048, 2048, (CYCLES, 3))
    values = rng.integers(-4000, 4000, (CYCLES, lanes))
    inputs = {
        "word": [{"rows": words.get(cycle, Rows.NONE), "part": 0} for cycle in range(CYCLES)],
        "first": [int(cycle in first) for cycle in range(CYCLES)],
        "h": h.tolist(),
        "values": values.tolist(),
        "cos": [ANGLE[0]],
        "sin": [ANGLE[1]],
    }
    dut = Operand(plan=PLAN12, lanes=lanes, first_rows=Rows.Q)
    return record(dut, inputs, ["o", "projected", "rotated"], CYCLES), h, values


def turned(values, cycle, lanes):
    """The rotated vector of the values of a cycle; with two lanes the third comes one later."""
    third = values[cycle + 1][0] if lanes == 2 else values[cycle][2]
    vector = np.clip([values[cycle][0], values[cycle][1], third], -2048, 2047)
    return rope(PLAN12, vector, np.array(ANGLE)).tolist()


@pytest.mark.quick
@all_lanes
def test_every_vector_is_rotated(lanes):
    got, _, values = play(lanes, {})
    for cycle in range(CYCLES - ROTATE - 1):
        assert got["rotated"][cycle + ROTATE] == turned(values, cycle, lanes)
    clipped = np.clip(values, -2048, 2047)
    third = clipped[:, 0] if lanes == 2 else clipped[:, 2]
    want = np.column_stack([clipped[:, 0], clipped[:, 1], third])
    assert got["projected"] == want.tolist()


@all_lanes
def test_changes_with_the_first_group_of_each_kind_only(lanes):
    words = {3: Rows.Q, 4: Rows.K, 5: Rows.V, 12: Rows.SCORE, 13: Rows.SCORE, 14: Rows.SCORE}
    words |= {20: Rows.GATE, 21: Rows.UP, 30: Rows.LOGIT, 31: Rows.LOGIT}
    got, h, values = play(lanes, words, first=(3, 4, 5, 12, 20, 21, 30))
    q = turned(values, 12 + TO_OPERAND - ROTATE, lanes)
    want, now = [], [0, 0, 0]
    for cycle in range(CYCLES):
        issued = cycle - TO_OPERAND
        if words.get(issued) in (Rows.Q, Rows.GATE, Rows.LOGIT):
            now = h[cycle].tolist()
        elif issued == 12:
            now = q
        want.append(now)
    assert got["o"] == want
