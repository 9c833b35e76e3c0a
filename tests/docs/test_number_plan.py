# SPDX-License-Identifier: MIT
"""The Python blocks of the number plan and the image page, run as they stand, are the reference."""

import itertools
import re

import numpy as np
import pytest

from glintfpga.firmware.blink.image import Image
from glintfpga.quant.blink import blocks
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.random_model import random_model
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.blink.tables import RECIPROCAL, RSQRT, exp2_table, rope_table, silu_table
from glintfpga.quant.numbers import gumbel
from glintfpga.quant.numbers.logit_crc import logit_crc
from glintfpga.quant.numbers.sampler import Sampler
from glintfpga.quant.numbers.trivium import Trivium, seed_key

SPECS = {
    "small window": ModelSpec(loops=2, hidden=6, vocab=33, window=5, eos=32, thinking=2),
    "window of one": ModelSpec(loops=1, hidden=1, vocab=2, window=1, eos=None),
    "long window": ModelSpec(prelude=1, loops=1, coda=1, hidden=9, vocab=16, window=27, eos=0,
                             lora_rank=0, lora_targets=()),
}  # fmt: skip
both_plans = pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")
all_lanes = pytest.mark.parametrize("lanes", [2, 4, 8])
FORMAT = re.compile(r"[su](\d+)\.(\d+)")


@pytest.fixture(scope="module")
def model_of_the_pages(number_plan, python_blocks):
    """The names that the blocks make of an image's bytes, for a plan and a number of lanes."""
    blocks = [*python_blocks("image.md"), *python_blocks("number-plan.md")]

    def build(data, plan, lanes):
        column = {PLAN12: 1, PLAN9: 2}[plan]
        formats = {row[0]: FORMAT.fullmatch(row[column]).groups() for row in number_plan["tensor"]}
        names = {row[0]: int(row[column]) for row in number_plan["setting"]}
        names["width"] = {name: int(width) for name, (width, _) in formats.items()}
        names["frac"] = {name: int(frac) for name, (_, frac) in formats.items()}
        names |= {"data": data, "lanes": lanes}
        for block in blocks:
            exec(block, names)
        return names

    return build


@pytest.fixture(scope="module")
def shipped(model_of_the_pages, blink):
    return {lanes: model_of_the_pages(blink.data, PLAN12, lanes) for lanes in (2, 4, 8)}


@both_plans
@all_lanes
@pytest.mark.parametrize("name", SPECS)
def test_every_logit_is_the_reference_s(model_of_the_pages, name, plan, lanes):
    for seed in range(2):
        rng = np.random.default_rng(seed)
        image = Image.with_golden(random_model(rng, SPECS[name], plan), (0, 0, 0))
        pages = model_of_the_pages(image.data, plan, lanes)
        reference = ReferenceModel(image.model, lanes=lanes)
        context = pages["Context"]()
        for token in rng.integers(0, image.model.vocab, 2 * image.model.window + 10).tolist():
            context.enter(token)
            reference.enter(token)
            logits = reference.logits()[0]
            assert context.logits() == logits.tolist()
            assert pages["crc"](logits.tolist()) == logit_crc(logits)


