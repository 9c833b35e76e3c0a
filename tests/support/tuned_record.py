# SPDX-License-Identifier: MIT
"""What a tuning found, for tests that only need one."""

from glintfpga.host.tuning.records import TunedBoard

__all__ = ["RECORD"]

RECORD = TunedBoard(
    board="tangnano20k",
    clock_mhz=67.5,
    next_clock_mhz=81.0,
    failed_clock_mhz=None,
    built_clock_mhz=54.0,
    bitstream_sha256="a" * 64,
    tokens=1_000_000,
    warmth="idle, 22 C",
    date="2026-01-31",
)
