# SPDX-License-Identifier: MIT
"""Source lines of signals, taken out of the RTLIL, which must not depend on the checkout's path.

Amaranth writes the file and line where a signal was made beside it, as an absolute path. The build
separates the two: RTLIL without positions, which everything else is made from, and a table of
positions for the timing report.
"""

import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["SOURCES", "split"]

SOURCES = "sources.json"
_ROOT = Path(__file__).parent.parent
_FOLDERS = frozenset(("boards", "firmware", "hdl", "quant"))
_LINE = re.compile(
    r'^ *attribute \\src "(?P<file>[^"]*):(?P<line>\d+)"$'
    r"|^module \\(?P<module>\S+)$"
    r"|^ *wire .*\\(?P<wire>\S+)$"
    r"|^ *attribute .*$"
    r"|^(?P<other>.+)$"
)


def split(rtlil: str) -> tuple[str, Mapping[str, str]]:
    """The RTLIL without positions, and "folder/file.py:line" of its modules and signals.

    Names are those of the flat netlist, such as ``device.machine.core.divide.amount``, without that
    of the top.
    Only positions in our own folders are kept: what a library made is found by its module.
    """
    kept, sources = [], {}
    module, position = "", None
    for line in rtlil.split("\n"):
        match = _LINE.match(line)
        if match is None:
            kept.append(line)
        elif match["file"] is not None:
            position = _relative(match["file"], match["line"])
        else:
            kept.append(line)
            name = None
            if match["module"] is not None:
                module = match["module"].partition(".")[2]
                name = module
            elif match["wire"] is not None:
                name = f"{module}.{match['wire']}" if module else match["wire"]
            if name and position:
                sources[name] = position
            if name is not None or match["other"] is not None:
                position = None
    return "\n".join(kept), sources


def _relative(file: str, line: str) -> str | None:
    path = Path(file)
    if not path.is_relative_to(_ROOT) or path.relative_to(_ROOT).parts[0] not in _FOLDERS:
        return None
    return f"{path.relative_to(_ROOT).as_posix()}:{line}"
