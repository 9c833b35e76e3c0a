# SPDX-License-Identifier: MIT
"""The proof of the shipped bitstream in a short form, and what `prove` says of damaged ones."""

import json
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from glintfpga.boards.shipped import shipped
from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.host.models import image_of
from glintfpga.host.proof.stages import (
    BOTH,
    RX,
    TX,
    check_pads,
    prove_bitstream,
    prove_icarus,
    prove_logic,
    running,
)
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.faults.patches import Reroute
from glintfpga.sim.gowin.netlist import icarus
from glintfpga.sim.gowin.netlist.bitparallel import Recording
from glintfpga.sim.gowin.netlist.flat_netlist import input_nets
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW
from glintfpga.sim.gowin.netlist.vendor import VARIABLE
from glintfpga.sim.proof.build_steps import Origin

BOARD = "tangnano20k"
FEW_CLAUSES = 6000
SELF_TEST_CYCLES = 17_500
"""The self-test at power-up is over."""

pytest.importorskip("apycula", reason="decoding needs the chip database")


@pytest.fixture(scope="module")
def decoded():
    from glintfpga.sim.gowin.decode.bitstream import decode

    with shipped(BOARD).unpacked() as path:
        return decode(path, board=TANGNANO20K)


def test_the_shipped_bitstream_equals_the_reference(decoded):
    sim = running(decoded.netlist, decoded.clock_hz)
    told = []
    stage, recording = prove_bitstream(
        sim, image_of(None), 24, check=lambda client: told.append(client.info.build_id.hex())
    )
    assert (stage.count, stage.difference) == (24, "")
    assert told == [shipped(BOARD).manifest.build_id]
    assert recording.cycles == stage.cycles > 500_000


def test_pads_are_those_of_a_device(decoded):
    check_pads(decoded.netlist)
    outputs = dict(decoded.netlist.outputs)
    fewer = {name: nets for name, nets in outputs.items() if name != "led_3__io"}
    for other in (outputs | {"ws2812_0__io": (LOW,)}, fewer):
        with pytest.raises(InputError, match="^the bitstream reads the pads clk27"):
            check_pads(replace(decoded.netlist, outputs=other))
    with pytest.raises(InputError, match="that is not a device; name one"):
        check_pads(replace(decoded.netlist, inputs={RX: (3,)}))


def at_rest(cycles):
    """A line on which nobody talks."""
    return Recording(np.array([cycles], np.uint64), np.array([], np.uint64), cycles)


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus")
def test_the_self_test_in_icarus(decoded):
    sim = running(decoded.netlist, decoded.clock_hz)
    stage = prove_icarus(sim, at_rest(SELF_TEST_CYCLES))
    assert (stage.name, stage.cycles, stage.difference) == ("icarus", SELF_TEST_CYCLES, "")
    assert stage.count > 6000
    # One LED is lit, as while it computed; every other one is after a failed self-test.
    assert [sim.peek(f"led_{number}__io") for number in range(6)] == [0, 1, 1, 1, 1, 1]


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus")
def test_the_self_test_with_the_vendors_models(decoded):
    if not (library := os.environ.get(VARIABLE)):
        pytest.skip(f"needs a copy of the vendor's library: {VARIABLE}=.../gw2a/prim_sim.v")
    sim = running(decoded.netlist, decoded.clock_hz)
    stage = prove_icarus(sim, at_rest(SELF_TEST_CYCLES), library=Path(library))
    assert (stage.name, stage.cycles, stage.difference) == ("vendor", SELF_TEST_CYCLES, "")
    assert stage.count > 6000


def test_the_self_test_ends_in_these_cycles(decoded):
    sim = running(decoded.netlist, decoded.clock_hz)
    sim.run(SELF_TEST_CYCLES)
    memories = [at for at, cell in enumerate(sim.flat.cells) if cell.kind == "BSRAM"]
    used = sim.read_bytes().astype(bool)
    flips = [
        (memories[number], 9 * int(np.flatnonzero(row)[0]))
        for number, row in enumerate(used)
        if row.any()
    ]

    def flip(sim):
        for copy, (cell, bit) in enumerate(flips, 1):
            value = sim.flat.cells[cell].parameters["INIT"] >> bit & 1
            sim.set_state(cell, bit, copy, 1 - value)

    sim.reset(mutations=[flip])
    sim.run(SELF_TEST_CYCLES)
    assert {noticed.output for noticed in sim.noticed.values()} == {"led_2__io"}


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus")
def test_one_bit_of_a_memory_is_noticed_in_icarus(decoded):
    cycles = 1000
    sim = running(decoded.netlist, decoded.clock_hz)
    sim.replay(at_rest(cycles))
    sim.reset()
    sim.run(cycles)
    memories = [cell for cell in sim.flat.cells if cell.kind == "BSRAM"]
    number, byte = (int(at) for at in np.argwhere(sim.read_bytes())[-1])
    cell = memories[number]
    flipped = {"INIT": cell.parameters["INIT"] ^ 1 << 9 * byte}
    cells = [
        replace(one, parameters=one.parameters | flipped) if one.name == cell.name else one
        for one in decoded.netlist.cells
    ]
    fault = replace(decoded.netlist, cells=tuple(cells))
    stage = prove_icarus(sim, at_rest(cycles), netlist=fault)
    assert stage.difference.startswith("differs from the bitstream in cycle ")
    assert cell.name in stage.difference


