# SPDX-License-Identifier: MIT
import io
import os
import signal
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from glintfpga.host.chat.loop import ChatLoop
from glintfpga.quant.chat_template import END_OF_TEXT, dialogue
from glintfpga.quant.errors import DeviceError


@pytest.fixture
def new_world(new_world):
    return partial(new_world, hashed=True)


@pytest.fixture
def chat(world, monkeypatch):
    def make(stdin, count=300, temperature=0.0):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        client = world.client()
        return ChatLoop(client=client, image=None, count=count, temperature=temperature, seed=None)

    return make


def test_each_line_gets_an_answer(chat, capfdbinary, world):
    chat(b"one\n\ntwo\r\nthree", count=7).run()
    assert world.device.counters.tokens == 21
    assert world.device.counters.prefill_tokens >= len(b"onetwothree")
    assert capfdbinary.readouterr().out.count(b"\n") >= 3


def test_empty_input_ends_at_once(chat, capfdbinary):
    chat(b"").run()
    assert capfdbinary.readouterr().out == b""


def test_bytes_that_are_no_text_reach_the_device_as_they_are(chat, world):
    run = chat(b"\xff\xfe\x00\x1b[0m\n", count=1)
    run.run()
    assert run.session.history[:7] == list(b"\xff\xfe\x00\x1b[0m")


@pytest.mark.quick
def test_answers_are_shown_as_safe_text(chat, capfdbinary):
    run = chat(b"x\n", count=300, temperature=3.9)
    run.run()
    out = capfdbinary.readouterr().out.decode("utf-8")
    assert all(character.isprintable() or character in "\n\t" for character in out)
    assert "\\x" in out


def test_interrupt_ends_the_answer_not_the_chat(chat, world, capfdbinary):
    """Ctrl-C during the first answer; the second line is still answered."""
    run = chat(b"one\ntwo\n", count=1500)
    seen = []

    def press(arrived):
        seen.append(arrived)
        if len(seen) == 6:
            os.kill(os.getpid(), signal.SIGINT)

    world.on_read = press
    before = signal.getsignal(signal.SIGINT)
    run.run()
    assert signal.getsignal(signal.SIGINT) is before
    assert b"two" in bytes(run.session.history)
    assert 1500 <= world.device.counters.tokens < 2800


def test_exception_out_of_the_line_leaves(chat, world):
    run = chat(b"one\n")

    def press(arrived):
        raise KeyboardInterrupt

    world.on_read = press
    with pytest.raises(KeyboardInterrupt):
        run.run()


def test_second_interrupt_leaves(chat, world):
    run = chat(b"one\n", count=5000)
    world.on_read = lambda arrived: os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run.run()


def test_board_comes_back(chat, world, monkeypatch, caplog):
    run = chat(b"one\n", count=400)
    naps = []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            world.plugged = True
            world.reset()

    monkeypatch.setattr("glintfpga.host.chat.loop.time.sleep", nap)
    reads = []

    def unplug(arrived):
        reads.append(arrived)
        if len(reads) == 6:
            world.plugged = False

    world.on_read = unplug
    run.run()
    assert len(naps) == 3
    assert len(run.session.history) == 3 + 400


def test_each_reason_for_the_wait_is_told_once(chat, world, monkeypatch, notes):
    run = chat(b"one\n", count=5)
    reasons = [*["no port"] * 3, "another bitstream", "no port", None]

    def open_line():
        if reason := reasons.pop(0):
            raise DeviceError(reason)
        world.plugged = True
        world.reset()
        return line()

    line, run.client.link._opener = run.client.link._opener, open_line
    monkeypatch.setattr("glintfpga.host.chat.loop.time.sleep", lambda seconds: None)
    world.plugged = False
    run.run()
    first, *rest = notes
    assert first.endswith("plug the board in again (waiting for it; Ctrl-C gives up)")
    assert rest[:2] == ["no port", "another bitstream"]
    assert rest[2].startswith("the device is back")


