# SPDX-License-Identifier: MIT
"""The proof of the shipped bitstream in a short form, and what `prove` says of damaged ones."""

import json
from functools import partial

import pytest

from glintfpga.boards.shipped import shipped
from glintfpga.host.models import image_of
from glintfpga.host.prove import BOTH, prove_bitstream, running
from glintfpga.sim.proof.mutants import reroute
from glintfpga.sim.proof.netlist import LOW

BOARD = "tangnano20k"

pytest.importorskip("apycula", reason="decoding needs the chip database")


@pytest.fixture(scope="module")
def decoded():
    from glintfpga.sim.decode.bitstream import decode

    with shipped(BOARD).unpacked() as path:
        return decode(path)


def test_the_shipped_bitstream_equals_the_reference(decoded):
    sim = running(decoded.netlist, decoded.clock_hz)
    told = []
    stage, recording = prove_bitstream(
        sim, image_of(None), 24, check=lambda client: told.append(client.info.build_id.hex())
    )
    assert (stage.count, stage.difference) == (24, "")
    assert told == [shipped(BOARD).manifest.build_id]
    assert recording.cycles == stage.cycles > 500_000


def test_faults_are_noticed(decoded):
    from glintfpga.sim.proof.campaign import campaign
    from glintfpga.sim.proof.talks import short_talk

    result = campaign(decoded, [partial(short_talk, image=image_of(None), tokens=16)], 60)
    counts = result.counts()
    assert sum(sum(row.values()) for row in counts.values()) == len(result.mutants) == 60
    assert counts["routing"]["noticed"] + counts["routing"]["refused"] >= 11
    assert counts["wire"]["noticed"] >= 4
    assert counts["logic"]["noticed"] >= 6
    assert json.dumps(result.facts())


def test_a_dead_line_is_a_difference(decoded):
    sim = running(decoded.netlist, decoded.clock_hz)
    (tx,) = sim.tables.netlist.outputs["uart_0__tx__io"]
    driver = next(cell for cell in sim.tables.cells if cell.ports.get("Q") == (tx,))
    stuck = partial(reroute, lane=0, cell=driver.name, pin=0, net=LOW)

    class Cut:
        """The chip with its line held low, however often it is powered up."""

        def __getattr__(self, name):
            return getattr(sim, name)

        def reset(self, **_):
            sim.reset(floating=BOTH, mutations=[stuck])

    stage, _ = prove_bitstream(Cut(), image_of(None), 10, check=lambda client: None)
    assert (stage.count, stage.difference) == (0, "it is silent since cycle 0")


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
