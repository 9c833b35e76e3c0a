# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.train.optimizer.adam import Adam
from glintfpga.train.optimizer.basis import Eigenbasis, eigenbases_of
from glintfpga.train.run.presets import PRESETS

WIDTH = 4


def gradients(count, spread):
    """Random ones whose size along each direction of a random basis is that of ``spread``."""
    rng = np.random.default_rng(3)
    axes = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
    return axes, (rng.normal(size=(count, WIDTH)) * spread @ axes.T).astype(np.float32)


def test_axes_become_the_directions_of_the_gradients():
    wanted, given = gradients(2000, [4, 2, 1, 0.5])
    basis = Eigenbasis(start=0, stop=WIDTH, width=WIDTH)
    turns = [basis.update(row, step) for step, row in enumerate(given, 1)]
    at = [step for step, turn in enumerate(turns, 1) if turn is not None]
    assert at == [20, 60, *range(100, 2001, 100)]
    along = np.abs(basis.axes.T @ wanted)
    # Eigenvectors come by ascending eigenvalue, and directions have no sign.
    assert along == pytest.approx(np.fliplr(np.eye(WIDTH)), abs=0.2)


def test_rows_of_a_block_share_their_axes():
    basis = Eigenbasis(start=1, stop=7, width=3)
    vector = np.arange(8, dtype=np.float32)
    basis.axes = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0].astype(np.float32)
    rotated = basis.rotated(vector)
    assert rotated == pytest.approx(np.ravel(vector[1:7].reshape(2, 3) @ basis.axes), abs=1e-5)
    assert basis.rotated_back(rotated) == pytest.approx(vector[1:7], abs=1e-5)


def test_moments_turn_with_the_axes():
    """A step right after the turn is the step before it, but for what lies between axes."""
    _, given = gradients(61, [9, 3, 1, 0.1])
    turning = Adam(count=WIDTH, bases=(Eigenbasis(start=0, stop=WIDTH, width=WIDTH),), clip=1e9)
    for row in given[:-1]:
        before = turning.bases[0].axes @ turning.first
        turning.step(np.zeros(WIDTH, np.float32), row, 0.1)
    held = turning.bases[0].axes @ turning.first
    assert held == pytest.approx(before + 0.1 * (given[-2] - before), rel=1e-3, abs=1e-3)
    assert (turning.second >= 0).all() and turning.second.sum() > 0


def test_a_narrow_slanted_valley_is_descended_faster():
    """Which is what the axes are for: curvatures of 1 and 1000, at 45 degrees to the parameters."""
    turn = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    left: dict[str, float] = {}
    for name, bases in {"own": (Eigenbasis(start=0, stop=2, width=2),), "none": ()}.items():
        rng, adam = np.random.default_rng(5), Adam(count=2, bases=bases, beta2=0.9, clip=1e9)
        vector = (turn @ [10, 0]).astype(np.float32)
        for step in range(600):
            slopes = [1, 1000] * (turn.T @ vector) + rng.normal(size=2) * [0.3, 300]
            adam.step(vector, (turn @ slopes).astype(np.float32), 0.05 * (1 - step / 600))
        left[name] = abs(float(turn.T[0] @ vector))
    assert left["own"] < 1 and left["none"] > 3, left


def test_bases_cover_the_shapes_of_the_chip_and_no_others():
    for spec in (ModelSpec(), ModelSpec(loops=2, hidden=16, vocab=300)):
        rows, rest = eigenbases_of(spec)
        assert (rows.start, rows.stop, rows.width) == (0, 3 * spec.vocab, 3)
        assert (rest.start, rest.stop) == (3 * spec.vocab, spec.param_count)
        assert rest.width == rest.stop - rest.start
    assert eigenbases_of(PRESETS["glint"].spec) == ()


@pytest.mark.quick
@pytest.mark.parametrize("block", [(0, 7, 3), (3, 3, 1), (0, 4, 0)])
def test_blocks_that_are_no_rows_are_refused(block):
    start, stop, width = block
    with pytest.raises(ValueError, match="no rows of"):
        Eigenbasis(start=start, stop=stop, width=width)
