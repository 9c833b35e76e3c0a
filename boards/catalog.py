# SPDX-License-Identifier: MIT
"""The boards that there are, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from glintfpga.boards.board import Board
from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.quant.errors import InputError

__all__ = ["BOARDS", "board_of"]

BOARDS: Mapping[str, Board] = MappingProxyType({TANGNANO20K.name: TANGNANO20K})


def board_of(name: str) -> Board:
    """The board of that name; ``InputError`` lists the names there are."""
    try:
        return BOARDS[name]
    except KeyError:
        raise InputError(f"unknown board {name!r}: use one of {', '.join(BOARDS)}") from None
