# SPDX-License-Identifier: MIT
import dataclasses

import pytest

from glintfpga.host.device.client import Client
from glintfpga.host.device.link import Link
from glintfpga.host.models import image_of
from glintfpga.host.ports.open_port import port_opener
from support.c_model import Follower
from support.linktest import soak as module
from support.linktest.soak import resident_bytes, soak


@pytest.fixture
def run(tmp_path):
    """A short soak of a port, whose bytes the C model sees as ``told`` makes them."""
    image = image_of(None)
    path = tmp_path / "model.glint"
    path.write_bytes(image.data)

    def go(port, tokens, **options):
        with Client(Link(opener=port_opener(port, model=None, lanes=4))) as client:
            client.connect()
            client.fastest()
            with Follower(path, lanes=4, vocab=image.model.vocab) as follower:
                return soak(client, follower, image, tokens, **options)

    return go


def test_two_thousand_tokens(run):
    done = run("sim:", 2000)
    assert (done.tokens, done.crcs, done.mismatches, done.losses) == (2000, 1000, 0, 0)
    assert 100 < done.cycles / done.tokens < 1000


@pytest.mark.parametrize("noticed", ["crc", "token"])
def test_a_difference_is_noticed(run, monkeypatch, noticed):
    monkeypatch.setattr(module, "PART", 50)
    generate = Client.generate

    class Changed:
        def __init__(self, answer):
            tokens = list(answer)
            change = {"crc": tokens[7].crc ^ 1} if noticed == "crc" else {"id": tokens[7].id ^ 1}
            tokens[7] = dataclasses.replace(tokens[7], **change)
            self.tokens = tokens

        def __iter__(self):
            return iter(self.tokens)

    def lie(client, *arguments, **options):
        return Changed(generate(client, *arguments, **options))

    monkeypatch.setattr(Client, "generate", lie)
    assert run("ref:", 50).mismatches >= 1


@pytest.mark.quick
def test_progress(run, monkeypatch):
    monkeypatch.setattr(module, "PART", 10)
    seen = []
    run("ref:", 30, progress=lambda done: seen.append(done.tokens))
    assert seen[-1] == 30 and len(seen) >= 3


@pytest.mark.skipif(resident_bytes() == 0, reason="/proc does not tell")
def test_memory_is_of_this_process():
    before = resident_bytes()
    held = bytearray(64 << 20)
    held[::4096] = b"\1" * len(held[::4096])
    assert resident_bytes() - before > 32 << 20