def test_without_a_console(chat, monkeypatch):
    run = chat(b"")
    for name in ("stdin", "stdout"):
        monkeypatch.setattr(sys, name, None)
    run = ChatLoop(client=run.client, image=None, count=5, temperature=0.0, seed=None)
    run.run()


def test_piped_chat_gives_up_after_a_while(chat, world, monkeypatch):
    run = chat(b"one\n")
    world.plugged = False
    times = iter(range(0, 1000, 10))
    monkeypatch.setattr("glintfpga.host.chat.loop.time.monotonic", lambda: next(times))
    monkeypatch.setattr("glintfpga.host.chat.loop.time.sleep", lambda seconds: None)
    with pytest.raises(DeviceError):
        run.run()


def test_models_of_other_tokens(new_world, new_image):
    client = new_world(new_image(vocab=300, eos=None)).client()
    loop = ChatLoop(client=client, image=None, count=5, temperature=0.0, seed=None)
    with pytest.raises(Exception, match="has 300 tokens, which are not bytes"):
        loop.run()


class Scripted:
    """A model that answers each prompt with the next of its texts, and notes what it was told."""

    def __init__(self, texts):
        self.texts = list(texts)
        self.told = []
        self.left = []

    def clear(self):
        self.told.append("clear")
        self.left = []

    def enter(self, token):
        self.left = self.left[1:] if self.left[:1] == [token] else []
        self.told.append(token)

    def logits(self):
        if not self.left:
            self.left = list(self.texts.pop(0))
        logits = np.full(257, -(1 << 18))
        logits[self.left[0]] = 1 << 18
        return logits


EOS = 256


@pytest.fixture
def scripted(new_world, new_image, monkeypatch):
    """A chat over a pipe with a model that says given texts; and the ids that it was given."""

    def make(stdin, texts, chat):
        model = Scripted(texts)
        image = new_image(chat=chat)
        world = new_world(image)
        load = world.load
        world.load = lambda data: replace(load(data), numerics=model, is_golden=None)
        world.reset()
        model.told.clear()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        loop = ChatLoop(client=world.client(), image=None, count=40, temperature=0.0, seed=None)
        return loop, model, world

    return make


YES, NO = (*b"Yes.", EOS), (*b"No.", EOS)


def test_a_model_for_chat_is_asked_in_the_template(scripted, capfdbinary):
    loop, model, _ = scripted(b"  Is it\r\nor not? \n", [YES, NO], chat=True)
    loop.run()
    # The same ids as a dialogue has in training, but for the EOS that is still pending.
    stream = [*b"Is it\nYes.", EOS, *b"or not?\nNo."]
    assert model.told[1:] == stream
    assert bytes(token for token in stream if token < EOS) == dialogue(
        [(b"Is it", b"Yes."), (b"or not?", b"No.")]
    ).replace(END_OF_TEXT, b"")
    assert capfdbinary.readouterr().out == b"Yes.\nNo.\n"


def test_a_cut_answer_ends_its_line_before_the_next_question(scripted):
    loop, model, _ = scripted(b"Go\nOn\n", [b"x" * 60, NO], chat=True)
    loop.run()
    assert model.told[1:] == [*b"Go\n", *b"x" * 40, *b"\nOn\n", *b"No."]


def test_any_other_model_goes_on(scripted):
    loop, model, _ = scripted(b" Go \nOn\n", [YES, NO], chat=False)
    loop.run()
    assert model.told[1:] == [*b" Go ", *b"Yes.", EOS, *b"On", *b"No."]


def test_what_is_told_again_keeps_its_turns(scripted, monkeypatch):
    """EOS has no spelling; without something in its place an answer would run on into a turn."""
    loop, model, world = scripted(b"Go\nOn\n", [YES, NO], chat=True)
    read = loop._read

    def unplug(lines):
        if model.texts == [NO]:
            world.reset()
            model.told.clear()
        return read(lines)

    monkeypatch.setattr(loop, "_read", unplug)
    loop.run()
    assert model.told[-len("Go.Yes..On.No.") :] == [*b"Go\nYes.\nOn\nNo."]
