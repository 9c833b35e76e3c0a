# SPDX-License-Identifier: MIT
"""The stream cipher Trivium (De Cannière and Preneel, eSTREAM) as a random number generator.

It needs few gates and its next 64 bits depend only on the current state, so gateware of any width
makes the same stream. Standard library only.
"""

import struct

__all__ = ["KEY_BYTES", "WARM_UP_BITS", "Trivium", "seed_key"]

KEY_BYTES = 10
WARM_UP_BITS = 1152
"""Bits thrown away after keying: four turns of the 288-bit state."""

_MASK_A, _MASK_B, _MASK_C = (1 << 93) - 1, (1 << 84) - 1, (1 << 111) - 1
_MASK_64 = (1 << 64) - 1


def seed_key(seed: int) -> bytes:
    """Key of a 64-bit seed: the seed, little-endian, then two zero bytes.

    Raises ``ValueError`` for a seed outside ``0..2**64 - 1``.
    """
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"seed must be in 0..2**64 - 1, not {seed!r}")
    return seed.to_bytes(8, "little") + bytes(2)


class Trivium:
    """Keystream of ``key`` (10 bytes) with IV 0, as bits, words or one integer.

    With the key as a little-endian 80-bit number k, bit 0 of k is s80 of the specification and
    bit 79 is s1; this is how eSTREAM reads the ten bytes of its test vectors. Keystream bits are
    handed out most significant first: the first one is the top bit of the first word. (eSTREAM
    prints the same bits as bytes filled from the least significant bit.)

    State: the registers ``s1..s93``, ``s94..s177``, ``s178..s288`` are three integers with the
    newest bit, the one of the lowest number, in bit 0.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"key must be {KEY_BYTES} bytes, not {len(key)!r}")
        self._a = int(f"{int.from_bytes(key, 'little'):080b}"[::-1], 2)
        self._b = 0
        self._c = 0b111 << 108
        self._left = 0
        self._left_bits = 0
        self._blocks(WARM_UP_BITS // 64)

    def _blocks(self, count: int) -> bytes:
        """The next ``64 * count`` bits.

        Tap s[i] of 64 consecutive steps is the 64 bits from bit ``i - 64`` of its register up.
        """
        a, b, c = self._a, self._b, self._c
        blocks = []
        for _ in range(count):
            t1 = (a >> 2) ^ (a >> 29)
            t2 = (b >> 5) ^ (b >> 20)
            t3 = (c >> 2) ^ (c >> 47)
            blocks.append((t1 ^ t2 ^ t3) & _MASK_64)
            t1 ^= ((a >> 27) & (a >> 28)) ^ (b >> 14)
            t2 ^= ((b >> 18) & (b >> 19)) ^ (c >> 23)
            t3 ^= ((c >> 45) & (c >> 46)) ^ (a >> 5)
            a = (a << 64 | (t3 & _MASK_64)) & _MASK_A
            b = (b << 64 | (t1 & _MASK_64)) & _MASK_B
            c = (c << 64 | (t2 & _MASK_64)) & _MASK_C
        self._a, self._b, self._c = a, b, c
        return struct.pack(f">{count}Q", *blocks)

    def bits(self, count: int) -> int:
        """The next ``count`` bits as one integer; the first bit is the most significant."""
        need = max(0, count - self._left_bits)
        blocks = -(-need // 64)
        value = self._left << (64 * blocks) | int.from_bytes(self._blocks(blocks), "big")
        self._left_bits += 64 * blocks - count
        self._left = value & ((1 << self._left_bits) - 1)
        return value >> self._left_bits

    def octets(self, count: int) -> bytes:
        """The next ``8 * count`` bits, first bit at the top of the first byte.

        Much faster than `bits` for long runs that start and end at multiples of 64 bits.
        """
        if self._left_bits or count % 8:
            return self.bits(8 * count).to_bytes(count, "big")
        return self._blocks(count // 8)

    def words16(self, count: int) -> list[int]:
        """The next ``16 * count`` bits as words of 16, each most significant bit first."""
        return list(struct.unpack(f">{count}H", self.octets(2 * count)))
