# SPDX-License-Identifier: MIT
"""All checks in order; one that raises does not stop the others."""

from collections.abc import Iterator, Mapping

from glintfpga.host.doctor.board import board
from glintfpga.host.doctor.check import Check, Finding, warning
from glintfpga.host.doctor.machine import Machine
from glintfpga.host.doctor.packages import extras, python
from glintfpga.host.doctor.path import path_tools
from glintfpga.host.doctor.rights import groups, udev
from glintfpga.host.doctor.storage import build_caches, compiled_tools, disk
from glintfpga.host.doctor.tools import build_tools, flash_tool

__all__ = ["CHECKS", "examine"]

CHECKS: Mapping[str, Check] = {
    "python": python,
    "extras": extras,
    "build tools": build_tools,
    "flash tool": flash_tool,
    "PATH": path_tools,
    "board": board,
    "udev": udev,
    "groups": groups,
    "tool cache": compiled_tools,
    "build cache": build_caches,
    "disk": disk,
}
"""By the name that is shown when a check raises."""


def examine(machine: Machine, checks: Mapping[str, Check] = CHECKS) -> Iterator[Finding]:
    """The findings of all checks. A check that raises becomes a warning."""
    for name, check in checks.items():
        try:
            yield from check(machine)
        except Exception as error:  # noqa: BLE001
            text = f"this could not be checked ({type(error).__name__}: {error})"
            yield warning(name, text, "look at it yourself if glintfpga fails there")
