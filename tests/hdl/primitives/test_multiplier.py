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


def settings_of(text):
    """Of the one multiplier: its parameters that are registers, by whether they are on."""
    settings = dict(re.findall(r"parameter (?:signed )?\\(\w+_?REG) (\S+)", text))
    assert set(settings.values()) <= {"1'0", "1'1"}
    return {name: value == "1'1" for name, value in settings.items()}


both_cycles = pytest.mark.parametrize("cycles", [1, 2])


class TestParameters:
    @pytest.mark.parametrize(("a", "b", "primitive"), [(9, 9, 9), (9, 10, 18), (18, 18, 18)])
    def test_primitive(self, a, b, primitive):
        unit = Multiplier(a_width=a, b_width=b)
        assert (unit.a_width, unit.b_width, unit.primitive_width) == (a, b, primitive)
        assert unit.p.shape().width == a + b

    def test_two_cycles_unless_told(self):
        assert Multiplier(a_width=9, b_width=9).cycles == 2

    @pytest.mark.parametrize("cycles", [0, 3])
    def test_cycles(self, cycles):
        with pytest.raises(ValueError, match=f"cycles must be 1 or 2, not {cycles}"):
            Multiplier(a_width=9, b_width=9, cycles=cycles)

    def test_too_wide(self):
        with pytest.raises(ValueError, match="operands must have at most 18 bits, not 19"):
            Multiplier(a_width=19, b_width=2)


class TestSimulation:
    @pytest.mark.quick
    @both_cycles
    @pytest.mark.parametrize(("a", "b"), [(9, 9), (12, 12), (17, 17), (18, 18), (10, 3)])
    def test_a_product_each_cycle(self, a, b, cycles):
        rng = random.Random(a)

        def ends(width):
            return [-(1 << (width - 1)), (1 << (width - 1)) - 1, 0, 1, -1]

        pairs = [(x, y) for x in ends(a) for y in ends(b)]
        pairs += [(rng.randrange(*ends(a)[:2]), rng.randrange(*ends(b)[:2])) for _ in range(200)]
        left, right = zip(*pairs, strict=True)
        unit = Multiplier(a_width=a, b_width=b, cycles=cycles)
        got = record(unit, {"a": left, "b": right}, ["p"], len(pairs) + cycles)
        assert got["p"][cycles:] == [x * y for x, y in pairs]


class TestGowin:
    @both_cycles
    @pytest.mark.parametrize(("width", "cell"), [(9, "MULT9X9"), (12, "MULT18X18")])
    def test_registers_are_flip_flops_outside(self, width, cell, cycles):
        text = gowin_text(Multiplier(a_width=width, b_width=width - 2, cycles=cycles))
        assert re.findall(r"cell \\(MULT\w+)", text) == [cell]
        assert set(settings_of(text)) == {
            *("AREG", "BREG", "OUT_REG", "PIPE_REG", "ASIGN_REG", "BSIGN_REG", "SOA_REG")
        }
        assert not any(settings_of(text).values())
        widths = re.findall(r"cell \$dff .*?parameter \\WIDTH (\d+)", text, re.S)
        products = [2 * width - 2] * (cycles - 1)
        assert sorted(map(int, widths)) == sorted([width, width - 2, *products])

    def test_apart_begins_with_ones(self):
        """So that synthesis does not merge its registers with those of another."""
        for apart, digit in ((False, "0"), (True, "1")):
            text = gowin_text(Multiplier(a_width=12, b_width=10, apart=apart))
            begins = re.findall(r"attribute \\init (?:12|10)'([01]+)", text)
            assert sorted(begins) == [digit * 10, digit * 12]

    @both_cycles
    def test_no_logic_multiplies(self, cycles):
        assert "$mul" not in gowin_text(Multiplier(a_width=12, b_width=17, cycles=cycles))

    def test_operands_are_signed_and_extended(self):
        text = gowin_text(Multiplier(a_width=12, b_width=9))
        ports = dict(re.findall(r"connect \\(\w+) (.+)", text))
        assert ports["ASIGN"] == ports["BSIGN"] == ports["CE"] == "1'1"
        assert ports["ASEL"] == ports["BSEL"] == ports["RESET"] == "1'0"
        assert "\\clk" in ports["CLK"]

    @both_cycles
    def test_elsewhere_there_is_no_primitive(self, cycles):
        text = rtlil.convert(Multiplier(a_width=12, b_width=12, cycles=cycles), emit_src=False)
        assert "MULT" not in text
        assert "$mul" in text
        assert text.count("cell $dff ") == 1 + cycles

    def test_in_logic_there_is_none_either(self):
        text = gowin_text(Multiplier(a_width=12, b_width=12, cycles=1, in_logic=True))
        assert "MULT" not in text
        assert "$mul" in text
