# SPDX-License-Identifier: MIT
import errno
import math
import os
import time

import numpy as np
import pytest

from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.train.optimizer.adam import Adam
from glintfpga.train.optimizer.basis import Eigenbasis
from glintfpga.train.run.config import Stage
from glintfpga.train.run.replica import Replica, Stopped, rate_at, train_stage

COUNT = 5
STAGE = Stage(lineages=1, tokens=64 * 25, rate=0.1)
"""Long enough for the axes to turn."""


def fresh_adam():
    bases = Eigenbasis(start=0, stop=2, width=1), Eigenbasis(start=2, stop=5, width=3)
    return Adam(count=COUNT, bases=bases)


def fresh(seed=1):
    rng = np.random.default_rng(seed)
    vector = rng.normal(size=COUNT).astype(np.float32)
    return Replica(vector=vector, adam=fresh_adam(), rng=rng)


def draw(rng):
    return rng.integers(0, 256, (4, 17), dtype=np.uint16)


def step(vector, ids):
    target = np.float32(ids.mean() / 256)
    return float(np.square(vector - target).sum()), 2 * (vector - target)


def train(replica, path, **options):
    options = {"step": step, "draw": draw, **options}
    train_stage(replica, STAGE, batch_tokens=64, path=path, **options)
    return replica


def same(a, b):
    return (
        np.array_equal(a.vector, b.vector)
        and a.adam.steps == b.adam.steps
        and all(map(np.array_equal, a.adam.tensors().values(), b.adam.tensors().values()))
        and a.rng.bit_generator.state == b.rng.bit_generator.state
        and (a.stage, a.steps, a.tokens, a.loss) == (b.stage, b.steps, b.tokens, b.loss)
    )


class Killed(BaseException):
    pass


def test_a_stage_ends_after_its_tokens_and_learns(tmp_path):
    replica = train(fresh(), tmp_path / "s")
    assert (replica.steps, replica.tokens) == (25, 1600)
    assert replica.loss < step(fresh().vector, draw(np.random.default_rng(0)))[0]


@pytest.mark.parametrize("at", [1, 7, 20, 24])
def test_a_kill_at_any_step_changes_nothing(tmp_path, at):
    whole = train(fresh(), tmp_path / "whole")
    calls = []

    def dies(vector, ids):
        calls.append(1)
        if len(calls) == at:
            raise Killed
        return step(vector, ids)

    with pytest.raises(Killed):
        train(fresh(), tmp_path / "cut", step=dies, save_s=0)
    again = Replica.load(tmp_path / "cut", fresh_adam())
    assert again.steps == max(0, at - 1)
    assert same(train(again, tmp_path / "cut"), whole)
    # A finished stage is left as it is, its random stream too.
    assert same(train(Replica.load(tmp_path / "cut", fresh_adam()), tmp_path / "cut"), whole)


def test_a_loss_that_is_no_number_goes_back_with_half_the_rate(tmp_path):
    calls, told = [], []

    def fails(vector, ids):
        calls.append(1)
        loss, gradient = step(vector, ids)
        return (math.nan if len(calls) in (5, 9) else loss), gradient

    replica = train(fresh(), tmp_path / "s", step=fails, retreated=told.append)
    assert replica.lr_scale == 0.25
    assert told == [0, 0]
    assert replica.steps == 25
    assert np.isfinite(replica.vector).all()
    assert Replica.load(tmp_path / "s", fresh_adam()).lr_scale == 0.25


def test_an_infinite_gradient_counts_too_and_the_eighth_time_ends_it(tmp_path):
    with pytest.raises(InputError, match="no number again after 8 retreats"):
        train(fresh(), tmp_path / "s", step=lambda v, ids: (1.0, v * np.float32(np.inf)))
    assert Replica.load(tmp_path / "s", fresh_adam()).lr_scale == 0.5**7


def test_asked_to_stop_it_saves_first(tmp_path):
    whole = train(fresh(), tmp_path / "whole")
    with pytest.raises(Stopped):
        train(fresh(), tmp_path / "s", stopped=lambda: True)
    saved = Replica.load(tmp_path / "s", fresh_adam())
    assert saved.steps == 16
    assert same(train(saved, tmp_path / "s"), whole)


def test_a_state_that_cannot_be_written(tmp_path):
    with pytest.raises(EnvironmentProblem, match="cannot write"):
        train(fresh(), tmp_path / "no" / "s")


def test_a_disk_that_is_full_leaves_the_state_before(tmp_path, monkeypatch):
    replica = fresh()
    replica.save(tmp_path / "s")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentProblem, match=r"cannot write .*No space left .*; make room"):
        train(replica, tmp_path / "s")
    assert same(Replica.load(tmp_path / "s", fresh_adam()), fresh())
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_slow_steps_are_asked_one_by_one(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def slow(vector, ids):
        now[0] += 2
        return step(vector, ids)

    with pytest.raises(Stopped):
        train(fresh(), tmp_path / "s", step=slow, stopped=lambda: now[0] > 5)
    assert Replica.load(tmp_path / "s", fresh_adam()).steps == 3


def test_damaged_states_are_refused(tmp_path):
    path = tmp_path / "s"
    fresh().save(path)
    data = path.read_bytes()
    with pytest.raises(InputError, match="not a state of 6 numbers"):
        Replica.load(path, Adam(count=6))
    for damaged in (b"", data[:-3], data[:40], b"\x80\x04pickle", data.replace(b"adam", b"eden")):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="damaged state .*: delete it"):
            Replica.load(path, fresh_adam())
    bad = fresh()
    bad.vector[2] = np.nan
    bad.save(path)
    with pytest.raises(InputError, match="not finite"):
        Replica.load(path, fresh_adam())


@pytest.mark.quick
def test_the_rate_warms_up_and_falls_to_its_end():
    stage = Stage(lineages=1, tokens=1, rate=0.5, final=0.1)
    rates = [rate_at(stage, step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.005)
    assert max(rates) == pytest.approx(0.5, rel=0.03)
    assert rates.index(max(rates)) == 99
    assert rates[-1] == pytest.approx(0.05, rel=1e-3)
