# SPDX-License-Identifier: MIT
"""A tuned bitstream, decoded from its fuses and simulated through its pins."""

import pytest

from glintfpga.boards.catalog import board_of
from glintfpga.boards.manifest import manifest_beside
from glintfpga.firmware.wire.protocol import SelfTest
from glintfpga.host.models import image_of
from glintfpga.host.proof import stages
from glintfpga.host.tuning.retimed_file import BuiltFile
from glintfpga.sim.gowin.decode.bitstream import decode

BOARD = "tangnano20k"


@pytest.mark.slow
def test_it_computes_the_same_and_says_its_clock(build):
    said = []
    with BuiltFile(build, board=BOARD).at(94.5) as path:
        netlist = decode(path, board=board_of(BOARD)).netlist
        built_hz = manifest_beside(path, board=BOARD).retimed.built_clock_mhz * 1e6
    stage, _ = stages.prove_bitstream(
        stages.running(netlist, built_hz),
        image_of(None),
        12,
        check=lambda client: said.append((client.info.clock_hz, client.info.self_test)),
    )
    assert (stage.count, stage.difference) == (12, "")
    assert said == [(94_500_000, SelfTest.PASSED)]
