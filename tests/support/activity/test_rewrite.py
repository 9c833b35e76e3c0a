# SPDX-License-Identifier: MIT
import random
import re

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from glintfpga.sim.compiled import CompiledSim
from support import cxxrtl
from support.activity import groups
from support.activity.rewrite import rewritten
from support.activity.statements import in_order, read_design
from support.component_bench import record

INPUTS = {"a": 8, "b": 8, "address": 4, "enable": 1, "write": 1}
OUTPUTS = ("gray", "wide", "same", "stored", "counted", "half", "next_half")


class Resting(wiring.Component):
    """Parts that rest in most cycles, with all that a group has to notice.

    ``gray`` follows ``a`` bit by bit, a circle through one cell; ``stored`` is read from a memory
    that two ports write; ``wide`` takes ``b`` while enabled; ``counted`` goes on by itself once
    ``a`` was 0; ``same`` is combinational, of registers and an input; ``half`` has four bits that
    a clock drives and four that are constant, and ``next_half`` takes them up.
    """

    a: In(8)
    b: In(8)
    address: In(4)
    enable: In(1)
    write: In(1)
    gray: Out(8)
    wide: Out(100)
    same: Out(1)
    stored: Out(8)
    counted: Out(20)
    half: Out(8)
    next_half: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=16, init=range(16))
        read, low, high = memory.read_port(domain="comb"), *(memory.write_port() for _ in "ab")
        running = Signal()
        m.d.comb += [
            self.gray.eq(self.a ^ self.gray[1:]),
            self.same.eq(self.wide[:8] == self.a),
            *(read.addr.eq(self.address), self.stored.eq(read.data)),
            *(low.addr.eq(self.address[:3]), low.data.eq(self.b), low.en.eq(self.write)),
            *(high.addr.eq(Cat(self.b[:3], 1)), high.data.eq(self.gray), high.en.eq(self.enable)),
        ]
        m.d.sync += [self.half.eq((self.half ^ self.a)[:4]), self.next_half.eq(self.half ^ self.b)]
        with m.If(self.enable):
            m.d.sync += self.wide.eq(Cat(self.b, self.wide))
        with m.If(self.a == 0):
            m.d.sync += running.eq(~running)
        with m.If(running):
            m.d.sync += self.counted.eq(self.counted + self.wide[:3])
        return m


@pytest.fixture(scope="module")
def translated():
    return cxxrtl._translate_quickly(cxxrtl.rtlil_text(Resting()))


@pytest.fixture
def text(translated):
    return translated[0]


@pytest.fixture
def alone(monkeypatch):
    """Each statement is a group, so each rests as often as it can."""
    monkeypatch.setattr(groups, "LEAST_LIKENESS", 2)


@pytest.fixture
def program(translated, tmp_path):
    design, headers = translated
    command = ["g++", *cxxrtl._COMMON, *cxxrtl._NATIVE]
    return cxxrtl.NativeProgram(cxxrtl._compile(design, headers, command, tmp_path))


def held(rng, bits, cycles):
    """Values of a port, random or 0, each held for some cycles: often one, sometimes many."""
    values: list[int] = []
    while len(values) < cycles:
        values += [rng.choice((0, 1, 1)) * rng.getrandbits(bits)] * rng.choice((1, 1, 2, 5, 40))
    return values[:cycles]


def check_each_cycle(program):
    """Against Amaranth's simulator."""
    rng, cycles = random.Random(1), 3000
    played = {name: held(rng, bits, cycles) for name, bits in INPUTS.items()}
    expected = record(Resting(), played, OUTPUTS, cycles)
    sim = CompiledSim(program, clk_hz=1e6)
    inputs = [(sim.item(name), values) for name, values in played.items()]
    outputs = [(sim.item(name), expected[name]) for name in OUTPUTS]
    settled = sim.item("counted")
    for cycle in range(cycles):
        for port, values in inputs:
            port.poke(values[cycle])
        assert sim.clock_until(settled, settled.peek(), limit=0) == 0  # settles, and no more
        for port, values in outputs:
            assert port.peek() == values[cycle], (port.name, cycle)
        sim.clock()
    assert expected["counted"][-1] > 100
    assert len(set(expected["stored"])) > 16


def test_statements_by_themselves(alone, program):
    check_each_cycle(program)


def test_groups_of_statements(program):
    check_each_cycle(program)


def test_the_circle_was_one(text):
    design = read_design(text)
    statements, drivers = in_order(design)
    assert any("settled" in statement.text for statement in statements)
    assert all(place < i for i, before in enumerate(drivers) for place in before)


def test_some_bits_of_a_register_have_no_clock(text):
    statements = read_design(text).statements
    driven = [
        {n for s in statements if s.is_clocked == which for n in s.writes} for which in (0, 1)
    ]
    assert driven[0] & driven[1] == {"p_half"}


@pytest.mark.quick
def test_an_input_wakes_only_what_reads_it(alone, text):
    ports, *parts = rewritten(text).split("\n\tif (awake[0] >> ")

    def woken(name):
        """Bits of the groups that a port wakes."""
        (bits,) = re.findall(rf"if \(p_{name} != last_p_{name}\) .* (0x\w+)ull", ports)
        return int(bits, 16)

    def group(write):
        """The bit of the group with this text."""
        (part,) = (part for part in parts if write in part)
        return 1 << int(part.partition(" ")[0])

    wide, counted = group("p_wide.next = "), group("p_counted.next = ")
    assert woken("enable") & wide and woken("b") & wide
    assert not (woken("a") | woken("address") | woken("write")) & wide
    assert not any(woken(name) & counted for name in INPUTS)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace("struct p_simulated : public module {", "{"), "has 0 modules"),
        (
            lambda text: text.replace("if (posedge_p_clk)", "if (negedge_p_clk)"),
            "another clock|not clk",
        ),
    ],
)
def test_other_designs_are_refused(text, damage, message):
    with pytest.raises(ValueError, match=message):
        rewritten(damage(text))
