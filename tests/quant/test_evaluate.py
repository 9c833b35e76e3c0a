# SPDX-License-Identifier: MIT
import lzma
import math
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.calibrate import sampled_text
from glintfpga.quant.checkpoint import read_checkpoint
from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluate import FixedScorer, byte_perplexity, read_text
from glintfpga.quant.float_model import FloatModel
from glintfpga.quant.quantize import quantize
from glintfpga.quant.reference import ReferenceModel

SHIPPED = resources.files("glintfpga.train").joinpath("release/blink-base/model.safetensors")


class Bigram:
    """Gives byte t + 1 four times the weight of any other, and forgets nothing else."""

    vocab = 256

    def reset(self, batch):
        self.batch = batch
        self.steps = 0

    def step(self, ids):
        assert ids.shape == (self.batch,)
        self.steps += 1
        assert self.steps < 256
        logits = np.zeros((len(ids), self.vocab))
        logits[np.arange(len(ids)), (ids + 1) % self.vocab] = math.log(4)
        return logits + 1000.0


def score(model, text, **options):
    return byte_perplexity(model, text, benchmark="b", numerics="float", **options)


def own_text(checkpoint):
    """Bytes that the model samples, so that no corpus has to ship."""
    ids = sampled_text(checkpoint)[:128]
    return bytes(np.where(ids < 256, ids, 10).ravel().tolist())


class TestProtocol:
    @given(st.binary(min_size=2, max_size=1200), st.integers(1, 4))
    def test_windows(self, text, batch):
        losses = []
        for first in range(0, len(text), 256):
            window = text[first : first + 256]
            for a, b in zip(window, window[1:]):
                losses.append(math.log(259 / (4 if (a + 1) % 256 == b else 1)))
        row = score(Bigram(), text, batch=batch)
        assert row.n == len(losses)
        assert row.value == pytest.approx(math.exp(sum(losses) / len(losses)), rel=1e-12)

    def test_error_of_equal_windows_is_nothing(self):
        assert score(Bigram(), bytes(range(256)) * 4).stderr == pytest.approx(0, abs=1e-9)

    def test_error_is_that_of_the_mean_of_windows(self):
        rng = np.random.default_rng(0)
        text = b"".join(
            bytes(range(256)) if odd else bytes(256) for odd in rng.integers(0, 2, 25)
        )
        row = score(Bigram(), text)
        losses = [score(Bigram(), text[i : i + 256]).value for i in range(0, len(text), 256)]
        error = np.std(np.log(losses), ddof=1) / 5
        assert row.stderr == pytest.approx(row.value * error)

    @pytest.mark.parametrize("text", [b"", b"x"])
    def test_nothing_to_score(self, text):
        with pytest.raises(InputError, match="nothing to score"):
            score(Bigram(), text)

    def test_byte_outside_the_vocabulary(self):
        small = Bigram()
        small.vocab = 100
        with pytest.raises(InputError, match="byte 200 is outside the vocabulary of 100 ids"):
            score(small, bytes([1, 200]))

    def test_progress_rises_to_the_end(self):
        seen = []
        score(Bigram(), bytes(1000), batch=2, progress=lambda *call: seen.append(call))
        done, totals = zip(*seen)
        assert list(done) == sorted(set(done))
        assert set(totals) == {1024} == {done[-1]}

    def test_row(self):
        row = score(Bigram(), b"abc").to_json()
        assert list(row) == [
            "benchmark", "form", "numerics", "metric", "value", "stderr", "n", "protocol",
        ]  # fmt: skip
        assert row["n"] == 2


class TestModels:
    def test_fixed_is_within_one_percent_of_float(self):
        checkpoint = read_checkpoint(SHIPPED)
        model, _ = quantize(checkpoint)
        text = own_text(checkpoint)
        exact = score(FloatModel(checkpoint), text)
        fixed = score(FixedScorer(model, lanes=4), text)
        assert fixed.n == exact.n
        assert fixed.value == pytest.approx(exact.value, rel=0.01)
        assert fixed.value != exact.value

    def test_fixed_scores_the_integers_of_the_reference(self):
        model, _ = quantize(read_checkpoint(SHIPPED))
        text = b"The cat sat"
        logits = ReferenceModel(model, lanes=2).score(np.array(list(text[:-1]))) / 256
        chosen = logits[np.arange(10), list(text[1:])]
        bits = np.log2(np.exp2(logits).sum(axis=1)) - chosen
        row = score(FixedScorer(model, lanes=2), text)
        assert row.value == pytest.approx(2 ** bits.mean(), rel=1e-12)


class TestFiles:
    def test_both_kinds(self, tmp_path):
        plain, packed = tmp_path / "a.txt", tmp_path / "a.txt.xz"
        plain.write_bytes(b"caf\xc3\xa9\n")
        packed.write_bytes(lzma.compress(b"caf\xc3\xa9\n"))
        assert read_text(plain) == read_text(packed) == b"caf\xc3\xa9\n"

    @pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: b"no" + data])
    def test_damaged(self, tmp_path, damage):
        path = tmp_path / "a.txt.xz"
        path.write_bytes(damage(lzma.compress(b"x" * 1000)))
        with pytest.raises(InputError, match="cannot read"):
            read_text(path)

    def test_missing_and_other(self, tmp_path):
        with pytest.raises(InputError, match="cannot read .*No such file"):
            read_text(tmp_path / "a.txt")
        with pytest.raises(InputError, match="give a .txt or .txt.xz file"):
            read_text(tmp_path / "a.json")
