# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.quant.blink.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from glintfpga.quant.blink.float_model import FloatModel
from glintfpga.quant.blink.spec import LORA_TARGETS, ModelSpec
from glintfpga.train.engine.parameters import checkpoint_of
from glintfpga.train.engine.shape import Shape
from glintfpga.train.run.presets import PRESETS

torch = pytest.importorskip("torch")

from glintfpga.train.engine.eager import Eager  # noqa: E402
from glintfpga.train.engine.model import Blink, loss, rotate  # noqa: E402

torch.set_num_threads(1)

SPECS = {
    "blink": ModelSpec(),
    "two loops": ModelSpec(
        loops=2, lora_rank=2, lora_targets=LORA_TARGETS, vocab=9, eos=0, window=3, hidden=5
    ),
    "prelude and coda": ModelSpec(loops=2, prelude=1, coda=2, vocab=9, eos=None, window=30),
    "no LoRA": ModelSpec(loops=2, lora_rank=0, lora_targets=(), vocab=5, eos=None, window=1),
    "thinking": ModelSpec(loops=2, thinking=2, vocab=6, eos=None, window=5),
}
SMALL = {
    "dim": 8, "heads": 2, "embedding_rank": 4, "loops": 2, "lora_rank": 2, "lora_targets": ("q",),
    "hidden": 5, "vocab": 11, "window": 4, "prelude": 1, "coda": 1, "thinking": 0, "eos": None,
}  # fmt: skip
every_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


@every_spec
def test_parameters_are_those_of_the_checkpoint(spec):
    found = {name: tuple(p.shape) for name, p in Blink(Shape.of(spec)).named_parameters()}
    assert found == spec.tensor_shapes()


@pytest.mark.parametrize(
    "changed", [{}, {"embedding_rank": None}, {"lora_rank": 0, "lora_targets": ()}]
)
def test_parameters_of_larger_shapes_are_those_they_name(changed):
    shape = Shape(**{**SMALL, **changed})
    found = {name: tuple(p.shape) for name, p in Blink(shape).named_parameters()}
    assert found == shape.tensor_shapes()


@every_spec
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equals_the_numpy_model(spec, seed):
    rng = np.random.default_rng(seed)
    tensors = {name: rng.normal(size=shape) for name, shape in spec.tensor_shapes().items()}
    model = Blink(Shape.of(spec)).double()
    model.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    ids = rng.integers(0, spec.vocab, (3, 14))
    with torch.no_grad():
        found = model(torch.from_numpy(ids)).numpy()
    want = FloatModel(Checkpoint(spec=spec, tensors=tensors)).sequence(ids)
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-9)


@every_spec
def test_saved_model_is_read_by_numpy(spec, tmp_path):
    eager = Eager(Shape.of(spec), seed=5)
    write_checkpoint(tmp_path / "m.safetensors", checkpoint_of(spec, eager.vector()))
    ids = np.random.default_rng(1).integers(0, spec.vocab, (2, 9))
    want = FloatModel(read_checkpoint(tmp_path / "m.safetensors")).sequence(ids)
    with torch.no_grad():
        found = eager.model(torch.from_numpy(ids)).numpy()
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-5)


@pytest.mark.quick
def test_rope_step():
    spec = SPECS["two loops"]
    rng = np.random.default_rng(1)
    tensors = {name: rng.normal(size=shape) for name, shape in spec.tensor_shapes().items()}
    checkpoint = Checkpoint(spec=spec, tensors=tensors, rope_radians_per_token=0.7)
    model = Blink(Shape.of(spec), rope_radians_per_token=0.7).double()
    model.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    ids = rng.integers(0, spec.vocab, (3, 14))
    with torch.no_grad():
        found = model(torch.from_numpy(ids)).numpy()
    np.testing.assert_allclose(found, FloatModel(checkpoint).sequence(ids), rtol=1e-5, atol=1e-9)


