# SPDX-License-Identifier: MIT
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.chat_template import END_OF_TEXT, dialogue, question


def test_exchanges_are_lines():
    exchanges = [(b"Who are you?", b"A chip."), (b"Since\nwhen?\n", b" Since \r\n\n today.")]
    assert dialogue(exchanges) == b"Who are you?\nA chip.\n\nSince when?\nSince today."


@pytest.mark.parametrize("typed", [b"Hi.", b" Hi. ", b"Hi.\r", b"\nHi.\n"])
def test_what_is_typed_is_asked_as_it_was_trained(typed):
    assert question(typed) == b"Hi.\n"
    assert dialogue([(typed, b"Hello.")]).startswith(question(typed))


turns = st.binary(min_size=1).filter(bytes.strip)


@pytest.mark.quick
@given(st.lists(st.tuples(turns, turns), min_size=1))
def test_marks_stand_nowhere_else(exchanges):
    """Questions and answers can be told apart again, whatever they hold."""
    parts = dialogue(exchanges).split(END_OF_TEXT)
    assert [part.count(b"\n") for part in parts] == [1] * len(exchanges)
    assert [part.split(b"\n")[0] + b"\n" for part in parts] == [question(q) for q, _ in exchanges]
