# SPDX-License-Identifier: MIT
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glintfpga.quant.errors import InputError
from glintfpga.quant.files.strict_json import parse_object
from support.damage import attempt, damaged_json

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=settings.default.max_examples // 10)
@given(st.dictionaries(st.text(), VALUES))
def test_what_was_written_comes_back(value):
    assert parse_object(json.dumps(value).encode()) == value


def test_a_byte_order_mark_is_left_out():
    assert parse_object(b'\xef\xbb\xbf{"a": "\xef\xbb\xbf"}') == {"a": "\ufeff"}


@pytest.mark.quick
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"[1]", "no JSON object"),
        (b"null", "no JSON object"),
        (b"{} x", "not JSON"),
        (b'{"a": {"b": 1, "c": 2, "b": 1}}', "'b' appears twice"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": [-Infinity]}', "-Infinity is no number"),
        (b'{"a": 1e999}', "1e999 is too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"a": "\xff"}', "not JSON"),
        ('{"a": 1}'.encode("utf-16"), "not JSON"),
        (b'{"a": ' * 100_000, "not JSON .*recursion"),
        (b'{"a": ' * 33 + b"0" + b"}" * 33, "nested more than 32 deep"),
        (b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}", "nested more than 32 deep"),
        (b'{"a\0": 1}', "not JSON"),
    ],
)
def test_refused(data, message):
    with pytest.raises(InputError, match=message):
        parse_object(data)


def test_a_late_repeat_among_many_names_is_found_at_once():
    names = b", ".join(b'"%05d": 0' % i for i in range(20_000))
    text = b"{" + names + b', "19999": 0}'
    assert attempt(lambda: parse_object(text), what="JSON", size=len(text)) is None


@given(st.randoms(use_true_random=False))
def test_damaged(rng):
    text = damaged_json(rng, {"a": 1, "b": [1.5, {"c": "d"}], "e": {"f": None}})
    attempt(lambda: parse_object(text), what="JSON", size=len(text))
