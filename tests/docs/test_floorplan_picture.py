# SPDX-License-Identifier: MIT
import xml.etree.ElementTree as ElementTree

import pytest

from glintfpga.boards.floorplan import FLOORPLAN
from glintfpga.boards.shipped import release_folder
from glintfpga.host.report.inputs import read_floorplan
from glintfpga.host.report.palette import color_of
from support.scripts import load_script

SVG = "{http://www.w3.org/2000/svg}"
MAX_BYTES = 200_000


@pytest.fixture(scope="module")
def script():
    return load_script("floorplan")


@pytest.fixture(scope="module")
def plan(script):
    return read_floorplan(release_folder() / script.BOARD / FLOORPLAN)


def test_is_of_the_shipped_bitstream(script, plan):
    shown = script.TARGET.read_text(encoding="utf-8")
    assert shown == f"{script.picture(plan)}\n", "run make docs"


@pytest.mark.quick
def test_shows_every_block_in_one_small_file(script, plan):
    data = script.TARGET.read_bytes()
    picture = ElementTree.fromstring(data)
    colors = [path.get("fill") for path in picture.iter(f"{SVG}path")]
    assert len(data) < MAX_BYTES
    assert sorted(colors) == sorted(map(color_of, plan.blocks))
    # A page that shows images loads nothing for them.
    assert not any("href" in name for item in picture.iter() for name in item.attrib)
