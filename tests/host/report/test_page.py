# SPDX-License-Identifier: MIT
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from glintfpga.boards.shipped import release_folder
from glintfpga.host.report.attention import prompt_ids
from glintfpga.host.report.inputs import read_build
from glintfpga.host.report.page import page
from glintfpga.host.report.subject import Subject, subject_of

PICTURES = [
    "floorplan",
    "utilization",
    "cycles",
    "pass",
    "attention",
    "ranges",
    "slack",
    "timing",
    "facts",
]
HOSTILE = (
    "</style></title></svg><script>alert('1')</script>\"'><img src=x onerror=alert(1)>&\u202e\x00"
)
VOID = {"meta", "link"}


class Checked(HTMLParser):
    """Fails on elements that do not nest, and collects what there is."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def values(self, name):
        return [value for key, value in self.attributes if key == name]


@pytest.fixture(scope="module")
def shipped():
    build = read_build(release_folder() / "tangnano20k")
    return page(build, subject_of(build.manifest, None), prompt_ids("The meaning of life is ", 257))


def test_every_picture_is_there(shipped):
    assert re.findall(r'<figure id="(\w+)"', shipped) == PICTURES
    assert 'class="note"' not in shipped
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", shipped)
    assert len(captions) == len(PICTURES) and all(captions)
    build = read_build(release_folder() / "tangnano20k")
    clock, cycles = build.manifest.clock_mhz, sum(build.cycles.values())
    for text in (f"{clock * 1e6 / cycles:,.0f}", f"{clock:g} MHz", "1,087 parameters"):
        assert text in shipped
    for digest in (build.manifest.image_sha256, build.manifest.bitstream_sha256):
        assert f"<code>{digest}</code>" in shipped
    for name, version in build.tools.items():
        assert name in shipped and version in shipped


def test_pictures_have_words_for_those_who_do_not_see_them(shipped):
    for tag in re.findall(r"<svg [^>]*>", shipped):
        assert re.search(r'role="img"[^>]* aria-label="[^"]{10,}|aria-hidden="true"', tag), tag
    titles = re.findall(r'aria-labelledby="([^"]+)"', shipped)
    assert [f'id="{title}"' in shipped for title in titles] == [True] * len(PICTURES)


def test_it_needs_nothing_from_elsewhere(shipped):
    checked = Checked(shipped)
    assert not {"script", "img", "iframe", "object", "embed", "a", "form"} & set(checked.tags)
    links = checked.values("href")
    assert links.count("data:,") == 1
    assert all(link.startswith("#") for link in links if link != "data:,")
    assert not checked.values("src")
    assert not re.search(r"url\(|@import|https?:|//\w", shipped)
    assert "default-src 'none'" in checked.values("content")[0]
    ids = checked.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links if link[0] == "#"} <= set(ids)


def test_it_is_small(shipped):
    assert len(shipped.encode()) < 1_500_000


@pytest.mark.quick
def test_hostile_texts_stay_texts(new_build, timing_json):
    step = {"kind": HOSTILE, "delay_ns": 1, "cell": HOSTILE, "type": HOSTILE, "bel": HOSTILE,
            "x": 1, "y": 2, "net": HOSTILE}  # fmt: skip
    printable = HOSTILE.replace("\u202e", "").replace("\x00", "")
    folder = new_build(
        manifest={"model": printable, "part": HOSTILE, "tools": {HOSTILE: HOSTILE},
                  "board": printable, "bitstream": printable},
        report={"warnings": [HOSTILE], "cycles": {HOSTILE: 3, "logits": 5},
                "steps": [{"name": HOSTILE, "seconds": 1}],
                "timing": timing_json(grade=HOSTILE, assumed={HOSTILE: 1})},
        floorplan={"kinds": ["LUT", HOSTILE, "DFF", "BSRAM", "MULT18X18"],
                   "blocks": [HOSTILE, "norm", HOSTILE + "2"],
                   "slots": {HOSTILE: {"width": 3, "at": [[1, 2]]}},
                   "path": {"from": HOSTILE, "to": HOSTILE, "delay_ns": 1, "steps": [step]}},
    )  # fmt: skip
    build = read_build(folder)
    subject = Subject(model=None, quantized=None, missing=HOSTILE)
    made = page(build, subject, prompt_ids("<b>&", 257))
    checked = Checked(made)
    assert not {"script", "img"} & set(checked.tags)
    assert not [name for name, _ in checked.attributes if name.startswith("on")]
    assert "<script" not in made and "\u202e" not in made and "\x00" not in made
    assert made.count("&lt;script&gt;") > 10
    assert made.encode("utf-8")


def test_hostile_prompt(new_build, blink):
    build = read_build(new_build())
    subject = Subject(model=blink.model, quantized=None, missing="")
    made = page(build, subject, prompt_ids("<script>\"'&</svg>", 257))
    assert "script" not in Checked(made).tags


def test_what_is_not_at_hand_is_said(new_build):
    nothing = {"model": None, "image_sha256": None, "spec": None}
    build = read_build(
        new_build(manifest=nothing, report={"cycles": None}, floorplan={"path": None})
    )
    made = page(build, subject_of(build.manifest, None), [65])
    assert re.findall(r'<figure id="(\w+)"', made) == PICTURES
    assert made.count("The device holds no model.") == 4
    assert "There is no path." in made
    assert "tokens per second" not in made
    Checked(made)


def test_other_shapes_can_be_drawn(new_build, blink):
    build = read_build(new_build(manifest={"board": "other", "lanes": 8}))
    spec = replace(build.spec, window=20)
    model = replace(blink.model, spec=spec)
    subject = Subject(model=model, quantized=None, missing="")
    made = page(replace(build, spec=spec), subject, prompt_ids("x" * 32, 257))
    assert "--columns:20" in made and "on the other" in made
    Checked(made)
