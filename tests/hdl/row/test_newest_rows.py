# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.firmware.blink.latency import K_WRITE, ROTATED, TO_OPERAND, V_WRITE, VALUE
from glintfpga.firmware.blink.schedule import Rows
from glintfpga.hdl.primitives.memory import pack_row
from glintfpga.hdl.row.newest_rows import NewestRows
from glintfpga.quant.blink.plan import PLAN12
from support.component_bench import record

CYCLES = 40
OUTPUTS = ["k", "v", "write_k", "write_v", "newest_k", "use_newest"]
both = pytest.mark.parametrize("lanes", [2, 4])


def play(lanes, words, last=()):
    """Outputs of each cycle, with other numbers at the inputs in each, and those numbers."""
    rng = np.random.default_rng(3)
    rows = rng.integers(-2048, 2048, (2, CYCLES, 3))
    nothing = {"rows": Rows.NONE, "part": 0}
    inputs = {
        "word": [nothing | words.get(cycle, {}) for cycle in range(CYCLES)],
        "last": [int(cycle in last) for cycle in range(CYCLES)],
        "projected": rows[0].tolist(),
        "rotated": rows[1].tolist(),
    }
    return record(NewestRows(plan=PLAN12, lanes=lanes), inputs, OUTPUTS, CYCLES), rows


@pytest.mark.quick
@both
def test_k_is_written_as_it_is_rotated(lanes):
    parts = {5: {"rows": Rows.K}, 6: {"rows": Rows.K, "part": 1}}
    got, (_, rotated) = play(lanes, parts)
    row = pack_row(rotated[5 + ROTATED], 12)
    assert [cycle for cycle in range(CYCLES) if got["write_k"][cycle]] == [5 + K_WRITE]
    assert got["k"][5 + K_WRITE :] == [row] * (CYCLES - 5 - K_WRITE)
    # A cycle before, it is there for the multipliers.
    assert got["newest_k"][5 + ROTATED :] == [row] * (CYCLES - 5 - ROTATED)
    assert not any(got["write_v"])


@both
def test_v_is_written_when_all_three_numbers_are_there(lanes):
    got, (projected, _) = play(lanes, {5: {"rows": Rows.V}, 6: {"rows": Rows.V, "part": 1}})
    late = int(lanes == 2)
    at = 5 + V_WRITE + late
    assert [cycle for cycle in range(CYCLES) if got["write_v"][cycle]] == [at]
    first, second = projected[5 + VALUE], projected[5 + VALUE + late]
    assert got["v"][at] == pack_row([first[0], first[1], second[2]], 12)
    assert not any(got["write_k"])


def test_the_last_score_group_takes_the_newest():
    words = {cycle: {"rows": Rows.SCORE} for cycle in (4, 5, 6)} | {9: {"rows": Rows.GATE}}
    got, _ = play(4, words, last=(6, 7, 9))
    assert [cycle for cycle in range(CYCLES) if got["use_newest"][cycle]] == [6 + TO_OPERAND]
