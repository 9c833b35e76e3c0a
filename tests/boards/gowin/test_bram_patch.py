# SPDX-License-Identifier: MIT
import copy

import numpy as np
import pytest

from glintfpga.boards.gowin.bram_patch import fill_memories, locate_memories, read_words
from glintfpga.boards.gowin.bram_signatures import MemoryContents, bits_of
from glintfpga.quant.errors import InputError


def contents(*shapes, seed=1):
    generator = np.random.default_rng(seed)
    found = {}
    first = 1
    for number, shape in enumerate(shapes):
        item = MemoryContents(
            name=f"top.m{number}", first=first, bits=generator.integers(0, 2, shape, np.uint8)
        )
        found[item.name] = item
        first += item.size
    return found


def block_ram(kind, words, *, columns):
    """A block RAM cell; `words` is (depth, at most columns)."""
    size = 16384 if columns in (1, 2, 4) else 18432
    bits = np.zeros((size // columns, columns), np.uint8)
    bits[: words.shape[0], : words.shape[1]] = words
    flat = "".join(map(str, bits.reshape(-1)))
    length = size // 64
    rows = {
        f"INIT_RAM_{row:02X}": flat[row * length : (row + 1) * length][::-1] for row in range(64)
    }
    return {"type": kind, "parameters": {"BIT_WIDTH_0": f"{columns:032b}", **rows}}


def lut_ram(pieces):
    parameters = {f"INIT_{at}": f"{value:016b}" for at, value in enumerate(pieces)}
    return {"type": "RAM16SDP4", "parameters": parameters}


def netlist(cells):
    return {"modules": {"top": {"cells": cells}}}


def signed(item):
    return bits_of(item.codes())


def parts(words):
    """A 1024 x 36 memory in two cells with shuffled columns, the second twice, and a LUT RAM."""
    big, small = words.values()
    order = np.random.default_rng(2).permutation(18)
    codes = small.codes()[0]
    cells = {
        "big.0.0": block_ram("DP", signed(big)[:, :18][:, order], columns=18),
        "big.0.1": block_ram("DP", signed(big)[:, 18:], columns=18),
        "big.1.1": block_ram("DP", signed(big)[:, 18:], columns=18),
        "small.0.0": lut_ram(codes[:4]),
        "small.0.1": lut_ram([*codes[4:], 0, 0]),
        "rom": block_ram("SP", np.random.default_rng(3).integers(0, 2, (512, 9)), columns=9),
    }
    for name in ("small.0.0", "small.0.1"):
        for at in range(4):
            init = cells[name]["parameters"][f"INIT_{at}"]
            cells[f"{name}_LUT{at}"] = {"type": "LUT4", "parameters": {"INIT": init}}
    return netlist(cells)


def test_fill():
    words = contents((1024, 36), (16, 6))
    design = parts(words)
    before = copy.deepcopy(design)
    placement = locate_memories(design, words)
    assert set(placement.cells) == {"big.0.0", "big.0.1", "big.1.1", "small.0.0", "small.0.1"}
    fill_memories(design, words, placement)
    again = read_words(design, words.values(), placement)
    for name, item in words.items():
        assert np.array_equal(again[name], item.bits)
    cells = design["modules"]["top"]["cells"]
    assert cells["rom"] == before["modules"]["top"]["cells"]["rom"]
    assert cells["big.0.1"] == cells["big.1.1"]
    for name in ("small.0.0", "small.0.1"):
        for at in range(4):
            init = cells[name]["parameters"][f"INIT_{at}"]
            assert cells[f"{name}_LUT{at}"]["parameters"]["INIT"] == init
    assert cells["small.0.0"]["parameters"]["INIT_2"] == f"{words['top.m1'].values()[0, 2]:016b}"
    assert placement.cells_with(words["top.m1"]) == ["small.0.0", "small.0.1"]


@pytest.mark.parametrize("columns, depth, width", [(36, 512, 30), (9, 2048, 9), (4, 4096, 4)])
def test_widths(columns, depth, width):
    words = contents((depth, width))
    (item,) = words.values()
    cell = block_ram("SDP", signed(item), columns=columns)
    design = netlist({"m": cell})
    fill_memories(design, words, locate_memories(design, words))
    direct = block_ram("SDP", item.bits, columns=columns)
    assert design["modules"]["top"]["cells"]["m"] == direct


def test_missing_piece():
    words = contents((1024, 36), (16, 6))
    design = parts(words)
    del design["modules"]["top"]["cells"]["big.0.0"]
    message = r"^memory 'top.m0' \(1024 x 36\) is not in memory cells, 1152 of 2304 pieces"
    with pytest.raises(InputError, match=message):
        locate_memories(design, words)


def test_foreign_lut_ram():
    words = contents((16, 4))
    design = netlist({"a": lut_ram(words["top.m0"].codes()[0]), "b": lut_ram([1, 2, 3, 40000])})
    with pytest.raises(InputError, match=r"^LUT RAM 'b' holds no signature"):
        locate_memories(design, words)


@pytest.mark.quick
def test_copies_must_agree():
    words = contents((1024, 36), (16, 6))
    design = parts(words)
    placement = locate_memories(design, words)
    row = design["modules"]["top"]["cells"]["big.1.1"]["parameters"]
    row["INIT_RAM_07"] = row["INIT_RAM_08"]
    with pytest.raises(InputError, match=r"^memory cell 'big.1.1' differs from its copy"):
        read_words(design, words.values(), placement)


def test_no_module():
    with pytest.raises(InputError, match=r"^the netlist has no module 'top'"):
        locate_memories({"modules": {}}, {})
