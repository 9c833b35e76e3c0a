# SPDX-License-Identifier: MIT
import json
import random

import pytest

from glintfpga.quant.errors import DeviceError, InputError
from support import damage
from support.damage import MAX_PEAK_BYTES, TALLY, attempt, damaged, damaged_json

GOOD = bytes(range(256))


@pytest.fixture(autouse=True)
def tally(monkeypatch):
    """These attempts are no part of what the run prints."""
    monkeypatch.setattr(damage, "TALLY", {})
    return damage.TALLY


def raising(error):
    def parse():
        raise error

    return parse


def test_damage_is_damage_and_repeats():
    made = [damaged(random.Random(seed), GOOD) for seed in range(300)]
    assert made == [damaged(random.Random(seed), GOOD) for seed in range(300)]
    assert sum(data != GOOD for data in made) > 290
    assert min(map(len, made)) < 20 and max(map(len, made)) > 256
    assert all(isinstance(damaged(random.Random(seed), b""), bytes) for seed in range(50))


def test_damaged_json_is_mostly_still_json():
    kinds = set()
    for seed in range(1000):
        text = damaged_json(random.Random(seed), {"a": 1, "b": [{"c": None}]})
        try:
            kinds.add(type(json.loads(text)))
        except (ValueError, RecursionError) as error:
            kinds.add(type(error))
    assert kinds >= {dict, ValueError, RecursionError}


def test_attempts_are_counted(tally):
    assert attempt(lambda: 7, what="x", size=3) == 7
    assert attempt(raising(InputError("no: try again")), what="x", size=4) is None
    assert attempt(raising(DeviceError("no")), what="y", size=0) is None
    assert (tally["x"].attempts, tally["x"].refused, tally["x"].octets) == (2, 1, 7)
    assert str(tally["y"]).startswith("1 attempts, 1 refused, 0 bytes, ")
    assert TALLY is not tally


@pytest.mark.quick
@pytest.mark.parametrize("message", ["", "two\nlines", "\x1b[2J", "x" * 701])
def test_what_is_no_line_is_a_failure(message):
    with pytest.raises(AssertionError, match="not one line of text"):
        attempt(raising(InputError(message)), what="x", size=0)


def test_other_errors_pass_through():
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: 1 / 0, what="x", size=0)


def test_memory_and_time_are_bounded(monkeypatch):
    with pytest.raises(AssertionError, match="9 bytes of input took"):
        attempt(lambda: len(bytes(MAX_PEAK_BYTES + 1)), what="x", size=9)
    monkeypatch.setattr(damage, "MAX_SECONDS", 0.0)
    with pytest.raises(AssertionError, match="9 bytes of input took"):
        attempt(lambda: sum(range(100_000)), what="x", size=9)
