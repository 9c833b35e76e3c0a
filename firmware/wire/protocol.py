# SPDX-License-Identifier: MIT
"""The wire protocol: the only definition of what host and device send to each other.

Here: the rules and the numbers. `glintfpga.firmware.wire.frames`: the bytes of a frame,
`glintfpga.firmware.wire.hello`: what a device reports of itself,
`glintfpga.firmware.wire.messages`: the bodies of the messages.

Everything is little-endian. The line is 8N1 at one of `BAUDS`; both ends start at index 0.

**Frame.** ``COBS(body) 00``; an empty frame (two zeros in a row) is ignored and not counted::

    HELLO, host    | b0 | nonce u32 | crc u32 |                                      9 bytes
    HELLO, device  | b0 | nonce u32 | info, see `hello` | crc u32 |         25 bytes or more
    DATA, both     | b0 | session | flags | offset u16 | ack u16 | credit |
                   | payload | crc u32 |                                    12 bytes or more
         b0        = version << 4 | kind;  crc = CRC-32 (IEEE) of all before it

A payload has at most 2,000 bytes at 1,000,000 baud and above, 192 below (`payload_limit`), and
toward the device no more than its hello reports. A receiver takes the longest at every rate:
2,000 bytes in a host, what its hello reports in a device.

**Versions.** b0 and nonce of a HELLO, its CRC and COBS are the same in every version, and a device
answers the 9 bytes of a HELLO of any version with a HELLO of its own. A host may greet in the first
byte of an older version; so each end learns the version of the other, and nothing else follows.

**Streams.** Each direction is one numbered byte stream; offsets count bytes modulo 65536::

    sender    ------+-----------------+---------------+----------+-------->
                    | sent, not acked | waiting       | no room  |
                   ack             next to send    written    limit = ack + 32 * credit
    receiver  ------------+---------------------------+
                          | free space = 32 * credit  |
                       expected (what it acks)

The ring toward the host has up to 8,192 bytes, that toward the device as many as its hello
reports; a credit above 255 is sent as 255.

A HELLO, valid at any time, empties both rings, sets all offsets to 0, ends a running answer
without a DONE, drops a half-received message and a baud switch not yet made, and leaves the baud
as it is. It does not touch context, pending token, noise generator or counters; a half-received
image leaves the device without a model. Until the first DATA of the peer arrives, its whole ring is
taken as free. session = low byte of the nonce; a host that repeats an unanswered HELLO repeats
the nonce, and a new session takes a low byte other than the last one.

*Receiving.* The first rule that applies:

1. Damaged (COBS, CRC, a length no kind has, more bytes between delimiters than the longest frame
   has): counted in dropped and in crc_errors, answered when a session exists.
2. Unknown version or kind, wrong session, the other side's HELLO, or one whose info cannot be
   read: counted in dropped, not answered.
3. Otherwise the frame is *valid*. Its ack and credit are used if 0 <= ack - oldest unacked <=
   bytes written and unacked, else ignored. Its payload is accepted if offset = expected and it
   fits, else counted in dropped. Payload (accepted or not) or POLL is answered.

The answer is one DATA, with payload if there is some to send; one may answer several frames. An
empty DATA without POLL is never answered.

*Sending.*

1. A frame carries whatever is sendable, up to its limit; nothing waits for more. From a rewind
   until the ack advances the limit is 192 bytes.
2. Rewind (next to send = oldest unacked, counted in retries) when a valid empty DATA repeats the
   ack while there is data sent and unacked: once, until the ack advances or rule 3 fires.
3. Rewind also when 50 ms have passed with data sent and unacked since the later of: the ack
   advanced, a frame with payload was sent. The device does so at most 8 times in a row; any valid
   frame sets the count to 0.
4. A receiver whose last sent credit was below 32 sends a DATA when its credit reaches 32.
5. A device answers a HELLO before anything else; a DATA frame on the wire is finished first.

**Messages** in the streams, both ways: ``op u8 | length u16 | body``. Bodies:

    RESET, ABORT, COUNTERS  empty                  PROMPT    tokens
    GENERATE  count u32 | temperature u16 | flags u8 | seed u64 (always there)      15 bytes
    SCORE     flags u8 | tokens                    SET_BAUD  index u8
    LOAD      size of the image u32                LOAD_PART its next bytes         LOAD_END  empty
    TOKENS    tokens, each followed by crc u32 when CRCs were asked for
    SCORES    per position crc u32 [ | vocab x logit i32 ]
    COUNTED   `Counters`, 40 bytes                 DONE      op | status | reason | count u32

The bodies of the TOKENS (SCORES) of one command concatenate; they are cut so that each message fits
a frame, TOKENS between entries and SCORES between 32-bit words; an empty one is never sent. A token
is one byte, or two when vocab > 257. Vocab 257 is meant for EOS 256: with another EOS, id 256 has
no spelling and goes out as 0, so no such image should be made.

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
- LOAD begins an image of ``size`` bytes and drops the model; another LOAD begins again.
  LOAD_PART brings the next bytes; any fault of the image, its size, plan or limits gives
  BAD_IMAGE, at the latest with the last byte, and more bytes than ``size`` BAD_LENGTH; both end the
  load. LOAD_END makes the image the model: empty context, nothing pending, noise generator
  untouched; with bytes missing BAD_LENGTH. LOAD_PART and LOAD_END while no load is open, or after
  it failed: NO_LOAD. Other commands may come between; there is no model for them.
  UNSUPPORTED (`float:` only): LOAD is refused, the old model stays.
- **Self-test**, at power-up and with LOAD_END, on an empty context that it leaves empty: the
  image's CRC-32 over what the memories hold, then the golden value that the image's family defines.
  Until it ends, a HELLO and every command wait. When it fails there is no model: commands get
  NO_MODEL, and the LOAD_END before it SELF_TEST. It touches neither noise generator nor counters.
- COUNTERS: COUNTED then DONE.  SET_BAUD: the next command waits until everything sent is acked
  and the baud has changed.
- Fall-back to index 0: `FALLBACK_S` after the later of the last valid frame and the last token
  computed (a device that waits for bytes, room or an ack does not compute), or at
  `FALLBACK_ERRORS` stop-bit errors with no valid frame between. It keeps the session and cancels a
  switch not yet made.
- reason and count are 0 where nothing above says otherwise.
"""

