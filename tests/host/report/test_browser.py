# SPDX-License-Identifier: MIT
"""The page as a browser draws it, on a desk and on a telephone."""

import html
import json
import os
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from glintfpga.boards.shipped import release_folder
from glintfpga.host.commands.report import PROMPT
from glintfpga.host.report.attention import prompt_ids
from glintfpga.host.report.inputs import read_build
from glintfpga.host.report.page import page
from glintfpga.host.report.subject import subject_of

HEIGHT = 11_000
LEAST_TEXT_PX = 9.5
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

# The page is a frame of a frame: a browser window cannot be as narrow as a telephone, and a frame
# takes its color scheme from the element around it. Scripts run outside only.
FRAME = """<!doctype html><body style="margin:0">
<iframe id="frame" srcdoc="{page}"
  style="width:{width}px;height:{height}px;border:0;display:block;color-scheme:{scheme}"></iframe>
<pre id="found"></pre>
<script>
const box = (e) => {{ const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height] }};
frame.onload = () => {{
  const view = frame.contentWindow, page = frame.contentDocument;
  const size = (e) => parseFloat(view.getComputedStyle(e).fontSize);
  const shown = (list) => [...list].filter((e) => e.getClientRects().length);
  const texts = shown(page.querySelectorAll("svg text"));
  const words = shown(page.querySelectorAll("body *:not(svg *)"));
  found.textContent = JSON.stringify({{
    dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
    width: view.innerWidth,
    scroll: page.documentElement.scrollWidth,
    height: page.documentElement.scrollHeight,
    pictures: Object.fromEntries(
      [...page.querySelectorAll("figure")].map((e) => [e.id, box(e.querySelector(".picture"))])),
    drawings: shown(page.querySelectorAll("svg")).map(box),
    texts: texts.map((e) => [box(e), box(e.ownerSVGElement)]),
    sizes: [...texts.map((e) => size(e) * e.getScreenCTM().a), ...words.map(size)],
  }});
}};
</script>"""


@pytest.fixture(scope="module")
def shipped():
    build = read_build(release_folder() / "tangnano20k")
    return page(build, subject_of(build.manifest, None), prompt_ids(PROMPT, 257))


@pytest.fixture(params=[(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")])
def drawn(request, shipped, tmp_path):
    """Width and scheme, what scripts see of the page, and its pixels."""
    if CHROMIUM is None:
        assert "CI" not in os.environ, "install the Debian package chromium"
        pytest.skip("needs chromium")
    width, scheme = request.param
    frame, picture = tmp_path / "frame.html", tmp_path / "page.png"
    frame.write_text(
        FRAME.format(page=html.escape(shipped), width=width, height=HEIGHT, scheme=scheme)
    )
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [CHROMIUM, "--headless", *sandbox, "--disable-gpu", "--hide-scrollbars",
         f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={max(width, 500)},{HEIGHT}",
         "--force-device-scale-factor=1", "--dump-dom", f"--screenshot={picture}", frame.as_uri()],
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', done.stdout)[1]))
    assert (found["width"], found["dark"]) == (width, scheme == "dark")
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("L"), np.float64)[:, :width]
    return width, scheme, found, pixels


def test_it_can_be_seen(drawn):
    width, scheme, found, pixels = drawn
    assert found["scroll"] <= width, "the page scrolls sideways"
    assert found["height"] <= HEIGHT
    assert len(found["pictures"]) == 9
    for name, (x, y, w, h) in found["pictures"].items():
        assert x >= 0 and x + w <= width and w > 0.85 * min(width, 1160) and h > 80, name
        part = pixels[int(y) : int(y + h), int(x) : int(x + w)]
        assert part.std() > 8, f"{name} is blank"
        # Neither is any band of it: what is cut off or not drawn leaves a plain strip.
        assert all(band.std() > 0.5 for band in np.array_split(part, 3)), name
    for x, y, w, h in found["drawings"]:
        assert x >= 0 and x + w <= width and pixels[int(y) : int(y + h), int(x) : int(x + w)].std()
    assert (pixels[2, 2] < 60) == (scheme == "dark")
    assert min(found["sizes"]) >= LEAST_TEXT_PX
    for (x, y, w, h), (left, top, room, depth) in found["texts"]:
        assert x >= left - 1 and x + w <= left + room + 1, "a text is cut off"
        assert y >= top - 1 and y + h <= top + depth + 1, "a text is cut off"
