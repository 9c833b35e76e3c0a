# SPDX-License-Identifier: MIT
"""The wire protocol: the only definition of what host and device send to each other.

Here: the rules, numbers and frames. `glintfpga.firmware.wire.messages`: the bodies of the messages.

Everything is little-endian. The line is 8N1 at one of `BAUDS`; both ends start at index 0.

**Frame.** ``COBS(body) 00``; an empty frame (two zeros in a row) is ignored and not counted::

    HELLO, host    | b0 | nonce u32 | crc u32 |                                      9 bytes
    HELLO, device  | b0 | nonce u32 | info, 128 bytes | crc u32 |                  137 bytes
    DATA, both     | b0 | session | flags | offset u16 | ack u16 | credit |
                   | payload, 0..192 bytes | crc u32 |                         12..204 bytes
         b0        = version << 4 | kind;  crc = CRC-32 (IEEE) of all before it

**Streams.** Each direction is one numbered byte stream; offsets count bytes modulo 65536::

    sender    ------+-----------------+---------------+----------+-------->
                    | sent, not acked | waiting       | no room  |
                   ack             next to send    written    limit = ack + min(2048, 16 * credit)
    receiver  ------------+---------------------------+
                          | free space = 16 * credit  |
                       expected (what it acks)

A HELLO, valid at any time, empties both rings, sets all offsets to 0, ends a running answer
without a DONE, drops a half-received message and a baud switch not yet made, and leaves the baud
as it is. It does not touch context, pending token, noise generator or counters; a half-received
LOAD leaves the device without a model. Until the first DATA of the peer arrives, its credit is
taken as 128. session = low byte of the nonce; a host that repeats an unanswered HELLO repeats
the nonce, and a new session takes a low byte other than the last one.

*Receiving.* The first rule that applies:

1. Damaged (COBS, CRC, a length no kind has, more than 205 bytes between delimiters): counted in
   dropped and in crc_errors, answered when a session exists.
2. Unknown version or kind, wrong session, or the other side's HELLO: counted in dropped, not
   answered.
3. Otherwise the frame is *valid*. Its ack and credit are used if 0 <= ack - oldest unacked <=
   bytes written and unacked, else ignored. Its payload is accepted if offset = expected and it
   fits, else counted in dropped. Payload (accepted or not) or POLL is answered.

The answer is one DATA, with payload if there is some to send; one may answer several frames. An
empty DATA without POLL is never answered.

*Sending.*

1. A frame carries whatever is sendable (up to 192 bytes); nothing waits for more.
2. Rewind (next to send = oldest unacked, counted in retries) when a valid empty DATA repeats the
   ack while there is data sent and unacked: once, until the ack advances or rule 3 fires.
3. Rewind also when 50 ms have passed with data sent and unacked since the later of: the ack
   advanced, a frame with payload was sent. The device does so at most 8 times in a row; any valid
   frame sets the count to 0.
4. A receiver whose last sent credit was below 64 sends a DATA when its credit reaches 64.
5. A device answers a HELLO before anything else; a DATA frame on the wire is finished first.

**Messages** in the streams, both ways: ``op u8 | length u16 | body``. Bodies:

    RESET, ABORT, COUNTERS  empty                  PROMPT    tokens
    GENERATE  count u32 | temperature u16 | flags u8 | seed u64 (always there)      15 bytes
    SCORE     flags u8 | tokens                    LOAD      image         SET_BAUD  index u8
    TOKENS    tokens, each followed by crc u32 when CRCs were asked for
    SCORES    per position crc u32 [ | vocab x logit i32 ]
    COUNTED   `Counters`, 40 bytes                 DONE      op | status | reason | count u32

The bodies of the TOKENS (SCORES) of one command concatenate; they are cut every 1..189 bytes,
TOKENS between entries and SCORES between 32-bit words; an empty one is never sent. A token is one
byte, or two when vocab > 257. Vocab 257 is meant for EOS 256: with another EOS, id 256 has no
spelling and goes out as 0, so no such image should be made.

**Commands.** One DONE each, in order. Checks, the first that fails gives the status and the body
is read over: op known (UNKNOWN_OP); a model, for RESET PROMPT GENERATE SCORE ABORT (NO_MODEL);
length (BAD_LENGTH: fixed size missed, SCORE without flags, half a two-byte token); arguments
(BAD_ARGUMENT: an undefined flag bit, temperature > 1023, baud index). Then:

- PROMPT, SCORE: tokens take effect as they arrive. At an id outside the vocabulary the rest of
  the body is read over: BAD_TOKEN; the tokens before it stay. count = tokens taken. An empty
  token list is fine. When exactly the pending token enters cannot be seen from outside.
- GENERATE: re-key if a seed is given (count 0 too); then repeat: count reached -> COUNT; an op
  byte ABORT at the head of the receive ring -> ABORT (so 0 tokens are possible); sample; EOS ->
  EOS; send it; blank line -> BLANK_LINE. That order decides between reasons. Newlines are
  counted within one command. count = tokens sent, EOS not among them. count 0 changes nothing.
- ABORT at any other time: only its DONE. RESET: context and pending, not the noise generator.
- LOAD: drops the model when it starts. Any fault of the image, its length, plan or limits:
  BAD_IMAGE, no model. Success: empty context, nothing pending; noise generator untouched.
  UNSUPPORTED (`float:` only): refused, the old model stays.
- **Self-test**, at power-up and after a good LOAD, on an empty context that it leaves empty: the
  image's CRC-32 over what the memories hold, then the golden value of `firmware.blink.golden`.
  Until it ends, a HELLO and every command wait. When it fails there is no model: commands get
  NO_MODEL, and the LOAD before it SELF_TEST. It touches neither noise generator nor counters.
- COUNTERS: COUNTED then DONE.  SET_BAUD: the next command waits until everything sent is acked
  and the baud has changed.
- Fall-back to index 0: `FALLBACK_S` after the later of the last valid frame and the last token
  computed (a device that waits for bytes, room or an ack does not compute), or at
  `FALLBACK_ERRORS` stop-bit errors with no valid frame between. It keeps the session, and the
  first kind cancels a switch not yet made.
- reason and count are 0 where nothing above says otherwise.
"""

