# SPDX-License-Identifier: MIT
"""The float kernel against the NumPy model; no PyTorch here."""

import numpy as np
import pytest

from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.float_model import FloatModel
from glintfpga.quant.blink.spec import LORA_TARGETS, ModelSpec
from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.train.engine import kernel_build
from glintfpga.train.engine.kernel import Kernel
from glintfpga.train.engine.parameters import flatten, initial, views

SPECS = {
    "blink": ModelSpec(),
    "two loops": ModelSpec(
        loops=2, lora_rank=2, lora_targets=LORA_TARGETS, vocab=9, eos=0, window=3, hidden=5
    ),
    "prelude and coda": ModelSpec(loops=2, prelude=1, coda=2, vocab=40, eos=None, window=30),
    "no LoRA": ModelSpec(loops=2, lora_rank=0, lora_targets=(), vocab=16, eos=None, window=1),
}
every_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


def tensors_of(spec, seed=1, spread=0.5):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape) * spread for name, shape in spec.tensor_shapes().items()}


def tokens_of(spec, *shape, seed=2):
    return np.random.default_rng(seed).integers(0, spec.vocab, shape).astype(np.uint16)


def numpy_losses(spec, tensors, tokens):
    """float64, base e."""
    logits = FloatModel(Checkpoint(spec=spec, tensors=tensors)).sequence(tokens[:, :-1])
    top = logits.max(axis=-1)
    total = np.log(np.exp(logits - top[..., None]).sum(axis=-1)) + top
    chosen = np.take_along_axis(logits, tokens[:, 1:, None].astype(np.int64), axis=-1)
    return total - chosen[..., 0]


@every_spec
def test_losses_and_logits_are_those_of_numpy(spec):
    tensors, tokens = tensors_of(spec), tokens_of(spec, 19, 41)
    kernel, params = Kernel(spec), flatten(spec, tensors)
    want = numpy_losses(spec, tensors, tokens)
    np.testing.assert_allclose(kernel.losses(params, tokens), want, atol=2e-4)
    assert kernel.evaluate(params, tokens) == pytest.approx(want.mean(), abs=1e-6)
    exact = FloatModel(Checkpoint(spec=spec, tensors=tensors)).sequence(tokens[:, :-1])
    logits = kernel.logits(params, tokens) * np.log(2)
    np.testing.assert_allclose(logits, exact, atol=2e-4)


@every_spec
def test_gradient_along_random_directions(spec):
    """Every tensor weighs alike in a direction; test_eager compares them one by one."""
    tensors, tokens = tensors_of(spec), tokens_of(spec, 3, 17)
    loss, grads = Kernel(spec).step(flatten(spec, tensors), tokens)
    assert loss == pytest.approx(numpy_losses(spec, tensors, tokens).mean(), abs=1e-6)
    slopes = views(spec, grads)
    rng = np.random.default_rng(3)
    for _ in range(3):
        ways = {n: rng.normal(size=g.shape) / max(np.abs(g).max(), 1e-4) for n, g in slopes.items()}
        ends = []
        for step in (1e-7, -1e-7):
            moved = {name: tensors[name] + step * way for name, way in ways.items()}
            ends.append(numpy_losses(spec, moved, tokens).mean())
        want = sum(float((slopes[name] * way).sum()) for name, way in ways.items())
        assert (ends[0] - ends[1]) / 2e-7 == pytest.approx(want, rel=2e-3, abs=0.02)


@pytest.mark.parametrize("batch", [1, 7, 8, 16, 17])
def test_any_batch_is_the_mean_of_its_sequences(batch):
    spec = SPECS["two loops"]
    kernel, params = Kernel(spec), flatten(spec, tensors_of(spec))
    tokens = tokens_of(spec, batch, 20)
    loss, grads = kernel.step(params, tokens)
    alone = [kernel.step(params, row[None]) for row in tokens]
    assert loss == pytest.approx(np.mean([one for one, _ in alone]), abs=1e-6)
    want = np.mean([grad for _, grad in alone], axis=0)
    np.testing.assert_allclose(grads, want, atol=2e-6 * np.abs(want).max())
    each = np.array([one for one, _ in alone])
    np.testing.assert_allclose(kernel.losses(params, tokens).mean(axis=1), each, atol=2e-6)


def test_a_step_after_another_length_or_batch_forgets_it():
    spec = SPECS["two loops"]
    kernel, params = Kernel(spec), flatten(spec, tensors_of(spec))
    short, long = tokens_of(spec, 3, 9), tokens_of(spec, 20, 60)
    loss, grads = kernel.step(params, short)
    kernel.step(params, long)
    kernel.losses(params, long)
    again = kernel.step(params, short)
    assert again[0] == loss
    np.testing.assert_array_equal(again[1], grads)