class TestLargerShapes:
    @pytest.mark.parametrize(
        ("name", "count"), [("blink", 1087), ("glimmer", 11905), ("glint", 989089)]
    )
    def test_parameter_counts(self, name, count):
        spec = PRESETS[name].spec
        assert spec.param_count == count
        assert Eager(spec if isinstance(spec, Shape) else Shape.of(spec)).size == count

    def test_counted_by_hand(self):
        embedding = 257 * 32 + 32 * 128
        block = 4 * 128 * 128 + 3 * 128 * 384 + 2 * 128
        lora = 8 * (4 * (128 + 128) + 3 * (128 + 384))
        assert embedding + 4 * block + 6 * (lora + 128) + 128 + 1 == 989089
        block = 4 * 16 * 16 + 3 * 16 * 28 + 2 * 16
        assert 257 * 16 + 3 * block + 4 * (4 * (16 + 16) + 16) + 16 + 1 == 11905

    def test_sees_the_past_as_far_as_it_reaches_and_no_more(self):
        shape = Shape(**SMALL)
        model = Blink(shape, seed=1).double()
        ids = torch.arange(20)[None] % 11
        reach = (shape.prelude + shape.loops + shape.coda) * (shape.window - 1)
        for changed in (0, 5):
            other = ids.clone()
            other[0, changed] = (ids[0, changed] + 1) % 11
            moved = (model(other) != model(ids)).any(dim=-1)[0]
            assert not moved[:changed].any()
            assert moved[changed : changed + reach + 1].all()
            assert not moved[changed + reach + 1 :].any()

    def test_thoughts_do_not_see_the_future(self):
        model = Blink(Shape(**{**SMALL, "thinking": 2}), seed=1).double()
        ids = torch.arange(8)[None]
        other = ids.clone()
        other[0, 5] = 9
        moved = (model(other) != model(ids)).any(dim=-1)[0]
        assert moved.tolist() == [False] * 5 + [True] * 3

    def test_positions_one_by_one_equal_all_at_once(self):
        model = Blink(Shape(**SMALL), seed=2).double()
        ids = torch.arange(12).reshape(1, 12) % 11
        x = torch.nn.functional.embedding(ids, model.embedding) @ model.embedding_up.T
        memory = []
        steps = [model._run(x[:, t : t + 1], t, memory, None) for t in range(12)]
        together = model._run(x, 0, None, None)
        torch.testing.assert_close(torch.cat(steps, dim=1), together, rtol=1e-12, atol=1e-12)

    def test_thoughts_are_trained_by_the_next_token(self):
        ids = torch.randint(0, 11, (2, 8), generator=torch.Generator().manual_seed(1))
        quick, thinker = (Blink(Shape(**{**SMALL, "thinking": n}), seed=3) for n in (0, 2))
        assert (quick(ids) != thinker(ids)).any()
        loss(thinker, ids)[0].backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in thinker.parameters())

    def test_scores_depend_on_distances_only(self):
        generator = torch.Generator().manual_seed(0)
        q, k = torch.randn(2, 1, 1, 6, generator=generator, dtype=torch.float64)
        angles = torch.tensor([1.0, 0.1, 0.01], dtype=torch.float64)

        def score(query, key):
            return (rotate(q, query * angles[None]) * rotate(k, key * angles[None])).sum()

        torch.testing.assert_close(score(5.0, 2.0), score(45.0, 42.0))
        assert score(5.0, 2.0) != score(5.0, 3.0)
        turned = rotate(q, 3.0 * angles[None])
        torch.testing.assert_close(turned.norm(), q.norm())
        assert (turned != q).all()

    def test_training_a_preset_step_by_step(self):
        eager = Eager(PRESETS["glimmer"].spec, seed=0)
        params = eager.vector()
        assert params.shape == (eager.size,) == (11905,)
        tokens = np.tile(np.arange(16, dtype=np.uint16), (2, 2))
        first, _ = eager.step(params, tokens)
        for _ in range(12):
            _, grads = eager.step(params, tokens)
            params -= np.float32(0.3 / max(1.0, float(np.linalg.norm(grads)))) * grads
        assert eager.evaluate(params, tokens) < first - 0.3
