# SPDX-License-Identifier: MIT
import struct
import zlib

import numpy as np
import pytest

from glintfpga.quant.numbers.logit_crc import logit_crc


@pytest.mark.quick
@pytest.mark.parametrize("vocab", [2, 15, 16, 17, 257, 512])
def test_int32_padded_to_16_ids(vocab):
    logits = np.random.default_rng(vocab).integers(-(1 << 19), 1 << 19, vocab)
    data = struct.pack(f"<{vocab}i", *logits.tolist()) + bytes(-vocab % 16 * 4)
    assert logit_crc(logits) == zlib.crc32(data)


def test_known():
    assert logit_crc(np.zeros(2, np.int64)) == zlib.crc32(bytes(64)) == 0x758D6336
