# SPDX-License-Identifier: MIT
"""Errors a user can meet; the command line turns each into one line and an exit code."""

__all__ = ["DeviceError", "EnvironmentProblem", "GlintError", "InputError"]


class GlintError(Exception):
    """Base of all expected errors. The message is one line: what happened, value, next step."""

    exit_code = 2


class DeviceError(GlintError):
    """The device is missing, busy, silent or does not compute what it should."""

    exit_code = 1


class InputError(GlintError):
    """A file, an argument or a build input is malformed or does not fit."""

    exit_code = 2


class EnvironmentProblem(GlintError):
    """A tool, library or permission of this machine is missing or unusable."""

    exit_code = 3