def test_logits_beyond_the_range_of_floats():
    spec = SPECS["two loops"]
    tensors = tensors_of(spec)
    tensors["logit_scale"] = np.array([500.0])
    tokens = tokens_of(spec, 4, 10)
    params = flatten(spec, tensors)
    want = numpy_losses(spec, tensors, tokens)
    assert want.max() > 300
    np.testing.assert_allclose(Kernel(spec).losses(params, tokens), want, rtol=2e-4, atol=1e-3)
    _, grads = Kernel(spec).step(params, tokens)
    assert np.isfinite(grads).all()


def test_descent_lowers_the_loss():
    spec = SPECS["two loops"]
    kernel = Kernel(spec)
    params = initial(spec, np.random.default_rng(0))
    tokens = np.tile(np.arange(9, dtype=np.uint16), (16, 4))
    first = kernel.evaluate(params, tokens)
    for _ in range(300):
        params -= np.float32(0.1) * kernel.step(params, tokens)[1]
    assert kernel.evaluate(params, tokens) < first / 2


def test_ranges():
    spec = ModelSpec(loops=2, lora_rank=0, lora_targets=(), vocab=16, eos=None, window=1)
    tensors, tokens = tensors_of(spec), tokens_of(spec, 5, 12)
    largest = dict.fromkeys(("q", "k", "v", "x", "up", "z"), 0.0)

    def observe(name, index, values):
        if name in largest:
            largest[name] = max(largest[name], np.abs(values).max())

    model = FloatModel(Checkpoint(spec=spec, tensors=tensors), observer=observe)
    model.sequence(tokens[:, :-1])
    largest["x"] = max(largest["x"], np.abs(tensors["embedding"][tokens[:, :-1]]).max())
    found = Kernel(spec).ranges(flatten(spec, tensors), tokens)
    assert found == pytest.approx(largest, rel=1e-4)


class TestRefuses:
    @pytest.mark.parametrize(
        ("spec", "words"),
        [(ModelSpec(thinking=1), "does not think"), (ModelSpec(window=65), "at most 64, not 65")],
    )
    def test_shapes(self, spec, words):
        with pytest.raises(InputError, match=words):
            Kernel(spec)

    @pytest.mark.quick
    @pytest.mark.parametrize("token", [9, -1, 65536])
    def test_ids(self, token):
        spec = SPECS["two loops"]
        words = f"token id {token} is outside the vocabulary: use 0 to 8"
        with pytest.raises(InputError, match=words):
            Kernel(spec).evaluate(flatten(spec, tensors_of(spec)), np.array([[0, token]]))

    @pytest.mark.parametrize("shape", [(5,), (0, 4), (3, 1)])
    def test_tokens(self, shape):
        spec = SPECS["two loops"]
        with pytest.raises(ValueError, match="tokens must have shape"):
            Kernel(spec).evaluate(flatten(spec, tensors_of(spec)), np.zeros(shape, np.uint16))

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_params_that_are_not_finite(self, value):
        spec = SPECS["two loops"]
        params = flatten(spec, tensors_of(spec))
        params[7] = value
        with pytest.raises(InputError, match="not finite: go back to earlier ones"):
            Kernel(spec).step(params, tokens_of(spec, 1, 5))

    def test_params(self):
        spec = SPECS["two loops"]
        with pytest.raises(ValueError, match="params must have shape"):
            Kernel(spec).step(np.zeros(3, np.float32), np.zeros((1, 2), np.uint16))


class TestCompiler:
    @pytest.fixture(autouse=True)
    def empty_cache(self, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        kernel_build._load.cache_clear()
        yield
        kernel_build._load.cache_clear()

    def test_missing(self, monkeypatch):
        monkeypatch.setenv("CXX", "no-such-compiler")
        with pytest.raises(EnvironmentProblem, match=r"apt install g\+\+"):
            Kernel(SPECS["no LoRA"])

    def test_failing(self, monkeypatch, tmp_path):
        broken = tmp_path / "broken"
        broken.write_text("#!/bin/sh\necho no luck >&2\nexit 1\n", encoding="utf-8")
        broken.chmod(0o755)
        monkeypatch.setenv("CXX", str(broken))
        with pytest.raises(
            EnvironmentProblem, match="training kernel could not be compiled: 'no luck"
        ):
            Kernel(SPECS["no LoRA"])

    def test_compiles_once(self, tmp_path):
        Kernel(SPECS["no LoRA"])
        (library,) = (tmp_path / "glintfpga" / "native").iterdir()
        made = library.stat()
        kernel_build._load.cache_clear()
        Kernel(SPECS["no LoRA"])
        assert library.stat() == made


def test_small_numbers_of_the_caller_stay():
    """The kernel takes numbers below 1e-38 as zero, for itself only."""
    spec = ModelSpec(loops=1, vocab=9, eos=None)
    params = np.random.default_rng(1).normal(0, 0.5, spec.param_count).astype(np.float32)
    Kernel(spec).step(params, np.zeros((1, 5), np.uint16))
    assert np.float32(1e-39) * np.float32(0.5) > 0
