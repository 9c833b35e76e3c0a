# SPDX-License-Identifier: MIT
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glintfpga.quant.blink.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from glintfpga.quant.blink.float_model import FloatModel
from glintfpga.quant.blink.spec import ModelSpec, preset
from glintfpga.train import infer

SPECS = [
    ModelSpec(),
    preset("blink-two-loop"),
    ModelSpec(loops=2, prelude=1, coda=2, thinking=2, hidden=4, vocab=300, window=3),
    ModelSpec(loops=1, lora_rank=0, lora_targets=(), vocab=30, eos=None),
]


@pytest.fixture
def saved(tmp_path):
    """Writes a random model; returns its path."""

    def make(spec):
        rng = np.random.default_rng(3)
        shapes = spec.tensor_shapes().items()
        tensors = {name: rng.normal(0, 0.7, shape) for name, shape in shapes}
        path = tmp_path / "model.safetensors"
        write_checkpoint(path, Checkpoint(spec=spec, tensors=tensors))
        return path

    return make


@pytest.mark.quick
@pytest.mark.parametrize("spec", SPECS)
def test_it_equals_the_float_model(saved, spec):
    path = saved(spec)
    model, reference = infer.Blink(path), FloatModel(read_checkpoint(path))
    assert model.eos == spec.eos
    for token in np.random.default_rng(1).integers(0, spec.vocab, 20):
        model.enter(token)
        assert model.logits() == pytest.approx(reference.step([token])[0], abs=1e-9)
    model.clear()
    reference.reset()
    model.enter(5)
    assert model.logits() == pytest.approx(reference.step([5])[0], abs=1e-9)


def test_greedy_text_is_that_of_the_float_model(saved):
    path = saved(ModelSpec())
    reference, ids = FloatModel(read_checkpoint(path)), list(b"ab")
    for token in ids:
        reference.enter([token])
    while len(ids) < 32:
        ids.append(int(reference.logits()[0].argmax()))
        reference.enter(ids[-1:])
    text = list(infer.generate(infer.Blink(path), b"ab", 30, 0, None))
    assert text == ids[2 : 2 + len(text)]
    assert len(text) == 30 or ids[2 + len(text)] == 256


def test_the_file_runs_alone(saved, tmp_path):
    saved(ModelSpec())
    script = tmp_path / "infer.py"
    shutil.copy(Path(infer.__file__), script)

    def run(*arguments):
        command = [sys.executable, "-I", str(script), "ab", "--bytes", "20", *arguments]
        return subprocess.run(command, capture_output=True, check=True, cwd="/").stdout

    first = run("--seed", "4")
    assert first == run("--seed", "4")
    assert first != run("--seed", "5")
    saved(ModelSpec(chat=True))
    answer = run("--temperature", "0")
    asked = infer.generate(infer.Blink(tmp_path / "model.safetensors"), b"ab\n", 20, 0, None)
    assert answer == bytes(asked) + b"\n"
    assert b"glintfpga" not in script.read_bytes().split(b'"""')[2]


def test_the_released_copies_are_this_file():
    file = Path(infer.__file__)
    copies = list(file.parent.glob("release/*/infer.py"))
    assert copies
    assert all(copy.read_bytes() == file.read_bytes() for copy in copies)
