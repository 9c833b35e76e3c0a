# SPDX-License-Identifier: MIT
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.blink.spec import LORA_TARGETS, PRESETS, ModelSpec, preset
from glintfpga.quant.errors import InputError


@st.composite
def specs(draw):
    targets = draw(st.lists(st.sampled_from(LORA_TARGETS), unique=True))
    loops = draw(st.integers(1, 8))
    vocab = draw(st.integers(2, 512))
    eos = draw(st.none() | st.integers(0, vocab - 1))
    return ModelSpec(
        loops=loops,
        lora_rank=draw(st.integers(1, 16)) if targets else 0,
        lora_targets=tuple(targets),
        hidden=draw(st.integers(1, 16)),
        vocab=vocab,
        window=draw(st.integers(1, 256)),
        prelude=draw(st.integers(0, 4)),
        coda=draw(st.integers(0, 4)),
        thinking=draw(st.integers(0, 127)),
        eos=eos,
        chat=eos is not None and draw(st.booleans()),
    )


class TestCounts:
    @pytest.mark.parametrize("name, count", [("blink", 1087), ("blink-two-loop", 1081)])
    def test_presets(self, name, count):
        assert preset(name).param_count == count

    def test_defaults_are_blink(self):
        assert PRESETS["blink"] == ModelSpec()

    @given(specs())
    def test_count_is_that_of_the_tensors(self, spec):
        shapes = spec.tensor_shapes().values()
        assert spec.param_count == sum(math.prod(shape) for shape in shapes)

    def test_names_of_blocks_outside_the_loop(self):
        shapes = ModelSpec(prelude=1, coda=2, hidden=5).tensor_shapes()
        assert shapes["prelude.0.attention.q"] == (3, 3)
        assert shapes["coda.1.ffn.down"] == (3, 5)
        assert shapes["coda.0.norm.ffn"] == (3,)
        assert "coda.1.loop_embedding" not in shapes
        assert not [name for name in shapes if name.startswith("prelude.") and "lora" in name]
        assert "prelude.1.attention.q" not in shapes

    def test_lora_shapes_follow_the_projection(self):
        shapes = ModelSpec(lora_rank=2, lora_targets=("up", "down"), hidden=7).tensor_shapes()
        assert shapes["lora.3.up.a"] == (2, 3)
        assert shapes["lora.3.up.b"] == (7, 2)
        assert shapes["lora.3.down.a"] == (2, 7)
        assert shapes["lora.3.down.b"] == (3, 2)
        assert "lora.3.q.a" not in shapes


class TestText:
    @given(specs())
    def test_json_round_trip(self, spec):
        assert ModelSpec.from_json(spec.to_json()) == spec

    @given(specs())
    def test_metadata_round_trip(self, spec):
        metadata = spec.to_metadata()
        assert all(isinstance(value, str) for value in metadata.values())
        assert ModelSpec.from_metadata({**metadata, "note": "kept by the caller"}) == spec

    def test_old_metadata_mean_blink(self):
        old = {"loops": "8", "lora_rank": "1", "hidden": "6", "vocab": "257", "window": "8"}
        assert ModelSpec.from_metadata(old) == ModelSpec()

    def test_targets_have_one_order(self):
        assert ModelSpec(lora_targets=("o", "q")) == ModelSpec(lora_targets=("q", "o"))

    @pytest.mark.parametrize(
        "change, message",
        [
            ({"loops": "eight"}, "loops must be a whole number, not 'eight'"),
            ({"loops": "-1"}, "loops must be a whole number"),
            ({"loops": "٣"}, "loops must be a whole number"),
            ({"vocab": "9" * 5000}, "vocab must be a whole number"),
            ({"eos": "257"}, "eos must be a whole number from 0 to 256, not 257"),
            ({"lora_targets": "q,r"}, "lora_targets must be taken from q, k"),
            ({"model": "other"}, "model must be 'blink', not 'other'"),
            ({"chat": "True"}, "chat must be yes or no, not 'True'"),
            ({"chat": "yes", "eos": "none"}, "ends its answers with EOS, but eos is None"),
        ],
    )
    def test_bad_metadata(self, change, message):
        with pytest.raises(InputError, match=message):
            ModelSpec.from_metadata({**ModelSpec().to_metadata(), **change})

    @pytest.mark.parametrize("name", ["loops", "lora_rank", "hidden", "vocab", "window"])
    def test_missing_metadata(self, name):
        metadata = ModelSpec().to_metadata()
        del metadata[name]
        with pytest.raises(InputError, match=f"lack '{name}'"):
            ModelSpec.from_metadata(metadata)

    @pytest.mark.parametrize(
        "data, message",
        [
            ([], "must be a JSON object"),
            ({"heads": 2}, "unknown field 'heads'"),
            ({"loops": 2.0}, "loops must be"),
            ({"loops": True}, "loops must be"),
            ({"lora_targets": [["q"]]}, "lora_targets must be"),
            ({"lora_targets": "qkvo"}, "lora_targets must be"),
            ({"chat": 1}, "chat must be true or false, not 1"),
        ],
    )
    def test_bad_json(self, data, message):
        with pytest.raises(InputError, match=message):
            ModelSpec.from_json(data)


class TestLimits:
    @pytest.mark.quick
    @pytest.mark.parametrize(
        "field, value",
        [
            ("loops", 0),
            ("hidden", 0),
            ("vocab", 1),
            ("window", 0),
            ("window", 65537),
            ("thinking", -1),
            ("eos", 257),
        ],
    )
    def test_sizes(self, field, value):
        with pytest.raises(InputError, match=f"{field} must be .*, not {value}"):
            replace(ModelSpec(), **{field: value})

    def test_passes(self):
        assert ModelSpec(prelude=4, coda=4).passes == 16

    def test_targets(self):
        with pytest.raises(InputError, match="exactly when lora_rank is 0"):
            ModelSpec(lora_rank=0)
        with pytest.raises(InputError, match="must not repeat"):
            ModelSpec(lora_targets=("q", "q"))

    def test_unknown_preset_lists_the_known(self):
        with pytest.raises(InputError, match="'nano'.*blink, blink-two-loop"):
            preset("nano")
