# SPDX-License-Identifier: MIT
import html
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.host.report.markup import Markup, element, join, shortened, visible


class Seen(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.mark.quick
@given(st.text(), st.text())
def test_no_text_leaves_its_element(content, attribute):
    seen = Seen(element("p", content, title=attribute))
    assert seen.tags == [("p", {"title": visible(attribute)})]
    assert seen.text == visible(content)


def test_markup_stays_and_text_does_not():
    assert join(Markup("<b>"), "<i>") == "<b>&lt;i&gt;"
    nested = element("a", element("b", "&"), "<")
    assert nested == "<a><b>&amp;</b>&lt;</a>"


def test_attributes():
    made = element("x", class_="c", stroke_width=0.123456, fill=None, count=3)
    assert made == '<x class="c" stroke-width="0.1235" count="3"></x>'


def test_direction_and_control_characters_are_shown():
    assert visible("a\u202eb\x00c\ud800d") == "a\ufffdb\ufffdc\ufffdd"
    assert html.escape(visible("two\nlines é")) == "two\nlines é"


def test_short_names():
    assert shortened("device.core.norm.total_DFFR_Q_29_D_ALU_SUM") == "device.core.norm.total"
    assert shortened("device.x.state_DFFRE_Q_9_passthrough_lut$") == "device.x.state"
    assert shortened("a" * 100, 21) == "a" * 10 + "…" + "a" * 10
    assert shortened("plain") == "plain"
