# SPDX-License-Identifier: MIT
"""Colors of the blocks, the same in every picture; all are drawn on the dark of the die.

Blocks of one family share a hue and differ in lightness: lanes blue, vector arithmetic green,
control red, sampling orange to yellow, link and commands violet. For full color vision as for
deuteranopia, protanopia and tritanopia (matrices of Machado, Oliveira and Fernandes, 2009) any two
are at least 18 apart in CIELAB; lanes only take turns with two blues. Color never stands alone:
names are written on the floorplan, and its key draws each block by itself.
"""

__all__ = ["BLOCKS", "LANES", "STEPS", "color_of"]

LANES = ("#5382d0", "#6397ee")
BLOCKS = {
    "softmax": "#33c392",
    "norm": "#77ffb3",
    "rope": "#b5e97b",
    "residual": "#0c5b44",
    "sequencer": "#d9614c",
    "core": "#7c7c7f",
    "sampler": "#e19138",
    "noise": "#ffe648",
    "logit CRC": "#803b13",
    "link": "#d4b9fd",
    "UART": "#e0abcd",
    "commands": "#ba0895",
    "loader": "#603fc6",
    "board": "#f5f5f5",
}
_UNKNOWN = "#7c7c7f"

STEPS = {
    "embed": BLOCKS["residual"],
    "norm and q, k, v": BLOCKS["norm"],
    "attention": BLOCKS["softmax"],
    "feed-forward": LANES[1],
    "logits": BLOCKS["sampler"],
}
"""Colors of the steps of a token, by the block that is busiest in them."""


def color_of(block: str) -> str:
    """Color of a block; unknown names are gray."""
    lane = block.removeprefix("lane ")
    if lane != block and lane.isdecimal():
        return LANES[int(lane[-3:]) % len(LANES)]
    return BLOCKS.get(block, _UNKNOWN)
