# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.blink.software import open_software_line
from glintfpga.firmware.wire.messages import Done, generate, load, prompt, score
from glintfpga.firmware.wire.protocol import Reason, Status
from glintfpga.firmware.wire.session import Session
from glintfpga.quant.blink.checkpoint import Checkpoint
from glintfpga.quant.blink.float_model import FloatModel
from glintfpga.quant.blink.plan import PLAN9, PLAN12
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.logit_crc import logit_crc
from glintfpga.quant.numbers.sampler import Sampler
from support.models import random_image

SMALL = ModelSpec(loops=2, vocab=40, eos=None, thinking=1)
WIDE = ModelSpec(loops=1, vocab=300, eos=299)


def image_of(spec, plan=PLAN12, seed=0):
    return random_image(spec, plan, seed=seed)


class Host:
    """A host on a line; its time is the number of reads."""

    def __init__(self, line):
        self.line = line
        self.session = Session()
        self.session.start(1, 0.0)
        self.reads = 0
        while not self.session.done:
            self.turn()

    @property
    def info(self):
        return self.session.endpoint.info

    def turn(self):
        self.reads += 1
        assert self.reads < 5000
        now = self.reads / 1000
        self.line.write(self.session.poll(now))
        self.session.feed(self.line.read(4096, 0.001), now)

    def ask(self, data):
        self.session.send(data)
        while not self.session.done:
            self.turn()
        *bodies, (_, done) = self.session.receive_all()
        return b"".join(body for _, body in bodies), Done.decode(done)

    def load(self, image, **cut):
        return [self.ask(one)[1].status for one in load(image, **cut)]


def expected_tokens(image, words, count, *, lanes, temperature, seed):
    reference, sampler = ReferenceModel(image.model, lanes=lanes), Sampler(seed)
    reference.prefill(np.array(words))
    entries, token = b"", None
    for _ in range(count):
        if token is not None:
            reference.enter(token)
        logits = reference.logits()[0]
        token = sampler.sample(logits, temperature)
        entries += bytes([token]) + logit_crc(logits).to_bytes(4, "little")
    return entries


class TestReference:
    @pytest.mark.parametrize("lanes", [2, 4, 8])
    @pytest.mark.parametrize("plan", [PLAN12, PLAN9])
    def test_generate(self, lanes, plan):
        image = image_of(SMALL, plan)
        host = Host(open_software_line("ref", image=image.data, lanes=lanes))
        info = host.info
        facts = RowFacts.of(info)
        assert (facts.lanes, facts.plan, info.flags) == (lanes, plan, 3)
        assert (info.image_header, info.image_crc) == (image.header, image.crc)
        assert host.ask(prompt([1, 2, 3], 40))[1].count == 3
        body, done = host.ask(generate(20, temperature=300, seed=4, crc=True))
        assert (done.reason, done.count) == (Reason.COUNT, 20)
        assert body == expected_tokens(image, [1, 2, 3], 20, lanes=lanes, temperature=300, seed=4)

    def test_score(self):
        image = image_of(WIDE)
        host = Host(open_software_line("ref", image=image.data))
        ids = [0, 299, 256, 7]
        body, done = host.ask(score(ids, 300, logits=True))
        assert done.count == 4
        words = np.frombuffer(body, "<i4").reshape(4, 301)
        logits = ReferenceModel(image.model, lanes=4).score(np.array(ids))
        assert np.array_equal(words[:, 1:], logits)
        assert [int(word) & 0xFFFFFFFF for word in words[:, 0]] == [logit_crc(r) for r in logits]

    def test_load(self):
        host = Host(open_software_line("ref", image=image_of(SMALL).data))
        other = image_of(SMALL, seed=1)
        host.ask(prompt([5, 6], 40))
        assert set(host.load(other.data, part=1000)) == {Status.OK}
        host.ask(prompt([1], 40))
        body, _ = host.ask(generate(5, crc=True))
        assert body == expected_tokens(other, [1], 5, lanes=4, temperature=0, seed=0)

    @pytest.mark.quick
    @pytest.mark.parametrize("spoil", ["flip", "cut", "plan"])
    def test_load_of_what_is_not_for_it(self, spoil):
        host = Host(open_software_line("ref", image=image_of(SMALL).data))
        data = image_of(SMALL, PLAN9 if spoil == "plan" else PLAN12).data
        if spoil == "flip":
            data = data[:200] + bytes([data[200] ^ 1]) + data[201:]
        if spoil == "cut":
            data = data[:-1]
        assert host.load(data) == [Status.OK, Status.BAD_IMAGE, Status.NO_LOAD]
        assert host.ask(generate(1))[1].status == Status.NO_MODEL


def random_checkpoint(spec):
    rng = np.random.default_rng(3)
    shapes = spec.tensor_shapes()
    return Checkpoint(spec=spec, tensors={n: rng.normal(size=s) for n, s in shapes.items()})


class TestFloat:
    def test_scores_are_the_float_model(self):
        checkpoint = random_checkpoint(SMALL)
        host = Host(open_software_line("float", image=image_of(SMALL).data, checkpoint=checkpoint))
        body, done = host.ask(score([1, 2], 40, logits=True))
        assert (done.status, done.count) == (Status.OK, 2)
        logits = np.frombuffer(body, "<i4").reshape(2, 41)[:, 1:] / 256 * np.log(2)
        model = FloatModel(checkpoint)
        assert np.allclose(logits, np.concatenate([model.step([1]), model.step([2])]), atol=2e-3)
        assert host.ask(generate(5, temperature=256))[1].count == 5

    def test_load_is_refused_and_changes_nothing(self):
        checkpoint = random_checkpoint(SMALL)
        image = image_of(SMALL)
        host = Host(open_software_line("float", image=image.data, checkpoint=checkpoint))
        assert host.load(image.data) == [Status.UNSUPPORTED, Status.NO_LOAD, Status.NO_LOAD]
        assert host.ask(generate(2))[1].count == 2


class TestErrors:
    def test_kind(self):
        with pytest.raises(InputError, match="'rel'"):
            open_software_line("rel", image=image_of(SMALL).data)

    def test_image(self):
        with pytest.raises(InputError, match="not a .glint image"):
            open_software_line("ref", image=b"abc")

    def test_lanes(self):
        with pytest.raises(InputError, match="lanes"):
            open_software_line("ref", image=image_of(SMALL).data, lanes=3)

    def test_checkpoint(self):
        with pytest.raises(InputError, match="needs a checkpoint"):
            open_software_line("float", image=image_of(SMALL).data)
        with pytest.raises(InputError, match="quantize this checkpoint"):
            open_software_line(
                "float", image=image_of(SMALL).data, checkpoint=random_checkpoint(WIDE)
            )
