# SPDX-License-Identifier: MIT
"""What a run of `support.cocotb_device` is to do; crosses into the simulator as a file."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Bench"]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the tests are to do. Paths are of `.glint` files."""

    lanes: int
    clk_hz: int
    baud: int
    image: str
    """The one of power-up."""
    other: str
    """The one to load, or empty: the short run, of one greedy answer."""
    text: str
    count: int
    replies: str
    """File that takes the replies to the greedy answer: a list of [op, body in hexadecimal]."""

    @classmethod
    def read(cls) -> "Bench":
        """From the file that the environment names."""
        return cls(**json.loads(Path(os.environ["GLINT_BENCH"]).read_text(encoding="utf-8")))
