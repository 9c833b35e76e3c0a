# SPDX-License-Identifier: MIT
import pytest

from glintfpga.firmware.wire.messages import (
    Counters,
    Done,
    Generate,
    decode_tokens,
    encode_tokens,
    generate,
    load,
    message,
    prompt,
    score,
    set_baud,
    take_message,
)
from glintfpga.firmware.wire.protocol import MAX_MESSAGE, MESSAGE_HEADER, FrameError, Op
from glintfpga.quant.errors import InputError


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (message(Op.RESET), "010000"),
        (message(Op.ABORT), "050000"),
        (message(Op.COUNTERS), "090000"),
        (message(Op.LOAD_PART, b"\x01\x02"), "0702000102"),
        (prompt([], 257), "020000"),
        (prompt([0, 255], 257), "02020000ff"),
        (prompt([0, 299], 300), "02040000002b01"),
        (generate(5), "030f00" + "05000000" + "0000" + "00" + "00" * 8),
        (
            generate(2**32 - 1, temperature=205, seed=2**64 - 1, blank_line=True, crc=True),
            "030f00" + "ffffffff" + "cd00" + "07" + "ff" * 8,
        ),
        (generate(1, seed=0), "030f00" + "01000000" + "0000" + "01" + "00" * 8),
        (score([65], 257), "0402000041"),
        (score([65], 257, logits=True), "0402000141"),
        (set_baud(4), "0a010004"),
    ],
)
def test_layout(built, expected):
    assert built.hex() == expected


def test_bodies_round_trip():
    done = Done(op=3, status=0, reason=2, count=2**32 - 1)
    assert done.encode().hex() == "030002ffffffff"
    assert Done.decode(done.encode()) == done
    counters = Counters(token_cycles=1, total_cycles=2**64 - 1, retries=8)
    assert len(counters.encode()) == 40
    assert Counters.decode(counters.encode()) == counters
    ask = Generate(count=1, temperature=1023, flags=7, seed=2**64 - 1)
    assert Generate.decode(ask.encode()) == ask


@pytest.mark.parametrize("kind", [Done, Counters])
def test_wrong_sizes(kind):
    with pytest.raises(FrameError, match="3 bytes, expected"):
        kind.decode(b"abc")


@pytest.mark.parametrize(("token", "vocab"), [(-1, 257), (256, 257), (100, 100), (300, 300)])
def test_tokens_that_cannot_be_sent(token, vocab):
    with pytest.raises(InputError, match=str(token)):
        encode_tokens([token], vocab)


@pytest.mark.parametrize("vocab", [2, 256, 257, 258, 512])
def test_tokens_round_trip(vocab):
    tokens = list(range(min(vocab, 256 if vocab <= 257 else 512)))
    assert decode_tokens(encode_tokens(tokens, vocab), vocab) == tokens


def test_body_limit():
    assert len(message(Op.LOAD_PART, bytes(65535))) == 65538
    with pytest.raises(InputError, match="LOAD_PART body of 65536"):
        message(Op.LOAD_PART, bytes(65536))


@pytest.mark.parametrize(
    ("image", "part", "expected"),
    [
        (b"", 2, ["06040000000000", "080000"]),
        (b"abc", 2, ["06040003000000", "0702006162", "07010063", "080000"]),
        (b"abcd", 2, ["06040004000000", "0702006162", "0702006364", "080000"]),
        (b"abcd", 9, ["06040004000000", "07040061626364", "080000"]),
    ],
)
def test_load_in_parts(image, part, expected):
    assert [one.hex() for one in load(image, part=part)] == expected


def test_a_long_image_is_cut_where_messages_end():
    begin, *parts, end = load(bytes(2 * MAX_MESSAGE + 1))
    assert begin[3:] == (2 * MAX_MESSAGE + 1).to_bytes(4, "little")
    assert [len(part) - MESSAGE_HEADER for part in parts] == [MAX_MESSAGE, MAX_MESSAGE, 1]
    assert end == message(Op.LOAD_END)


@pytest.mark.quick
def test_take_message_byte_by_byte():
    buffer = bytearray()
    got = []
    for byte in message(Op.RESET) + message(Op.PROMPT, b"abc") + b"\x02":
        buffer.append(byte)
        while (one := take_message(buffer)) is not None:
            got.append(one)
    assert got == [(Op.RESET, b""), (Op.PROMPT, b"abc")]
    assert buffer == b"\x02"
