# SPDX-License-Identifier: MIT
from functools import partial

import pytest

from glintfpga.firmware.wire.protocol import Reason
from glintfpga.host.chat.chat_session import ChatSession

COUNT = 450  # three chunks, so that a loss falls into an answer


@pytest.fixture
def new_world(new_world):
    return partial(new_world, hashed=True)


class Patience:
    """What the chat does when the board is gone: here, put it back after some attempts."""

    def __init__(self, world, attempts=2):
        self.world = world
        self.left = attempts
        self.errors = []
        self.backs = 0

    def lost(self, error):
        self.errors.append(str(error))
        self.left -= 1
        if self.left <= 0:
            self.world.plugged = True
            self.world.damage = lambda data, arriving: data

    def back(self):
        self.backs += 1


def chat(world, image=None, attempts=2):
    patience = Patience(world, attempts)
    client = world.client()
    return (
        ChatSession(
            client=client,
            image=image.data if image else None,
            lost=patience.lost,
            back=patience.back,
        ),
        patience,
    )


def undisturbed(new_world, image):
    conversation, _ = chat(new_world(image))
    return [list(conversation.answer(text, COUNT, temperature=0)) for text in (b"one ", b"two ")]


def test_answers_follow_from_all_that_was_said(new_world, image):
    first, second = undisturbed(new_world, image)
    client = new_world(image).client()
    client.prompt(b"one " + bytes(first) + b"two ")
    assert [token.id for token in client.generate(COUNT, stop_blank=True)] == second


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("after", [0, 1, 250])
def test_unplugged_in_the_middle(new_world, image, reset, after):
    expected = undisturbed(new_world, image)
    world = new_world(image)
    conversation, patience = chat(world)
    got = [list(conversation.answer(b"one ", COUNT, temperature=0)), []]
    answer = conversation.answer(b"two ", COUNT, temperature=0)
    if after == 0:
        world.plugged = False
    for token in answer:
        got[1].append(token)
        if len(got[1]) == after:
            world.plugged = False
            if reset:
                world.reset()
    assert got == expected
    assert patience.backs == 1
    assert len(patience.errors) == 2


@pytest.mark.quick
def test_reset_between_two_questions(new_world, image):
    expected = undisturbed(new_world, image)
    world = new_world(image)
    conversation, patience = chat(world)
    got = [list(conversation.answer(b"one ", COUNT, temperature=0))]
    world.reset()
    got.append(list(conversation.answer(b"two ", COUNT, temperature=0)))
    assert got == expected
    assert "fell silent" in patience.errors[0]


def test_a_loaded_model_is_loaded_again(new_world, image, new_image):
    other = new_image(seed=2)
    world = new_world(image)
    conversation, _ = chat(world, other)
    assert len(list(conversation.answer(b"one ", 3, temperature=0))) == 3
    assert conversation.client.model_id == other.model_id
    world.reset()
    list(conversation.answer(b"two ", 3, temperature=0))
    assert conversation.client.model_id == other.model_id


def test_stopping_ends_an_answer(world):
    conversation, _ = chat(world)
    got = []
    for token in conversation.answer(b"x", 100_000, temperature=0):
        got.append(token)
        conversation.stopping = True
    assert conversation.reason is Reason.ABORT
    assert conversation.history == [ord("x"), *got]


def test_giving_up(world):
    conversation, _ = chat(world)

    def give_up(error):
        raise KeyboardInterrupt

    conversation._lost = give_up
    world.plugged = False
    with pytest.raises(KeyboardInterrupt):
        list(conversation.answer(b"x", 5, temperature=0))
