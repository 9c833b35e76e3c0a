# SPDX-License-Identifier: MIT
import re
import sys
from importlib import resources

import pytest

from glintfpga.firmware.wire.messages import generate, prompt
from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.quant.errors import DeviceError
from glintfpga.sim.host import SimHost
from glintfpga.sim.idle import BAUD
from glintfpga.sim.line import SimLine
from glintfpga.sim.shipped import shipped_sim
from support.shipping import compare_sims
from support.twin_sim import TwinSim


@pytest.fixture
def pair():
    return shipped_sim(), shipped_sim()


def test_twins_do_the_same(pair):
    twin = TwinSim(*pair)
    for sim in pair:
        sim.item(BAUD).poke(len(BAUDS) - 1)
    host = SimHost(SimLine(twin, baud=BAUDS[-1]))  # type: ignore[arg-type]
    host.ask(prompt(list(b"the "), 257), generate(20))
    twin.compare_all()
    assert pair[0].cycles == pair[1].cycles == twin.cycles


@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "message"),
    [(BAUD, "after 2000 cycles"), ("service counters bytes", "'service counters bytes'")],
)
def test_a_difference_is_found(pair, name, message):
    pair[1].item(name).poke(3)
    twin = TwinSim(*pair)
    with pytest.raises(DeviceError, match=message):
        twin.put(b"\0abc\0")
        twin.run(2000)
        twin.compare_all()


def test_comparing_prints_the_ratio(capsys, monkeypatch, tmp_path):
    same = resources.files("glintfpga.sim").joinpath("sim.wasm")
    monkeypatch.setattr(compare_sims, "TOKENS", 5)
    arguments = [str(same), "--cycles", "30000", "--stimulus", "short_stimulus"]
    monkeypatch.setattr(sys, "argv", ["compare_sims", *arguments])
    assert compare_sims.main() == 0
    out = capsys.readouterr().out
    assert re.search(r"short_stimulus: \d+ cycles, no difference\n.*ratio", out)
    monkeypatch.setattr(sys, "argv", ["compare_sims", str(tmp_path / "none.wasm")])
    assert compare_sims.main() == 1