def test_one_entry_of_a_table_differs_in_some_state(decoded):
    """Against the chip itself as the netlist that it was placed from."""
    netlist = decoded.netlist
    at, cell = next(
        (at, cell)
        for at, cell in enumerate(netlist.cells)
        if cell.kind == "LUT4" and min(input_nets(cell)) > HIGH and len(set(input_nets(cell))) == 4
    )
    other = replace(cell, parameters={"INIT": cell.parameters["INIT"] ^ 1 << 9})
    fault = replace(netlist, cells=(*netlist.cells[:at], other, *netlist.cells[at + 1 :]))
    places = {one.name: one.name for one in netlist.cells}
    origin = Origin(synthesized=netlist, places=places, heads_patched=0)
    stage = prove_logic(running(fault, decoded.clock_hz), origin)
    assert (stage.name, stage.cycles) == ("logic", 0) and stage.count > 10_000
    assert stage.difference.startswith("differs from the netlist at X")
    assert "any state" in str(stage)


def test_faults_are_noticed(decoded, monkeypatch):
    """The short form: one conversation, and few of the clauses, which would take minutes."""
    from glintfpga.sim.gowin.faults import campaign as module
    from glintfpga.sim.gowin.faults.campaign import campaign
    from glintfpga.sim.stimulus.conversations import short_stimulus

    every = module.candidates
    monkeypatch.setattr(module, "candidates", lambda *given: every(*given)[:FEW_CLAUSES])
    stimulus = partial(short_stimulus, image=image_of(None), tokens=16)
    result = campaign(decoded, [stimulus], 60, line=(RX, TX), idle_s=0.001)
    counts = result.counts()
    assert sum(sum(row.values()) for row in counts.values()) == len(result.mutants) == 60
    assert counts["routing"]["noticed"] + counts["routing"]["refused"] >= 11
    assert counts["wire"]["noticed"] >= 4
    assert counts["logic"]["noticed"] >= 5
    assert counts["logic"]["equal"] >= 1
    left = sum(row["silent"] + row["unexercised"] for row in counts.values())
    assert 0 < result.found_by_logic <= left
    assert json.dumps(result.facts())


def test_a_dead_line_is_a_difference(decoded):
    sim = running(decoded.netlist, decoded.clock_hz)
    (tx,) = sim.flat.netlist.outputs["uart_0__tx__io"]
    driver = next(cell for cell in sim.flat.cells if cell.ports.get("Q") == (tx,))
    stuck = partial(Reroute(driver.name, 0, LOW).apply, copy=0)

    class Cut:
        """The chip with its line held low, however often it is powered up."""

        def __getattr__(self, name):
            return getattr(sim, name)

        def reset(self, **_):
            sim.reset(floating=BOTH, mutations=[stuck])

    stage, _ = prove_bitstream(Cut(), image_of(None), 10, check=lambda client: None)
    assert (stage.count, stage.difference) == (0, "it is silent since cycle 0")


def test_the_command_on_the_shipped_bitstream(command, tmp_path, monkeypatch):
    monkeypatch.setattr(icarus, "available", lambda: False)
    monkeypatch.delenv(VARIABLE, raising=False)
    out = tmp_path / "figures.json"
    status, said, _ = command("prove", "--shipped", "--tokens", 4, "--out", out)
    proof = json.loads(out.read_text())
    assert status == 0
    assert b"icarus     left out: iverilog is not on PATH\n" in said
    assert proof["left_out"]["icarus"] == "iverilog is not on PATH"
    why = f"needs a copy of the vendor's library, by --vendor FILE or {VARIABLE}"
    assert f"vendor     left out: {why}\n".encode() in said
    assert proof["left_out"]["vendor"] == why
    assert proof["bitstream_sha256"] == shipped(BOARD).manifest.bitstream_sha256
    assert (proof["self_test"], proof["differences"]) == ("PASSED", 0)
    assert {"RTL", "bitstream"} <= {stage["name"] for stage in proof["stages"]}


@pytest.mark.parametrize("way", ["option", "variable"])
@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot read"), (b"module GSR; endmodule\n", "has no module 'MULT9X9'")],
)
def test_a_wrong_library_is_told_before_anything_runs(
    command, tmp_path, monkeypatch, way, content, said
):
    path = tmp_path / "prim_sim.v"
    if content is not None:
        path.write_bytes(content)
    if way == "variable":
        monkeypatch.setenv(VARIABLE, str(path))
    options = ["--vendor", path] if way == "option" else []
    status, out, err = command("prove", "--shipped", *options)
    assert (status, out) == (2, b"")
    last = err.splitlines()[-1]
    assert last.startswith("error: ") and said in last and "prim_sim.v" in last


def test_shipped_and_named_exclude_each_other(command, tmp_path):
    status, out, err = command("prove", tmp_path / "blink.fs", "--shipped")
    assert (status, out) == (2, b"")
    assert "not both" in err.splitlines()[-1]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "content", "code"),
    [("gone.fs", None, 2), ("empty.fs", b"", 2), ("noise.fs", bytes(range(256)) * 40, 2)],
)
def test_what_is_no_bitstream(command, tmp_path, name, content, code):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    status, out, err = command("prove", path)
    assert (status, out) == (code, b"")
    assert err.splitlines()[-1].startswith("error: ")
    assert "unexpected" not in err
    assert not (tmp_path / "proof.json").exists()
