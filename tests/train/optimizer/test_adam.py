# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.train.optimizer.adam import Adam


def test_steps_follow_the_formula():
    rng = np.random.default_rng(1)
    adam = Adam(count=50, beta1=0.8, beta2=0.95, clip=1e9)
    vector = rng.normal(size=50).astype(np.float32)
    wanted, m, v = vector.astype(np.float64), np.zeros(50), np.zeros(50)
    for t in range(1, 30):
        gradient = rng.normal(size=50).astype(np.float32)
        adam.step(vector, gradient, 0.01)
        m = 0.8 * m + 0.2 * gradient
        v = 0.95 * v + 0.05 * gradient.astype(np.float64) ** 2
        wanted -= 0.01 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-8)
    assert vector == pytest.approx(wanted, abs=1e-5)


@pytest.mark.quick
def test_long_gradients_are_scaled_down():
    long, short = Adam(count=2), Adam(count=2)
    a, b = np.zeros(2, np.float32), np.zeros(2, np.float32)
    given = np.array([300.0, 400.0], np.float32)
    long.step(a, given, 0.1)
    short.step(b, given / 500, 0.1)
    assert a == pytest.approx(b)
    assert long.first == pytest.approx(short.first)
    assert given.tolist() == [300.0, 400.0]