from enum import IntEnum, IntFlag

from glintfpga.quant.errors import DeviceError

VERSION = 2
OLD_VERSION = 1
"""The oldest version, whose devices answer only to greetings of their own."""
BAUDS = (115_200, 1_000_000, 1_500_000, 2_000_000, 3_000_000)
SHORT_PAYLOAD = 192
"""Bytes of a payload at the first rate: 18 ms."""
MAX_PAYLOAD = 2000
"""Bytes of a payload at the other rates: 20 ms at the slowest of them."""
TO_DEVICE_PAYLOAD = 512
"""The longest payload that our devices take: at 1 Mbaud an ack behind it is 5 ms late."""
TO_DEVICE_RING = 2048
"""Bytes in the ring toward our devices."""
TO_HOST_RING = 8192
"""Bytes in the ring toward the host, at both ends: 27 ms at 3 Mbaud."""
CREDIT_UNIT = 32
MAX_CREDIT = 255
CREDIT_UPDATE = 32
DATA_HEADER = 8
HELLO_HEADER = 5
CRC_BYTES = 4
BUILD_ID_BYTES = 8
MESSAGE_HEADER = 3
MAX_MESSAGE = 65535  # bytes in a body
MAX_TEMPERATURE = 1023  # T * 256
NEWLINE = 10
RETRY_S = 0.05
DEVICE_RETRIES = 8
FLUSH_S = 0.001
KEEP_ALIVE_S = 0.3
FALLBACK_S = 1.0
FALLBACK_ERRORS = 16


def payload_limit(baud: int) -> int:
    """Bytes of the longest payload that is sent at a rate."""
    return MAX_PAYLOAD if baud > BAUDS[0] else SHORT_PAYLOAD


def frame_bytes(payload: int) -> int:
    """Bytes on the wire of a DATA frame, delimiter included, at most."""
    body = DATA_HEADER + payload + CRC_BYTES
    return body + body // 254 + 2  # COBS adds a byte, and one more behind each 254


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
    LOAD_PART = 7
    LOAD_END = 8
    COUNTERS = 9
    SET_BAUD = 10
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
    NO_LOAD = 9


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
