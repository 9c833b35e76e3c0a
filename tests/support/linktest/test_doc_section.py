# SPDX-License-Identifier: MIT
import pytest

from glintfpga.quant.errors import InputError
from support.linktest.doc_section import PAGE, write_section


def test_one_section_is_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- a -->\nold\n<!-- end of a -->\nbetween\n<!-- b -->\n<!-- end of b -->\n"
    )
    write_section("a", "`command`", "new\n", page)
    text = page.read_text()
    assert "old" not in text and "\nnew\n<!-- end of a -->\nbetween\n" in text
    assert "`command`, 20" in text and "simulated:" in text
    write_section("a", "`command`", "newer", page)
    assert page.read_text().count("`command`") == 1


@pytest.mark.quick
def test_no_section(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("text")
    with pytest.raises(InputError, match="has 0 sections 'a'"):
        write_section("a", "how", "text", page)


def test_the_page_has_the_sections():
    text = PAGE.read_text()
    for name in ("ref:", "sim:", "soak"):
        assert text.count(f"<!-- {name} -->\n") == text.count(f"<!-- end of {name} -->") == 1
