# SPDX-License-Identifier: MIT
"""What the pages show is what the commands print; the numbers of the worked token are among it."""

import pytest

from support.scripts import load_script


@pytest.fixture(scope="module")
def record():
    return load_script("record")


def test_still_prints_this(record, block):
    assert record.masked(record.rerun(block)) == record.masked(block)


def test_the_readme_and_the_worked_token_are_recordings(record):
    shown = {page: list(record.blocks(page.read_text())) for page in record.PAGES}
    assert "glintfpga chat sim:" in shown[record.DOCS.parent / "README.md"][0]
    assert "python docs/worked_token.py" in shown[record.DOCS / "how-the-chip-works.md"][0]
    assert all(record.recordings(block) for blocks in shown.values() for block in blocks)


def test_recordings(record):
    block = "$ first\nout\n\nmore\n$ silent\n$ last\nend\n"
    assert record.recordings(block) == [
        ("first", "out\n\nmore\n"),
        ("silent", ""),
        ("last", "end\n"),
    ]


def test_rerun_has_both_streams_and_one_folder(record):
    assert record.rerun("$ echo a > f; echo 'error: b  ' >&2\n$ cat f; ls\nstale\n") == (
        "$ echo a > f; echo 'error: b  ' >&2\nerror: b\n$ cat f; ls\na\ndocs\nf\n"
    )


def test_progress_of_slow_machines_is_left_out(record):
    command = "printf 'verify: 38 %%, 0:56 left\\nconnecting to sim:: 0:31\\nx: 38 of 40\\n'"
    assert record.rerun(f"$ {command}\n") == f"$ {command}\nx: 38 of 40\n"


@pytest.mark.quick
@pytest.mark.parametrize(
    ("output", "kept"),
    [
        (
            "[9 tokens; 270 tokens/s over the wire (software)]",
            "[9 tokens; N tokens/s over the wire (software)]",
        ),
        ("[9 tokens; 1,270 tokens/s on the chip (simulated)]", None),
        ("4948 bytes in 0.019 s; the", "4948 bytes in N s; the"),
        ("page.html: 315 KB, open", "page.html: N KB, open"),
        ('"largest": 10.13963220013594', '"largest": 10.139'),
        ("16.10: 1.570, 0.3075", None),
        ("200 tokens, 200 CRCs compared, 0 mismatches", None),
    ],
)
def test_masked(record, output, kept):
    assert record.masked(output) == (kept or output)
