# SPDX-License-Identifier: MIT
"""`verify` notices a single wrong bit in the memories of the gateware."""

import pytest

from glintfpga.firmware.blink.layout import Layout
from glintfpga.sim import line as sim_line
from glintfpga.sim.shipped import shipped_sim
from support.shipping.rebuild_sim import CONFIG, default_image

BIT = 7


def places():
    """Name: (bank, logical row) of rows that each run reads."""
    layout = Layout.of(default_image().model)
    first = layout.passes[0]
    return {
        "query": ("dot_bank", first.qkv + 8),
        "down": ("sum_bank", first.down),
        "output": ("dot_bank", layout.out_base + ord("e")),
    }


@pytest.fixture
def flip(monkeypatch):
    """Makes ``sim:`` a device with one bit of its memories turned over after power-up."""

    def prepare(place):
        bank, row = places()[place]
        sim = shipped_sim()
        item = sim.item(f"machine core lane{row % CONFIG.lanes} {bank}")
        before = item.peek(row // CONFIG.lanes)
        item.poke(before ^ 1 << BIT, row // CONFIG.lanes)
        assert item.peek(row // CONFIG.lanes) == before ^ 1 << BIT
        monkeypatch.setattr(sim_line, "shipped_sim", lambda: sim)

    return prepare


@pytest.mark.parametrize("place", ["query", "down", "output"])
def test_one_flipped_bit_is_found(command, flip, place):
    flip(place)
    code, out, err = command("verify", "sim:", "--tokens", 20)
    assert code == 1, (out, err)
    assert b" 0 mismatches" not in out


def test_without_it_all_is_equal(command):
    code, out, _ = command("verify", "sim:", "--tokens", 20)
    assert code == 0
    assert b" 0 mismatches" in out
