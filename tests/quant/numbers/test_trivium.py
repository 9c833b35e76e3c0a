# SPDX-License-Identifier: MIT
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glintfpga.quant.numbers.trivium import Trivium, seed_key


def specification_bits(key, count):
    """The specification's pseudocode, one bit at a time, with its numbering from 1."""
    s = [0] * 289
    for i in range(80):
        s[80 - i] = key[i // 8] >> i % 8 & 1
    s[286] = s[287] = s[288] = 1
    out = []
    for step in range(4 * 288 + count):
        t1, t2, t3 = s[66] ^ s[93], s[162] ^ s[177], s[243] ^ s[288]
        if step >= 4 * 288:
            out.append(t1 ^ t2 ^ t3)
        t1 ^= s[91] & s[92] ^ s[171]
        t2 ^= s[175] & s[176] ^ s[264]
        t3 ^= s[286] & s[287] ^ s[69]
        s = [0, t3, *s[1:93], t1, *s[94:177], t2, *s[178:288]]
    return out


def estream_bytes(stream, count):
    return bytes(int(f"{octet:08b}"[::-1], 2) for octet in stream.octets(count))


@pytest.mark.quick
def test_estream_vector():
    # eSTREAM's test vectors, 80-bit key and IV, set 1, vector 0.
    stream = Trivium(bytes.fromhex("80000000000000000000"))
    expected = bytes.fromhex("38EB86FF730D7A9CAF8DF13A4420540D")
    assert estream_bytes(stream, 16) == expected


@pytest.mark.parametrize("key", [bytes(10), bytes(range(1, 11)), b"\xff" * 10, seed_key(1)])
def test_matches_the_specification_bit_by_bit(key):
    expected = int("".join(map(str, specification_bits(key, 1000))), 2)
    assert Trivium(key).bits(1000) == expected


@given(st.lists(st.integers(0, 300), max_size=12))
def test_pieces_join_up(counts):
    whole = Trivium(seed_key(7)).bits(sum(counts))
    stream = Trivium(seed_key(7))
    joined = 0
    for count in counts:
        joined = joined << count | stream.bits(count)
    assert joined == whole


def test_first_bit_is_the_top_bit_of_the_first_word():
    bits = Trivium(seed_key(3)).bits(160)
    words = Trivium(seed_key(3)).words16(10)
    assert words == [bits >> (144 - 16 * i) & 0xFFFF for i in range(10)]
    assert Trivium(seed_key(3)).octets(20) == bits.to_bytes(20, "big")


def test_octets_after_odd_bits():
    stream, other = Trivium(seed_key(9)), Trivium(seed_key(9))
    stream.bits(5)
    assert int.from_bytes(stream.octets(24), "big") == other.bits(197) & (1 << 192) - 1


def test_seed_key():
    assert seed_key(0x0123456789ABCDEF) == bytes.fromhex("efcdab89674523010000")
    for seed in (-1, 1 << 64):
        with pytest.raises(ValueError, match="seed must be in 0"):
            seed_key(seed)


def test_refuses_a_short_key():
    with pytest.raises(ValueError, match="key must be 10 bytes, not 9"):
        Trivium(bytes(9))
