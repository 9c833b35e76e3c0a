# amaranth: UnusedElaboratable=no
# SPDX-License-Identifier: MIT
import random
import re

import pytest
from amaranth.back import rtlil
from amaranth.vendor import GowinPlatform

from glintfpga.hdl.primitives.multiplier import Multiplier
from support.component_bench import record


class Chip(GowinPlatform):
    """No board: just what makes it a Gowin platform."""

    part = "GW2AR-LV18QN88C8/I7"
    family = "GW2AR-18C"
    default_clk = "clk"
    resources = ()
    connectors = ()

    def __init__(self):
        pass


def gowin_text(unit):
    return rtlil.convert(unit, platform=Chip(), emit_src=False)


class TestParameters:
    @pytest.mark.parametrize(("a", "b", "primitive"), [(9, 9, 9), (9, 10, 18), (18, 18, 18)])
    def test_primitive(self, a, b, primitive):
        unit = Multiplier(a_width=a, b_width=b)
        assert (unit.a_width, unit.b_width, unit.primitive_width) == (a, b, primitive)
        assert unit.p.shape().width == a + b

    def test_too_wide(self):
        with pytest.raises(ValueError, match="operands must have at most 18 bits, not 19"):
            Multiplier(a_width=19, b_width=2)


class TestSimulation:
    @pytest.mark.quick
    @pytest.mark.parametrize(("a", "b"), [(9, 9), (12, 12), (17, 17), (18, 18), (10, 3)])
    def test_a_product_each_cycle_two_cycles_late(self, a, b):
        rng = random.Random(a)

        def ends(width):
            return [-(1 << (width - 1)), (1 << (width - 1)) - 1, 0, 1, -1]

        pairs = [(x, y) for x in ends(a) for y in ends(b)]
        pairs += [(rng.randrange(*ends(a)[:2]), rng.randrange(*ends(b)[:2])) for _ in range(200)]
        left, right = zip(*pairs, strict=True)
        got = record(Multiplier(a_width=a, b_width=b), {"a": left, "b": right}, ["p"], 227)
        assert got["p"][2:] == [x * y for x, y in pairs]


class TestGowin:
    @pytest.mark.parametrize(("width", "cell"), [(9, "MULT9X9"), (12, "MULT18X18")])
    def test_registers_of_the_primitive_are_on(self, width, cell):
        text = gowin_text(Multiplier(a_width=width, b_width=width))
        assert re.findall(r"cell \\(MULT\w+)", text) == [cell]
        settings = dict(re.findall(r"parameter (?:signed )?\\(\w+) (\S+)", text))
        on = {name for name, value in settings.items() if value == "1'1"}
        assert on == {"AREG", "BREG", "OUT_REG"}
        off = {"PIPE_REG", "ASIGN_REG", "BSIGN_REG", "SOA_REG"}
        assert all(settings[name] == "1'0" for name in off)

    @pytest.mark.parametrize("outside", ["a", "b", "p", "ab", "ap", "abp"])
    def test_registers_outside_are_flip_flops(self, outside):
        text = gowin_text(Multiplier(a_width=12, b_width=10, outside=outside))
        settings = dict(re.findall(r"parameter (?:signed )?\\(\w+) (\S+)", text))
        on = {name for name, value in settings.items() if value == "1'1"}
        names = {"a": "AREG", "b": "BREG", "p": "OUT_REG"}
        assert on == {names[name] for name in "abp" if name not in outside}
        widths = re.findall(r"cell \$dff .*?parameter \\WIDTH (\d+)", text, re.S)
        assert sorted(map(int, widths)) == sorted({"a": 18, "b": 18, "p": 22}[n] for n in outside)

    def test_no_logic_multiplies(self):
        text = gowin_text(Multiplier(a_width=12, b_width=17))
        assert "$mul" not in text
        assert "$dff" not in text

    def test_operands_are_signed_and_extended(self):
        text = gowin_text(Multiplier(a_width=12, b_width=9))
        ports = dict(re.findall(r"connect \\(\w+) (.+)", text))
        assert ports["ASIGN"] == ports["BSIGN"] == ports["CE"] == "1'1"
        assert ports["ASEL"] == ports["BSEL"] == ports["RESET"] == "1'0"
        assert "\\clk" in ports["CLK"]

    def test_elsewhere_there_is_no_primitive(self):
        text = rtlil.convert(Multiplier(a_width=12, b_width=12), emit_src=False)
        assert "MULT" not in text
        assert "$mul" in text
