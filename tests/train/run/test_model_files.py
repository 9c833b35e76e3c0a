# SPDX-License-Identifier: MIT
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from glintfpga.quant.blink.checkpoint import read_checkpoint
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from glintfpga.train.run.model_files import Model, read_model, write_model
from glintfpga.train.run.presets import PRESETS

GLIMMER = PRESETS["glimmer"].spec


def model_of(spec):
    vector = np.random.default_rng(1).normal(size=spec.param_count).astype(np.float32)
    return Model(spec=spec, vector=vector, note="a note")


@pytest.mark.parametrize("spec", [ModelSpec(loops=2), GLIMMER], ids=["chip", "software"])
def test_what_was_written_is_read(spec, tmp_path):
    model = model_of(spec)
    write_model(tmp_path / "m", model)
    found = read_model(tmp_path / "m")
    assert (found.spec, found.note) == (spec, "a note")
    np.testing.assert_array_equal(found.vector, model.vector)


def test_a_model_of_the_chip_is_a_checkpoint_and_another_one_is_not(tmp_path):
    write_model(tmp_path / "chip", model_of(ModelSpec()))
    assert read_checkpoint(tmp_path / "chip").spec == ModelSpec()
    for name, reason in (("glimmer", "not 'software'"), ("glint", "too large for a blink")):
        write_model(tmp_path / name, model_of(PRESETS[name].spec))
        with pytest.raises(InputError, match=reason):
            read_checkpoint(tmp_path / name)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_written(bad, tmp_path):
    model = model_of(GLIMMER)
    model.vector[7] = bad
    with pytest.raises(InputError, match="not finite: train again"):
        write_model(tmp_path / "m", model)
    assert not list(tmp_path.iterdir())


@pytest.mark.quick
def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "m"
    with pytest.raises(InputError, match="cannot read"):
        read_model(path)
    write_model(path, model_of(GLIMMER))
    data = path.read_bytes()
    for damaged in (b"", data[:-3], data[:40], data.replace(b"window", b"widnow")):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=str(path)):
            read_model(path)
    shape = '{"dim": 3}'
    save_file({"x": np.zeros(1, np.float32)}, path, {"shape": shape})
    with pytest.raises(InputError, match="wrong shape"):
        read_model(path)
    save_file(
        {"embedding": np.zeros((1, 1), np.float32)}, path, {"shape": json.dumps(GLIMMER.to_json())}
    )
    with pytest.raises(InputError, match="tensors are not those of its shape"):
        read_model(path)