import struct
import zlib
from dataclasses import astuple, dataclass
from enum import IntEnum, IntFlag
from typing import Self

from cobs import cobs

from glintfpga.quant.errors import DeviceError

VERSION = 1
BAUDS = (115_200, 1_000_000, 1_500_000, 2_000_000, 3_000_000)
MAX_PAYLOAD = 192
DATA_HEADER = 8
HELLO_HEADER = 5
CRC_BYTES = 4
MAX_BODY = DATA_HEADER + MAX_PAYLOAD + CRC_BYTES
MAX_RAW = MAX_BODY + 1  # between delimiters: COBS adds one byte below 255
RING = 2048  # bytes in each ring, both ends
CREDIT_UNIT = 16
CREDIT_UPDATE = 64
MESSAGE_HEADER = 3
MAX_MESSAGE_BODY = MAX_PAYLOAD - MESSAGE_HEADER
MAX_MESSAGE = 65535  # bytes in a body
IMAGE_HEADER = 96
MAX_TEMPERATURE = 1023  # T * 256
NEWLINE = 10
RETRY_S = 0.05
DEVICE_RETRIES = 8
FLUSH_S = 0.001
KEEP_ALIVE_S = 0.3
FALLBACK_S = 1.0
FALLBACK_ERRORS = 16


class Kind(IntEnum):
    """Low half of a frame's first byte."""

    HELLO = 1
    DATA = 2


class DataFlag(IntFlag):
    """Flags of a DATA frame. POLL asks for an answer at once."""

    POLL = 1


