# SPDX-License-Identifier: MIT
"""Both ends of the wire say, byte for byte, what they said when tests/golden/ was recorded."""

import pytest

from support.transcripts import CONVERSATIONS, read, replay_device, replay_host


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_device(name):
    events = read(name)
    assert replay_device(events) == [event for event in events if event[1] == "device"]


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_host(name):
    events = read(name)
    assert replay_host(events) == [event for event in events if event[1] in ("host", "reply")]
