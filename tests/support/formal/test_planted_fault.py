# SPDX-License-Identifier: MIT
import pytest

from support.formal.planted_fault import with_fault

MODULE = "glintfpga.hdl.primitives.delay"


def test_a_fault_is_planted_in_a_copy_only():
    import glintfpga.hdl.primitives.delay as original

    faulty = with_fault(MODULE, "__all__ = ", "__all__ = REPLACED = ")
    assert faulty.REPLACED == original.__all__
    assert not hasattr(original, "REPLACED")


@pytest.mark.quick
@pytest.mark.parametrize("text", ["no such text", "e"])
def test_text_that_does_not_stand_exactly_once_is_refused(text):
    with pytest.raises(ValueError, match="not once"):
        with_fault(MODULE, text, "")
