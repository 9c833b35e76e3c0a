# SPDX-License-Identifier: MIT
import re

import pytest

from glintfpga.firmware.blink.layout import align
from glintfpga.firmware.blink.listing import listing
from glintfpga.firmware.blink.schedule import step_cycles, token_cycles
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from support.models import random_image

SPECS = {
    "blink": ModelSpec(),
    "least": ModelSpec(loops=1, hidden=1, vocab=2, window=1, eos=None, lora_rank=0,
                       lora_targets=()),
    "most": ModelSpec(loops=6, prelude=1, hidden=16, vocab=512, window=256, eos=511, thinking=2),
}  # fmt: skip
everywhere = pytest.mark.parametrize(
    ("name", "plan", "lanes"),
    [(name, plan, lanes) for name in SPECS for plan in (PLAN12, PLAN9) for lanes in (2, 4, 8)],
)


def build(name, plan=PLAN12):
    return random_image(SPECS[name], plan)


def numbers(line):
    return [int(number) for number in re.findall(r"-?\d+", line)]


@everywhere
class TestListing:
    def test_fits_a_terminal(self, name, plan, lanes):
        text = listing(build(name, plan), lanes, 100)
        assert text.isascii()
        assert text.endswith("\n")
        for line in text.splitlines():
            assert len(line) <= 100
            assert line == line.rstrip()

    def test_sizes(self, name, plan, lanes):
        image = build(name, plan)
        text = listing(image, lanes)
        spec, model = image.model.spec, image.model
        for piece in (
            image.model_id,
            f"{spec.passes} passes ({spec.prelude} prelude + {spec.loops} loops",
            f"hidden {spec.hidden}, window {spec.window}",
            f"vocabulary {spec.vocab}, EOS {'none' if spec.eos is None else spec.eos},",
            f"thinking {spec.thinking}, RoPE {model.rope_num}/{model.rope_den}",
            f"Number plan {plan.code}: weights of {plan.weight_width} bits",
            f"h {plan.h}",
            f"p u{plan.weight_p_frac + 1}.{plan.weight_p_frac}",
        ):
            assert piece in text

    def test_rows(self, name, plan, lanes):
        image = build(name, plan)
        layout = image.layout
        used = layout.passes[-1].kv + layout.ring_rows
        text = listing(image, lanes)
        assert f"Rows: {used} of 4096 used\n" in text
        assert f"{layout.dot_rows} of weights, output rows from {layout.out_base}\n" in text
        assert f"{layout.sum_rows} of down columns\n" in text
        first = layout.passes[0].kv
        assert f"{len(layout.passes)} KV rings of {layout.ring_rows} from {first}\n" in text

    def test_block_table(self, name, plan, lanes):
        image = build(name, plan)
        model, layout = image.model, image.layout
        lines = listing(image, lanes).splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith("pass "))
        for index, (place, w) in enumerate(zip(layout.passes, model.passes, strict=True)):
            rows = (place.qkv, place.gate, place.gate + align(w.hidden), place.down, place.kv)
            shifts = (w.shift_k, w.shift_q, w.shift_v, w.shift_gate, w.shift_up, w.shift_down)
            places = [number for row in rows for number in (row, row // lanes)]
            want = [index, *places, *shifts, *w.loop_embedding.tolist()]
            assert numbers(lines[start + 1 + index]) == want
        logits = lines[start + 1 + len(model.passes)]
        out = layout.out_base
        assert numbers(logits) == [model.vocab, out, out // lanes, model.shift_logit]

    @pytest.mark.parametrize("position", [None, 1, 77, 1000])
    def test_cycles(self, name, plan, lanes, position):
        image = build(name, plan)
        spec = image.model.spec
        lines = listing(image, lanes, position).splitlines()
        positions = sorted({1, spec.window, position or 1})
        (heading,) = (line for line in lines if line.lstrip().startswith("position"))
        assert numbers(heading) == positions
        steps = [step_cycles(spec, lanes, position) for position in positions]
        for step in ("embed", "norm and q, k, v", "attention", "feed-forward", "logits"):
            (line,) = (line for line in lines if line.startswith(f"  {step} "))
            per_pass = step not in ("embed", "logits")
            found = numbers(line)[1::2] if per_pass else numbers(line)
            assert found == [cycles[step] for cycles in steps]
        (total,) = (line for line in lines if line.startswith("  total "))
        assert numbers(total)[1::2] == [token_cycles(spec, lanes, at) for at in positions]
        assert numbers(total)[1::2] == [sum(cycles.values()) for cycles in steps]


def test_a_pass_of_blink():
    text = listing(build("blink"), 4)
    assert "  total                       33         310          33         310\n" in text
    assert "Cycles with 4 lanes; a token runs 8 passes\n" in text
    assert "pass    k       gate         up       down       ring         k  q  v  g  u  d" in text


@pytest.mark.quick
def test_thinking_multiplies_passes():
    assert "a token runs 21 passes\n" in listing(build("most"), 8)


@pytest.mark.parametrize(
    ("lanes", "position", "message"),
    [
        (3, None, r"lanes must be one of \(2, 4, 8\), not 3"),
        (4, 0, "position must be at least 1, not 0"),
    ],
)
def test_refuses(lanes, position, message):
    with pytest.raises(InputError, match=message):
        listing(build("least"), lanes, position)