class HelloFlag(IntFlag):
    """Flags of `HelloInfo`. DEFAULT_IMAGE: the model is the one of power-up."""

    MODEL = 1
    DEFAULT_IMAGE = 2


class Op(IntEnum):
    """First byte of a message; below 0x10 to the device, else from it."""

    RESET = 1
    PROMPT = 2
    GENERATE = 3
    SCORE = 4
    ABORT = 5
    LOAD = 6
    COUNTERS = 7
    SET_BAUD = 8
    TOKENS = 0x10
    SCORES = 0x11
    COUNTED = 0x12
    DONE = 0x1F


class GenerateFlag(IntFlag):
    """Flags of GENERATE."""

    SEED = 1
    BLANK_LINE = 2
    CRC = 4


class ScoreFlag(IntFlag):
    """Flags of SCORE."""

    LOGITS = 1


class Status(IntEnum):
    """How a command ended."""

    OK = 0
    NO_MODEL = 1
    BAD_TOKEN = 2
    BAD_LENGTH = 3
    BAD_IMAGE = 4
    UNKNOWN_OP = 5
    BAD_ARGUMENT = 6
    UNSUPPORTED = 7
    SELF_TEST = 8


class SelfTest(IntEnum):
    """Result of the last self-test. NOT_RUN: the device has none (`float:`)."""

    NOT_RUN = 0
    NO_MODEL = 1
    PASSED = 2
    MEMORY_FAILED = 3
    TOKEN_FAILED = 4


class Reason(IntEnum):
    """Why a GENERATE ended."""

    COUNT = 0
    EOS = 1
    BLANK_LINE = 2
    ABORT = 3


class FrameError(DeviceError):
    """A frame that is not one. `damaged` is false when only its kind or version is foreign."""

    def __init__(self, message: str, *, damaged: bool = True):
        super().__init__(message)
        self.damaged = damaged


def encode_frame(body: bytes) -> bytes:
    """Append the CRC to ``body`` (header and payload), stuff it, and close it with a zero."""
    return bytes(cobs.encode(body + zlib.crc32(body).to_bytes(4, "little"))) + b"\0"


def decode_frame(raw: bytes) -> bytes:
    """Header and payload of the bytes between two delimiters; raises `FrameError`."""
    if len(raw) > MAX_RAW:
        raise FrameError(f"frame of {len(raw)} bytes, at most {MAX_RAW}")
    try:
        body = bytes(cobs.decode(raw))
    except cobs.DecodeError as error:
        raise FrameError(f"frame is not COBS: {error}") from None
    if len(body) < HELLO_HEADER + CRC_BYTES:
        raise FrameError(f"frame of {len(body)} bytes is too short")
    body, crc = body[:-4], int.from_bytes(body[-4:], "little")
    if zlib.crc32(body) != crc:
        raise FrameError(f"frame CRC is {crc:#010x}, its bytes give {zlib.crc32(body):#010x}")
    return body


