# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.blink.latency import LOGIT, TO_OPERAND, VALUE, Z
from glintfpga.firmware.blink.layout import logit_rows
from glintfpga.firmware.blink.schedule import Rows
from glintfpga.hdl.row.addresses import RowAddresses
from support.component_bench import record

CYCLES = 60
OUTPUTS = ["dot", "sum", "in_window", "in_vocab"]
DESCRIPTOR = {
    "qkv_base": 3,
    "gate_base": 9,
    "down_base": 5,
    "kv_base": 20,
    "hidden_less_1": 9,
    **dict.fromkeys(("shift_k", "shift_q", "shift_v", "unused"), 0),
    **dict.fromkeys(("shift_gate", "shift_up", "shift_down"), 0),
    "loop_embedding": [0, 0, 0],
}
all_lanes = pytest.mark.parametrize("lanes", [2, 4, 8])


def play(lanes, rows, vocab=37, **more):
    """Outputs of each cycle; ``rows``: by cycle, what is issued with which index."""
    nothing = {"rows": Rows.NONE, "offset": 0, "count": 0}
    inputs = {
        "word": [nothing | {"rows": rows.get(c, (Rows.NONE, 0))[0]} for c in range(CYCLES)],
        "index": [rows.get(c, (Rows.NONE, 0))[1] for c in range(CYCLES)],
        "config": [{"out_base": 11, "vocab": vocab}],
        "descriptor": [DESCRIPTOR],
        **more,
    }
    return record(RowAddresses(lanes=lanes), inputs, OUTPUTS, CYCLES)


@pytest.mark.quick
@all_lanes
def test_output_rows_of_both_banks(lanes):
    """Each group of logits, from banks that hold the same rows: no id twice, none left out."""
    groups = -(-37 // 16) * 16 // logit_rows(lanes)
    got = play(lanes, {4 + i: (Rows.LOGIT, i) for i in range(groups)})
    seen, there = [], []
    for i in range(groups):
        dot = (got["dot"][4 + i + 1] * lanes) - 11 * 8
        seen += range(dot, dot + lanes)
        if logit_rows(lanes) > lanes:
            odd = (got["sum"][4 + i + TO_OPERAND] * lanes) - 11 * 8
            seen += range(odd, odd + lanes)
        mask = got["in_vocab"][4 + i + LOGIT]
        there += [mask >> bit & 1 for bit in range(logit_rows(lanes))]
    assert seen == list(range(len(seen)))
    assert there == [int(id_ < 37) for id_ in seen]


@all_lanes
def test_gate_up_and_down(lanes):
    got = play(lanes, {4: (Rows.GATE, 1), 5: (Rows.UP, 1)})
    assert got["dot"][5] == 9 * 8 // lanes + 1
    assert got["dot"][6] == (9 + 2) * 8 // lanes + 1  # ten hidden numbers take 16 rows
    assert got["sum"][4 + Z - 1] == 5 * 8 // lanes + 1


@all_lanes
def test_a_full_ring_begins_behind_the_newest_row(lanes):
    """Of four groups the second is the oldest; the newest row is in the first, which is last."""
    words = [{"rows": Rows.NONE, "offset": 0, "count": int(c == 3)} for c in range(CYCLES)]
    scores = range(4, 8)
    for cycle in scores:
        words[cycle] = {"rows": Rows.SCORE, "offset": 0, "count": 0}
    got = play(
        lanes,
        {},
        word=words,
        score=[int(c in scores) for c in range(CYCLES)],
        start=[1],
        last=[3],
        limit_group=[3],
        limit_lane=[0],
    )
    base = 20 * 8 // lanes
    assert [got["dot"][c + 1] - base for c in scores] == [1, 2, 3, 0]
    assert [got["sum"][c + VALUE] - base for c in scores] == [1, 2, 3, 0]
    full = (1 << lanes) - 1
    assert [got["in_window"][c + VALUE] for c in scores] == [full, full, 1, full]


@all_lanes
def test_a_row_of_the_image_is_read_from_both(lanes):
    got = play(lanes, {4: (Rows.LOGIT, 3)}, read=[0] * 20 + [1] * 40, row=[1003])
    assert got["dot"][22:] == [1003 // lanes] * (CYCLES - 22)
    assert got["sum"][22 + VALUE :] == [1003 // lanes] * (CYCLES - 22 - VALUE)
