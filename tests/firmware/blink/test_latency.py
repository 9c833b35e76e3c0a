# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.blink import latency
from glintfpga.firmware.blink.latency import (
    DIVIDE,
    DOT,
    HIDDEN_ADD,
    HIDDEN_X,
    K_WRITE,
    LOGIT,
    NORM,
    ROTATE,
    ROTATED,
    SCALE,
    SCORE_ADD,
    SCORE_X,
    SQUARE,
    SWIGLU,
    TO_OPERAND,
    V_WRITE,
    VALUE,
    WEIGH,
    Z,
)
from support.other_latency import run_tests

MULTIPLIERS = ("SQUARE", "SCALE", "DOT", "ROTATE", "WEIGH", "SWIGLU", "DIVIDE")
STAGES = [f"hdl/row/test_{name}.py" for name in ("divide", "lane", "norm", "rope", "weighted_sum")]
CORE = [
    f"hdl/row/test_core.py::test_{name}"
    for name in (
        "equals_the_reference_under_stalls",
        "cycles_of_a_token",
        "newest_key_is_used_in_the_last_group_alone",
        "rows_are_read_back",
    )
]
SCHEDULE = [
    "firmware/blink/test_latency.py::test_sums",
    "firmware/blink/test_schedule.py::TestWords",
    "firmware/blink/test_schedule.py::TestAttention",
    "hdl/row/test_sequencer.py",
]


@pytest.mark.quick
def test_sums():
    """Registers and memories that a number passes, besides the multipliers."""
    assert {getattr(latency, name) for name in MULTIPLIERS} <= {1, 2}
    assert NORM == SQUARE + SCALE + 2
    assert TO_OPERAND == 2
    assert VALUE == DOT + 3
    assert LOGIT == max(DOT, WEIGH + 1) + 3
    assert ROTATED == DOT + ROTATE + 3
    assert K_WRITE == DOT + ROTATE + 4
    assert V_WRITE == DOT + 4
    assert SCORE_ADD == DOT + WEIGH + 5
    assert SCORE_X == DOT + WEIGH + DIVIDE + 7
    assert Z == DOT + SWIGLU + 4
    assert HIDDEN_ADD == DOT + SWIGLU + WEIGH + 5
    assert HIDDEN_X == DOT + SWIGLU + WEIGH + 6


def test_every_name_is_listed():
    names = {name for name in vars(latency) if name.isupper()}
    assert names == set(latency.__all__)
    assert names >= set(MULTIPLIERS)


def test_four_lanes_with_two_cycles_a_multiplier():
    """As wherever the static timing asks for it."""
    two = dict.fromkeys(MULTIPLIERS, 2)
    passed = run_tests(two, f"{CORE[0]}[4-plan2-sizes2]", f"{CORE[1]}[4]", *SCHEDULE[:3])
    assert "no tests ran" not in passed


@pytest.mark.slow
@pytest.mark.parametrize("only", [(name,) for name in MULTIPLIERS] + [MULTIPLIERS, ()])
def test_each_number_moves_gateware_and_schedule(only):
    cycles = {name: 2 if name in only else 1 for name in MULTIPLIERS}
    run_tests(cycles, *STAGES, *CORE, *SCHEDULE)
