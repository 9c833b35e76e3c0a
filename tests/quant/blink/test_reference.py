# SPDX-License-Identifier: MIT
from dataclasses import replace
from fractions import Fraction
from math import floor

import numpy as np
import pytest

from glintfpga.quant.blink.blocks import MAX_RESCALE
from glintfpga.quant.blink.limits import LANES
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.blink.tables import EPSILON_SUM, RECIPROCAL, RSQRT, exp2_table, silu_table
from glintfpga.quant.errors import InputError
from support.models import seeded_model

all_lanes = pytest.mark.parametrize("lanes", LANES)


def build(seed=0, plan=PLAN12, **sizes):
    spec = ModelSpec(**{"loops": 2, "vocab": 40, "eos": None, **sizes})
    return seeded_model(spec, plan, seed=seed)


def half_up(value, shift):
    return floor(Fraction(value, 2**shift) + Fraction(1, 2))


class Plain:
    """The same arithmetic without arrays, rings or state: every token of the past is a row.

    Rows fall into groups by their ring slot; the newest row's group comes last. Powers and the
    running maximum are worked out again for each token from the rows it sees.
    """

    def __init__(self, model, lanes):
        self.model, self.plan, self.lanes = model, model.plan, lanes
        self.past = [[] for _ in model.passes]
        self.position = 0

    def step(self, token):
        m = self.model
        x = m.embed_in[token].tolist()
        for _ in range(1 + m.thinking):
            for past, weights in zip(self.past, m.passes, strict=True):
                x = self.block(past, weights, x)
            self.position += 1
        return self.project(m.embed_out, m.shift_logit, self.plan.logit, self.norm(x))

    def norm(self, y):
        left = min(13, 16 - max((v if v >= 0 else ~v).bit_length() for v in y))
        total = (sum(v * v for v in y) + EPSILON_SUM) << (2 * left)
        length = total.bit_length()
        entry = int(RSQRT[(length - 31) * 256 + (total >> (length - 9)) % 256])
        return [half_up((v << left) * entry, 30 - self.plan.h.frac) for v in y]

    def project(self, matrix, shift, fmt, vector):
        sums = [sum(w * v for w, v in zip(row, vector, strict=True)) for row in matrix.tolist()]
        return [fmt.saturate(half_up(s, shift)) for s in sums]

    def turn(self, vector):
        m, fmt = self.model, self.plan.qk
        cos, sin = m.rope_table[self.position * m.rope_num % m.rope_den].tolist()
        a, b, c = vector
        turned = (a * cos - b * sin, a * sin + b * cos)
        return [*(fmt.saturate(half_up(t, self.plan.rope.frac)) for t in turned), c]

    def block(self, past, w, x):
        plan = self.plan
        h = self.norm([a + b for a, b in zip(x, w.loop_embedding.tolist(), strict=True)])
        k = self.turn(self.project(w.wk, w.shift_k, plan.qk, h))
        q = self.turn(self.project(w.wq, w.shift_q, plan.qk, h))
        past.append((self.position, k, self.project(w.wv, w.shift_v, plan.v, h)))
        x = self.add(x, self.attend(past[-self.model.window :], q))
        h = self.norm(x)
        gate = self.project(w.gate, w.shift_gate, plan.gate, h)
        up = self.project(w.up, w.shift_up, plan.up, h)
        drop = plan.silu.frac + plan.up.frac - plan.z.frac
        silu = [int(silu_table(plan)[g % 1024]) for g in gate]
        z = [plan.z.saturate(half_up(s * u, drop)) for s, u in zip(silu, up, strict=True)]
        sums = (w.down @ np.array(z)).tolist()
        return self.add(x, [half_up(s, w.shift_down) for s in sums])

    def add(self, x, delta):
        return [self.plan.x.saturate(a + b) for a, b in zip(x, delta, strict=True)]

    def attend(self, rows, q):
        plan, window = self.plan, self.model.window
        groups = {}
        for position, k, v in rows:
            product = sum(a * b for a, b in zip(k, q, strict=True))
            groups.setdefault(position % window // self.lanes, []).append((product, v))
        newest = self.position % window // self.lanes
        order = sorted(groups, key=lambda g: (g - newest - 1) % (-(-window // self.lanes)))
        assert order[-1] == newest
        running_max, length, values = None, 0, [0, 0, 0]
        frac = 2 * plan.qk.frac
        for group in order:
            floors = [product >> frac for product, _ in groups[group]]
            before, running_max = (
                running_max,
                max([f + 1 for f in floors] + [running_max] * (running_max is not None)),
            )
            p = [self.power(running_max, product) for product, _ in groups[group]]
            if before is not None:
                length, *values = (
                    self.sink(old, running_max - before) for old in (length, *values)
                )
            length += sum(p)
            for weight, (_, v) in zip(p, groups[group], strict=True):
                values = [old + weight * number for old, number in zip(values, v, strict=True)]
        return [self.quotient(value, length) for value in values]

    def power(self, running_max, product):
        eighths = 8 * running_max - half_up(product, 2 * self.plan.qk.frac - 3)
        return half_up(int(exp2_table(self.plan)[eighths % 8]), eighths // 8)

    def sink(self, value, shift):
        return half_up(value, shift) if shift <= MAX_RESCALE else 0

    def quotient(self, value, length):
        plan = self.plan
        left = 17 - length.bit_length()
        narrow = plan.v.width - 1
        numerator = half_up(value << left, narrow)
        numerator = max(-(1 << 17), min((1 << 17) - 1, numerator))
        entry = int(RECIPROCAL[(length << left >> 6) % 1024])
        return half_up(numerator * entry, 33 - narrow - plan.x.frac + plan.v.frac)


@all_lanes
@pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")
@pytest.mark.parametrize(
    ("window", "thinking"), [(1, 0), (2, 1), (3, 0), (5, 2), (8, 0), (13, 0), (24, 0)]
)
def test_equals_a_plain_implementation_while_the_window_wraps(lanes, plan, window, thinking):
    for seed in range(2):
        model = build(seed, plan, window=window, thinking=thinking, hidden=1 + 5 * seed)
        device, plain = ReferenceModel(model, lanes=lanes), Plain(model, lanes)
        for token in np.random.default_rng(seed).integers(0, 40, min(60, 3 * window + 6)).tolist():
            assert device.step(token).tolist() == [plain.step(token)]


@pytest.mark.slow
@all_lanes
def test_longest_window(lanes):
    model = build(3, window=256)
    device, plain = ReferenceModel(model, lanes=lanes), Plain(model, lanes)
    for token in np.random.default_rng(3).integers(0, 40, 300).tolist():
        assert device.step(token).tolist() == [plain.step(token)]


@all_lanes
class TestReferenceModel:
    IDS = np.random.default_rng(9).integers(0, 40, (5, 20))

    def test_batch_equals_one_by_one(self, lanes):
        model = build(window=6)
        batch = ReferenceModel(model, lanes=lanes, batch=5)
        columns = [batch.step(column) for column in self.IDS.T]
        for row, ids in enumerate(self.IDS):
            alone = ReferenceModel(model, lanes=lanes).score(ids)
            assert (alone == np.stack([column[row] for column in columns])).all()

    def test_prefill_then_logits_equals_steps(self, lanes):
        model = build(thinking=0)
        a, b = ReferenceModel(model, lanes=lanes), ReferenceModel(model, lanes=lanes)
        want = a.score(self.IDS[0])
        b.prefill(self.IDS[0])
        assert (b.logits() == want[-1:]).all()
        both = ReferenceModel(model, lanes=lanes, batch=5)
        both.prefill(self.IDS)
        assert (both.logits()[0] == want[-1]).all()

    @pytest.mark.quick
    def test_logits_of_the_same_x_again(self, lanes):
        device = ReferenceModel(build(), lanes=lanes)
        assert (device.step(3) == device.logits()).all()

    def test_thinking_feeds_x_back(self, lanes):
        thinker = build(thinking=2)
        device = ReferenceModel(thinker, lanes=lanes)
        device.step(5)
        assert device.position == 3
        device.enter(5)
        assert device.position == 4
        quick = ReferenceModel(replace(thinker, thinking=0), lanes=lanes)
        assert (quick.step(5) != ReferenceModel(thinker, lanes=lanes).step(5)).any()

    def test_reset(self, lanes):
        device = ReferenceModel(build(), lanes=lanes)
        want = device.score(self.IDS[0])
        device.reset()
        assert device.position == 0
        assert (device.score(self.IDS[0]) == want).all()
        device.reset(batch=2)
        assert device.step(self.IDS[:2, 0]).shape == (2, 40)

    def test_groups_end_with_the_newest(self, lanes):
        device = ReferenceModel(build(window=12), lanes=lanes)
        count = -(-12 // lanes)
        for device.position in range(40):
            groups = device._groups()
            assert groups[-1] == device.position % 12 // lanes
            seen = min(device.position + 1, 12)
            assert sorted(groups) == list(range(-(-seen // lanes)))
            steps = {(b - a) % count for a, b in zip(groups, groups[1:], strict=False)}
            assert steps <= {1 % count}
            valid = [device._valid(slice(g * lanes, (g + 1) * lanes)).sum() for g in groups]
            assert sum(valid) == seen
            assert min(valid) > 0

    @pytest.mark.parametrize("token", [-1, 40, 1000])
    def test_refuses_ids(self, lanes, token):
        device = ReferenceModel(build(), lanes=lanes, batch=2)
        with pytest.raises(InputError, match=r"token id outside 0\.\.39: "):
            device.enter(np.array([0, token]))
        assert device.position == 0


def test_results_depend_on_lanes():
    model = build(window=24, loops=8)
    results = {ReferenceModel(model, lanes=lanes).score(range(40)).tobytes() for lanes in LANES}
    assert len(results) > 1


@pytest.mark.parametrize("lanes", [0, 1, 3, 16])
def test_refuses_lanes(lanes):
    with pytest.raises(InputError, match=rf"lanes must be one of \(2, 4, 8\), not {lanes}"):
        ReferenceModel(build(), lanes=lanes)
