# SPDX-License-Identifier: MIT
import random

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import memory

from glintfpga.boards.gowin.bram_signatures import (
    LOADABLE,
    MemoryContents,
    bits_of,
    dump,
    load,
    pieces_of,
    split,
)
from glintfpga.quant.errors import InputError

SHAPES = {"bank": (36, 64), "table": (48, 16), "tiny": (5, 3), "odd": (7, 40)}


class Memories(Elaboratable):
    def __init__(self, seed):
        self.random = random.Random(seed)

    def store(self, m, name, width, depth, *, attrs=None):
        words = [self.random.getrandbits(width) for _ in range(depth)]
        item = memory.Memory(shape=width, depth=depth, init=words, attrs=attrs or {})
        m.submodules[name] = item
        read = item.read_port()
        m.d.comb += read.addr.eq(self.address)
        m.d.sync += self.out.eq(self.out ^ read.data)
        return item, words

    def elaborate(self, platform):
        m = Module()
        self.address = Signal(12)
        self.out = Signal(48)
        self.words = {}
        for name, (width, depth) in SHAPES.items():
            item, self.words[name] = self.store(m, name, width, depth)
            write = item.write_port()
            m.d.comb += [write.addr.eq(self.address), write.en.eq(self.out[0])]
            m.d.comb += write.data.eq(self.out)
        _, self.words["rom"] = self.store(m, "rom", 8, 16, attrs={LOADABLE: 1})
        state, self.random = self.random, random.Random(1)
        self.store(m, "sine", 8, 16)
        self.random = state
        return m


def convert(seed):
    design = Memories(seed)
    return rtlil.convert(design, ports=[], name="top", emit_src=False), design.words


def as_words(item):
    return [sum(int(bit) << at for at, bit in enumerate(row)) for row in item.bits]


def test_contents_are_taken_out():
    text, words = convert(1)
    skeleton, contents = split(text)
    assert {name.split(".")[-1]: as_words(item) for name, item in contents.items()} == words
    assert skeleton != text


def test_the_rest_is_the_same_for_all_contents():
    first, a = split(convert(1)[0])
    second, b = split(convert(2)[0])
    assert first == second
    assert any(not np.array_equal(a[name].bits, b[name].bits) for name in a)


@pytest.mark.quick
def test_signatures_are_unique_and_in_place():
    skeleton, contents = split(convert(1)[0])
    codes = np.concatenate([item.codes().reshape(-1) for item in contents.values()])
    assert len(set(codes.tolist())) == codes.size
    assert codes.min() > 0
    again = split(skeleton)[1]
    for name, item in contents.items():
        assert np.array_equal(again[name].values(), item.codes())
        assert again[name].bits.shape[0] == item.groups * 16
    assert "memory width 5 size 16 \\tiny" in skeleton
    assert "memory width 7 size 48 \\odd" in skeleton


def test_too_many_pieces():
    depth = 1 << 17
    text = (
        f"module \\top\n  memory width 8 size {depth} \\m\n"
        '  cell $memwr_v2 $1\n    parameter \\MEMID "\\\\m"\n  end\n'
        '  cell $meminit_v2 $2\n    parameter \\MEMID "\\\\m"\n    parameter \\WIDTH 8\n'
        f"    parameter \\WORDS {depth}\n    connect \\DATA {depth * 8}'{'0' * depth * 8}\n  end\n"
    )
    with pytest.raises(InputError, match=r"^the memories hold 65536 pieces of 16 bits, only 65535"):
        split(text)


def test_pieces():
    bits = np.random.default_rng(1).integers(0, 2, (48, 5), dtype=np.uint8)
    pieces = pieces_of(bits)
    assert pieces.shape == (3, 5)
    assert pieces[1, 2] == sum(int(bits[16 + row, 2]) << row for row in range(16))
    assert np.array_equal(bits_of(pieces), bits)


def test_values_are_padded():
    item = MemoryContents(name="m", first=1, bits=np.ones((18, 2), np.uint8))
    assert item.values().tolist() == [[0xFFFF, 0xFFFF], [3, 3]]


def test_dump_and_load():
    contents = split(convert(3)[0])[1]
    text = dump(contents)
    again = load(text)
    assert dump(again) == text
    assert list(again) == list(contents)
    for name, item in contents.items():
        assert again[name].first == item.first
        assert np.array_equal(again[name].bits, item.bits)