class FrameSplitter:
    """Cuts a byte stream at the zeros, in bounded memory.

    A frame longer than `MAX_RAW` comes out cut to ``MAX_RAW + 1`` bytes, which `decode_frame`
    refuses; empty frames do not come out at all.
    """

    def __init__(self) -> None:
        self._part = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that ``data`` completes, without delimiters, undecoded."""
        frames = []
        *closed, rest = data.split(b"\0")
        for part in closed:
            self._take(part)
            if self._part:
                frames.append(bytes(self._part))
                self._part.clear()
        self._take(rest)
        return frames

    def _take(self, part: bytes) -> None:
        self._part += part[: MAX_RAW + 1 - len(self._part)]


def _first_byte(kind: Kind) -> bytes:
    return bytes([VERSION << 4 | kind])


@dataclass(frozen=True, kw_only=True)
class HelloInfo:
    """What a device reports about itself: 128 bytes, fixed offsets.

    ===== ==== ================  ======================================================
    at    type field
    ===== ==== ================  ======================================================
    0     u8   version           of this protocol
    1     u8   flags             `HelloFlag`
    2     u8   lanes             P, 2 4 or 8
    3     u8   plan              number plan, 12 or 9
    4     u32  clock_hz          0 in a software device
    8     u16  max_rows          capacity: logical rows in each bank
    10    u16  max_window
    12    u16  max_vocab
    14    u8   max_hidden
    15    u8   max_passes
    16    8s   build_id
    24    u8   baud_index        into `BAUDS`, now
    25    u8   self_test         `SelfTest`
    26    2x                     zero
    28    u32  image_crc         the image's own CRC-32, 0 without a model
    32    96s  image_header      as in the file, zeros without a model
    ===== ==== ================  ======================================================
    """

    version: int = VERSION
    flags: int = 0
    lanes: int
    plan: int
    clock_hz: int = 0
    max_rows: int = 4096
    max_window: int = 256
    max_vocab: int = 512
    max_hidden: int = 16
    max_passes: int = 16
    build_id: bytes = bytes(8)
    baud_index: int = 0
    self_test: int = SelfTest.NOT_RUN
    image_crc: int = 0
    image_header: bytes = bytes(IMAGE_HEADER)

    def encode(self) -> bytes:
        """The 128 bytes."""
        return _INFO.pack(*astuple(self))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The inverse; raises `FrameError` on a wrong size."""
        if len(data) != HELLO_INFO:
            raise FrameError(f"hello info has {len(data)} bytes, expected {HELLO_INFO}")
        return cls(**dict(zip(cls.__dataclass_fields__, _INFO.unpack(data), strict=True)))


_INFO = struct.Struct("<BBBBIHHHBB8sBB2xI96s")
HELLO_INFO = _INFO.size


@dataclass(frozen=True)
class Hello:
    """HELLO of the host."""

    nonce: int

    def encode(self) -> bytes:
        """The whole frame."""
        return encode_frame(_first_byte(Kind.HELLO) + self.nonce.to_bytes(4, "little"))


@dataclass(frozen=True)
class HelloReply:
    """HELLO of the device."""

    nonce: int
    info: HelloInfo

    def encode(self) -> bytes:
        """The whole frame."""
        head = _first_byte(Kind.HELLO) + self.nonce.to_bytes(4, "little")
        return encode_frame(head + self.info.encode())


@dataclass(frozen=True, kw_only=True)
class Data:
    """DATA of either side; ``offset`` and ``ack`` modulo 65536, ``credit`` in 16 bytes."""

    session: int
    flags: int = 0
    offset: int
    ack: int
    credit: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """The whole frame."""
        head = _DATA.pack(self.session, self.flags, self.offset, self.ack, self.credit)
        return encode_frame(_first_byte(Kind.DATA) + head + self.payload)


_DATA = struct.Struct("<BBHHB")


def parse_frame(raw: bytes) -> Hello | HelloReply | Data:
    """The frame between two delimiters; raises `FrameError`, with ``damaged`` as above."""
    body = decode_frame(raw)
    version, kind = body[0] >> 4, body[0] & 15
    if version != VERSION:
        raise FrameError(f"frame of protocol version {version}, not {VERSION}", damaged=False)
    if kind == Kind.HELLO:
        nonce = int.from_bytes(body[1:HELLO_HEADER], "little")
        if len(body) == HELLO_HEADER:
            return Hello(nonce)
        return HelloReply(nonce, HelloInfo.decode(body[HELLO_HEADER:]))
    if kind != Kind.DATA:
        raise FrameError(f"frame of unknown kind {kind}", damaged=False)
    if len(body) < DATA_HEADER:
        raise FrameError(f"DATA of {len(body)} bytes is too short")
    session, flags, offset, ack, credit = _DATA.unpack(body[1:DATA_HEADER])
    return Data(
        session=session,
        flags=flags,
        offset=offset,
        ack=ack,
        credit=credit,
        payload=body[DATA_HEADER:],
    )
