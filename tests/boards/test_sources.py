# SPDX-License-Identifier: MIT
import re

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from glintfpga.boards.sources import split
from glintfpga.hdl.primitives.delay import delay


class Late(wiring.Component):
    i: In(1)
    o: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(delay(m, self.i, 2, "late"))
        return m


def convert(*, emit_src):
    m = Module()
    m.submodules.late = late = Late()
    return rtlil.convert(m, name="top", ports=[late.i, late.o], emit_src=emit_src)


@pytest.mark.quick
def test_what_is_left_does_not_depend_on_positions():
    with_positions = convert(emit_src=True)
    assert "attribute \\src" in with_positions
    assert split(with_positions)[0] == convert(emit_src=False)


def test_signals_of_the_gateware_have_a_line():
    _, sources = split(convert(emit_src=True))
    assert set(sources) >= {"late.late_1", "late.late_2"}
    assert all(
        re.fullmatch(r"hdl/primitives/delay\.py:\d+", sources[f"late.late_{n}"]) for n in (1, 2)
    )


def test_libraries_and_other_folders_have_none():
    _, sources = split(convert(emit_src=True))
    assert "late.i" not in sources  # a port: made by the library
    assert not any(place.startswith(("/", ".venv", "tests")) for place in sources.values())
