# SPDX-License-Identifier: MIT
from dataclasses import replace

import numpy as np
import pytest

from glintfpga.firmware.blink.layout import ROWS, Layout, align
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from support.models import seeded_model

SPECS = {
    "blink": ModelSpec(),
    "least": ModelSpec(loops=1, hidden=1, vocab=2, window=1, eos=None),
    "hidden 9": ModelSpec(loops=3, prelude=2, hidden=9, vocab=33, window=24, eos=None),
    "most": ModelSpec(loops=8, hidden=16, vocab=512, window=256, eos=None),
}
all_specs = pytest.mark.parametrize("name", SPECS)


def build(spec, plan=PLAN12):
    return seeded_model(spec, plan)


@pytest.mark.parametrize(("rows", "want"), [(0, 0), (1, 8), (8, 8), (9, 16), (257, 264)])
def test_align(rows, want):
    assert align(rows) == want


class TestBlink:
    def test_places(self):
        layout = Layout.of(build(ModelSpec()))
        assert layout.dot_rows == 8 * 24 + 16 + 264
        assert layout.sum_rows == 8
        assert layout.out_base == 8 * 24 + 16
        assert layout.ring_rows == 8
        assert [place.qkv for place in layout.passes] == [0, 40, 64, 88, 112, 136, 160, 184]
        assert {place.gate for place in layout.passes} == {24}
        assert {place.down for place in layout.passes} == {0}
        assert [place.kv for place in layout.passes] == list(range(472, 536, 8))

    def test_equal_passes_are_stored_once(self):
        model = build(ModelSpec())
        same = replace(model, passes=model.passes[:1] * 8)
        layout = Layout.of(same)
        assert layout.dot_rows == 24 + 16 + 264
        assert len({place.kv for place in layout.passes}) == 8

    def test_passes_of_their_own(self):
        model = build(ModelSpec())
        down = [w.down + 0 for w in model.passes]
        for index, matrix in enumerate(down):
            matrix[0, 0] = index
        passes = tuple(replace(w, down=d) for w, d in zip(model.passes, down, strict=True))
        assert Layout.of(replace(model, passes=passes)).sum_rows == 8 * 8


@pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")
@all_specs
class TestSpaces:
    def test_every_matrix_is_where_the_layout_says(self, name, plan):
        model = build(SPECS[name], plan)
        layout = Layout.of(model)
        dot_bank, sum_bank = layout.dot_bank(model), layout.sum_bank(model)
        assert dot_bank.shape == (layout.dot_rows, 3)
        assert sum_bank.shape == (layout.sum_rows, 3)
        used = np.zeros(layout.dot_rows, bool)
        for place, w in zip(layout.passes, model.passes, strict=True):
            up = place.gate + align(w.hidden)
            for base, matrix in (
                (place.qkv, w.wk),
                (place.qkv + 8, w.wq),
                (place.qkv + 16, w.wv),
                (place.gate, w.gate),
                (up, w.up),
                (layout.out_base, model.embed_out),
            ):
                assert base % 8 == 0
                assert (dot_bank[base : base + len(matrix)] == matrix).all()
                used[base : base + len(matrix)] = True
            assert (sum_bank[place.down : place.down + w.hidden] == w.down.T).all()
        assert (dot_bank[~used] == 0).all(), "padding is zero"

    @pytest.mark.quick
    def test_rings_do_not_touch_anything(self, name, plan):
        model = build(SPECS[name], plan)
        layout = Layout.of(model)
        first = max(layout.dot_rows, layout.sum_rows)
        for index, place in enumerate(layout.passes):
            assert place.kv == first + index * align(model.window)
            assert place.kv + layout.ring_rows <= ROWS


class TestTooBig:
    def test_message_has_need_limit_and_what_would_fit(self):
        spec = ModelSpec(loops=16, vocab=512, window=256, eos=None)
        with pytest.raises(InputError) as caught:
            Layout.of(build(spec))
        need = 16 * 24 + 16 + 512 + 16 * 256
        assert str(caught.value) == (
            f"the model needs {need} of 4096 rows (912 for weights, 16 KV rings of 256): "
            "a window of 192 would fit"
        )

    def test_what_it_says_fits(self):
        Layout.of(build(ModelSpec(loops=16, vocab=512, window=192, eos=None)))
        with pytest.raises(InputError, match="a window of 192 would fit"):
            Layout.of(build(ModelSpec(loops=16, vocab=512, window=193, eos=None)))

    def test_exactly_full(self):
        model = build(ModelSpec(loops=14, hidden=8, vocab=160, window=256, eos=None))
        layout = Layout.of(model)
        assert layout.passes[-1].kv + 256 == 14 * 24 + 16 + 160 + 14 * 256 == ROWS
        with pytest.raises(InputError, match="needs 4104 of 4096 rows"):
            Layout.of(build(ModelSpec(loops=14, hidden=8, vocab=161, window=256, eos=None)))
