# SPDX-License-Identifier: MIT
"""Links, commands, targets and files that the pages name are there."""

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from glintfpga.host.cli import cli

ROOT = Path(__file__).parents[2]
URLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
OURS = re.compile(rf"{re.escape(URLS['Homepage'])}/(?:blob|raw)/main/")
"""How README.md names a file of this folder, as an index of packages shows it too."""
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LINK = re.compile(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
CODE = re.compile(r"^```.*?^```$|(?:^ {4}[^\n]*\n)+|`[^`\n]+`", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(?:^|[\s|`(&;])((?:\.venv/bin/)?glintfpga(?: [^|`\n;&#<>)]*)?)")
TOOL = re.compile(r"((?:PYTHONPATH=\S+ )?)python3? -m (\w[\w.]*)")
TARGET = re.compile(r"(?:^|[\s`])make ([a-z][\w-]*)")
FOLDERS = "boards|docs|firmware|hdl|host|quant|sim|tests|train"
FILE = re.compile(rf"(?:^|[\s`(])((?:\.ci/[\w.]*\w)|(?:(?:{FOLDERS})/[\w./-]*\w))")


def pages(pattern):
    """Page and match of everything that a function finds in the pages."""
    return [
        pytest.param(page, found, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, found in enumerate(dict.fromkeys(pattern(page.read_text(encoding="utf-8"))))
    ]


def links(text):
    """Paths from the page, and from this folder those that begin with /."""
    found = [OURS.sub("/", a or b) for a, b in LINK.findall(CODE.sub("", text))]
    return [link for link in found if "://" not in link]


def code(text):
    return "\n".join(match[0] for match in CODE.finditer(text))


def commands(text):
    """Command lines as words, without what a recording printed, and whether they are to be run:
    in running text a command's name alone may speak of it."""
    for block in CODE.findall(text):
        lines = block.splitlines()
        if block.startswith("```console"):
            lines = [line for line in lines if line.startswith("$ ")]
        for line in lines:
            for command in COMMAND.findall(line):
                words = tuple(shlex.split(command, comments=True))[1:]
                yield words, len(words) > 1 or not block.startswith("`") or block.startswith("```")


def tools(text):
    return [match for match in TOOL.findall(code(text)) if match[1] != "venv"]


def targets(text):
    return TARGET.findall(code(text))


def files(text):
    recorded = re.sub(r"^```console.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return FILE.findall(code(recorded))


def anchors(text):
    """Names that a code-hosting page gives the headings."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def parse(words):
    """Let click parse a command line without running it."""
    group, arguments = cli, list(words)
    context = cli.make_context("glintfpga", arguments)
    while isinstance(group, click.Group) and (rest := [*context._protected_args, *context.args]):
        name, group, rest = group.resolve_command(context, rest)
        context = group.make_context(name, rest, parent=context)


@pytest.mark.parametrize(("page", "link"), pages(links))
def test_link(page, link):
    path, _, anchor = link.partition("#")
    start = ROOT if path.startswith("/") else page.parent
    target = (start / path.lstrip("/")).resolve() if path else page
    assert target.is_relative_to(ROOT) and target.exists()
    if anchor:
        assert anchor in anchors(target.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("page", "line"), pages(commands))
def test_command_line(page, line):
    words, to_run = line
    try:
        parse(words)
    except click.MissingParameter:
        assert not to_run


@pytest.mark.parametrize(("page", "line"), pages(tools))
def test_tool(page, line):
    """Tools that are run as modules of ours need the folder that they are found in."""
    prefix, module = line
    assert (prefix.strip() == "PYTHONPATH=tests") == module.startswith("support.")
    if prefix:
        assert (ROOT / "tests" / module.replace(".", "/")).with_suffix(".py").is_file()


@pytest.mark.parametrize(("page", "target"), pages(targets))
def test_make_target(page, target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("page", "name"), pages(files))
def test_file(page, name):
    assert (ROOT / name).exists()


def test_the_readme_has_links_that_work_anywhere():
    found = links((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(found) > 8
    assert all(link.startswith("/") for link in found)


def test_addresses_of_the_project():
    assert all(url.startswith(URLS["Homepage"]) for url in URLS.values())
    for name in ("Documentation", "Changelog"):
        assert (ROOT / OURS.sub("", URLS[name])).is_file()


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    linked = {link.partition("#")[0] for link in links(index)}
    assert linked == {page.name for page in PAGES[1:] if page.name != "README.md"}


@pytest.mark.quick
@pytest.mark.parametrize(
    "words", [("chatt",), ("chat", "--byte", "5", "x"), ("quantize",), ("data", "nothing")]
)
def test_wrong_command_lines_are_noticed(words):
    with pytest.raises(click.UsageError):
        parse(words)


def test_what_is_found_in_a_page():
    text = (
        f"# A `b` c\n\n[a](x.md#y) and [b](https://c) and [d]({URLS['Homepage']}/blob/main/d.md) "
        "`make all` make nothing\n\n"
        "    printf 'a' | glintfpga chat sim: --bytes 3   # says\n\n"
        "Then `glintfpga load`.\n\n```console\n$ glintfpga doctor > f\nglintfpga printed\n```\n"
    )
    assert links(text) == ["x.md#y", "/d.md"]
    assert targets(text) == ["all"]
    assert list(commands(text)) == [
        (("chat", "sim:", "--bytes", "3"), True),
        (("load",), False),
        (("doctor",), True),
    ]
    assert anchors(text) == {"a-b-c"}
