# SPDX-License-Identifier: MIT
"""The checksum by which two implementations of a model are compared, position by position."""

import zlib

import numpy as np

__all__ = ["logit_crc"]


def logit_crc(logits: np.ndarray) -> int:
    """CRC-32 (IEEE) of one position's logits (vocab,), before noise: int32, little-endian, in id
    order, with zero words up to a multiple of 16 ids."""
    padded = np.zeros(-(-len(logits) // 16) * 16, "<i4")
    padded[: len(logits)] = logits
    return zlib.crc32(padded.tobytes())
