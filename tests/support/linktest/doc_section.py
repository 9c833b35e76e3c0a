# SPDX-License-Identifier: MIT
"""Generated sections of docs/link-under-fire.md, each between two comments of its name."""

import datetime
import re
from pathlib import Path

from glintfpga.host.files.named import read_bytes, write_bytes
from glintfpga.quant.errors import InputError

__all__ = ["PAGE", "write_section"]

PAGE = Path(__file__).parents[3] / "docs" / "link-under-fire.md"


def write_section(name: str, how: str, text: str, page: Path = PAGE) -> None:
    """Replace the section ``name`` by date, ``how`` it was made, and ``text``.

    Raises ``InputError`` when the page has no such section.
    """
    old = read_bytes(page, what="page").decode()
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    body = f"{start}{how}, {date}, simulated:\n\n{text.rstrip()}\n{end}"
    new, count = re.subn(
        f"{re.escape(start)}.*?{re.escape(end)}", lambda match: body, old, flags=re.DOTALL
    )
    if count != 1:
        raise InputError(f"{str(page)!r} has {count} sections {name!r}, expected one")
    write_bytes(page, new.encode())