class TestRareCases:
    """What models seldom meet, block by block."""

    @pytest.mark.quick
    def test_norm_of_small_and_of_large_vectors(self, shipped):
        rng = np.random.default_rng(1)
        small = np.array(list(itertools.product(range(-9, 10), repeat=3)))
        large = rng.integers(-(1 << 16), 1 << 16, (500, 3)) >> rng.integers(0, 12, (500, 1))
        vectors = np.concatenate([small, large])
        expected = blocks.rmsnorm(PLAN12, vectors).tolist()
        assert [shipped[4]["rms_norm"](y) for y in vectors.tolist()] == expected

    def test_quotient_saturates(self, shipped):
        rng = np.random.default_rng(1)
        lengths = rng.integers(128, 1 << 17, 500)
        sums = lengths[:, None] * rng.integers(-2200, 2200, (500, 3))
        expected = blocks.attention_output(PLAN12, blocks.Softmax(lengths, sums, lengths))
        quotient = shipped[4]["quotient"]
        assert [quotient(*pair) for pair in zip(sums.tolist(), lengths.tolist())] == (
            expected.tolist()
        )

    @pytest.mark.parametrize("rise", range(20))
    def test_old_sums_after_a_rise(self, shipped, rise):
        q = [64, 0, 0]
        k = np.full((8, 3), -600)
        k[4] += 64 * rise
        v = np.array([[2047, -2048, 99]] * 4 + [[1, -1, 0]] * 4)
        state = blocks.Softmax.start(())
        for group in (slice(0, 4), slice(4, 8)):
            running_max, p = blocks.group_weights(
                PLAN12, k[group] @ q, np.ones(4, bool), state.running_max
            )
            state = blocks.accumulate(state, running_max, p, v[group])
        ring = dict(enumerate(zip(k.tolist(), v.tolist())))
        expected = blocks.attention_output(PLAN12, state).tolist()
        assert shipped[4]["attend"](q, ring, 7) == expected


@all_lanes
@pytest.mark.parametrize("temperature", [0, 205, 1023])
def test_an_answer_of_the_shipped_model(shipped, blink, lanes, temperature):
    reference, sampler = ReferenceModel(blink.model, lanes=lanes), Sampler(3)
    reference.prefill(np.frombuffer(b"the ", np.uint8))
    expected = []
    for _ in range(40):
        logits = reference.logits()[0]
        token = sampler.sample(logits, temperature)
        if token == blink.model.eos:
            break
        expected.append((token, logit_crc(logits)))
        reference.enter(token)
    assert shipped[lanes]["generate"](b"the ", 40, temperature, 3) == expected


def test_an_empty_context_begins_with_eos(shipped):
    generate = shipped[4]["generate"]
    assert generate(b"", 5, 205, 1) == generate([256], 5, 205, 1)


@both_plans
def test_tables(model_of_the_pages, blink, plan):
    pages = model_of_the_pages(blink.data, plan, 4)
    assert pages["RSQRT"] == RSQRT.tolist()
    assert pages["RECIPROCAL"] == RECIPROCAL.tolist()
    assert pages["EXP2"] == exp2_table(plan).tolist()
    assert pages["SILU"] == silu_table(plan).tolist()
    assert pages["GUMBEL"] == gumbel.GUMBEL.tolist()
    words = range(0, 65536, 7)
    assert [pages["address"](word) for word in words] == gumbel.address(words).tolist()


def test_entries_shown(number_plan, model_of_the_pages, blink):
    for column, plan in ((1, PLAN12), (2, PLAN9)):
        names = model_of_the_pages(blink.data, plan, 4)
        rope = rope_table(plan.rope, 44)
        names["ROPE"] = [(*row, 0) for row in rope.tolist()]
        for row in number_plan["entry"]:
            value = eval(row[0], names)
            assert row[column] == str(value).strip("()"), row[0]


def test_values_to_check_with(number_plan, shipped):
    for expression, *shown in number_plan["value"]:
        values = [eval(expression.strip("`"), shipped[lanes]) for lanes in (2, 4, 8)]
        assert shown == [f"{value:#010x}" for value in values], expression


def test_words_shown(number_plan, shipped):
    for expression, shown in number_plan["stream"]:
        bits = eval(expression.strip("`"), shipped[4])
        words = [shipped[4]["word"](bits) for _ in range(8)]
        assert shown == ", ".join(map(str, words))


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1, 0x0123456789ABCDEF])
def test_trivium(shipped, seed):
    bits = itertools.islice(shipped[4]["trivium"](seed), 600)
    assert int("".join(map(str, bits)), 2) == Trivium(seed_key(seed)).bits(600)
