# SPDX-License-Identifier: MIT
"""Fixtures of the small device."""

from support.swapper import swapper, swapper_component, swapper_library

__all__ = ["swapper", "swapper_component", "swapper_library"]
