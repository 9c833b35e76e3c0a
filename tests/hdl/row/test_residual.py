# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.hdl.row.residual import Residual
from glintfpga.quant.blink.blocks import residual_add
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.numbers.qformat import QFormat, shift_round
from support.component_bench import record

GUARDED = QFormat(19, 11)


def spread(rng, fmt, *shape):
    values = rng.integers(fmt.lo, fmt.hi + 1, shape) >> rng.integers(0, fmt.width, shape)
    ends = rng.choice([fmt.lo, fmt.hi, 0, -1, 1], shape)
    return np.where(rng.random(shape) < 0.2, ends, values)


@pytest.mark.quick
@pytest.mark.parametrize("plan", [PLAN12, PLAN9], ids=lambda plan: f"plan{plan.code}")
def test_random_operations(plan):
    rng = np.random.default_rng(1)
    count = 1000
    kind = rng.choice(["load", "add_quotient", "add_shifted", "nothing"], count)
    kind[0] = "load"
    vectors = {
        "embedding": spread(rng, plan.x, count, 3),
        "quotient": spread(rng, GUARDED, count, 3),
        "shifted": spread(rng, GUARDED, count, 3),
    }
    x, want = None, []
    for at in range(count):
        if kind[at] == "load":
            x = vectors["embedding"][at]
        elif kind[at] != "nothing":
            delta = vectors[kind[at].removeprefix("add_")][at]
            x = residual_add(plan, x, shift_round(delta, 1))
        want.append(x.tolist())
    inputs = {name: values.tolist() for name, values in vectors.items()}
    inputs |= {name: (kind == name).tolist() for name in ("load", "add_quotient", "add_shifted")}
    got = record(Residual(plan=plan), inputs, ["x"], count + 1)
    assert got["x"][1:] == want
