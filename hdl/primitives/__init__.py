# SPDX-License-Identifier: MIT
"""Small circuits, independent of model and protocol.

`memory` describes the memories of this chip, and has the signatures of their ports: read it
first. `delay` delays control along a pipeline; `fixed` has rounding and saturation for Amaranth
values; `multiplier` is the chip's DSP block with its registers; `byte_crc` is a CRC-32 of bytes,
built from `xor_network`, which shares terms of large XOR matrices.

Imports Amaranth, and nothing of ours.
"""
