# SPDX-License-Identifier: MIT
"""Every kind of malformed frame, one at a time, to the software device and to the gateware.

After each a HELLO is answered, the next chat is right to the bit, and nothing of the frame was
taken: all of them carry a PROMPT.
"""

import zlib

import pytest
from cobs import cobs

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.frames import Data, Hello, HelloReply, encode_frame
from glintfpga.firmware.wire.messages import Counters, Done, generate, message, prompt
from glintfpga.firmware.wire.protocol import BAUDS, DataFlag, Op
from glintfpga.sim.host import SimHost
from glintfpga.sim.line import SimLine
from glintfpga.sim.shipped import shipped_sim
from support.oracle import Oracle
from support.shipping.rebuild_sim import CONFIG, default_image
from support.virtual_uart import reference_line

PAYLOAD = prompt(b"never", 257)
ENDLESS = generate(2**32 - 1, seed=1, temperature=256)
CHAT = [prompt(b"To be", 257), generate(4, seed=7, temperature=205, crc=True)]


def data(s, o, a, **fields):
    fields = {"session": s, "offset": o, "ack": a, "credit": 128, "payload": PAYLOAD, **fields}
    return Data(**{**fields, "offset": fields["offset"] % 65536, "ack": fields["ack"] % 65536})


def body(frame):
    """Header and payload, without CRC."""
    return cobs.decode(frame.encode()[:-1])[:-4]


def resealed(s, o, a, first=None, size=None):
    """A frame that is whole but for its first byte or its length."""
    whole = body(data(s, o, a))
    whole = bytes([whole[0] if first is None else first]) + whole[1:]
    return encode_frame(whole[: len(whole) if size is None else size])


def with_crc(s, o, a, change):
    whole = body(data(s, o, a))
    crc = change(zlib.crc32(whole)) & 0xFFFFFFFF
    return cobs.encode(whole + crc.to_bytes(4, "little")) + b"\0"


# Name: the bytes for session s, when the device expects offset o and the host offset a.
FRAMES = {
    "COBS runs past its end": lambda s, o, a: b"\xf0" + data(s, o, a).encode()[1:],
    "COBS stops short": lambda s, o, a: data(s, o, a).encode()[:-3] + b"\0",
    "COBS of zeros": lambda s, o, a: b"\1" * 527 + b"\0",
    "COBS of full blocks": lambda s, o, a: (b"\xff" + b"\7" * 254) * 2 + b"\0",
    "COBS ends in a full block": lambda s, o, a: b"\xff" + b"\7" * 253 + b"\0",
    "COBS code without data": lambda s, o, a: b"\xff\0\2\0\5a\0",
    "a zero in the middle": lambda s, o, a: data(s, o, a).encode()[:9] + b"\0" + b"abc\0",
    "CRC with a bit flipped": lambda s, o, a: with_crc(s, o, a, lambda crc: crc ^ 1 << 31),
    "CRC turned over": lambda s, o, a: with_crc(s, o, a, lambda crc: ~crc),
    "CRC of zero": lambda s, o, a: with_crc(s, o, a, lambda crc: 0),
    "nothing but a CRC": lambda s, o, a: encode_frame(b""),
    "one byte": lambda s, o, a: encode_frame(b"\x22"),
    "half a header": lambda s, o, a: resealed(s, o, a, size=5),
    "a header less a byte": lambda s, o, a: resealed(s, o, a, size=7),
    "a payload of 513": lambda s, o, a: data(s, o, a, payload=PAYLOAD + bytes(505)).encode(),
    "one without zeros": lambda s, o, a: data(s, o, a, payload=PAYLOAD + b"x" * 505).encode(),
    "a payload of 700": lambda s, o, a: data(s, o, a, payload=PAYLOAD * 88).encode(),
    "no end for 1000 bytes": lambda s, o, a: b"\x20" * 3000 + b"\0",
    "version 0": lambda s, o, a: resealed(s, o, a, first=0x02),
    "version 1": lambda s, o, a: resealed(s, o, a, first=0x12),
    "version 15": lambda s, o, a: resealed(s, o, a, first=0xF2),
    "kind 0": lambda s, o, a: resealed(s, o, a, first=0x20),
    "kind 3": lambda s, o, a: resealed(s, o, a, first=0x23),
    "kind 15": lambda s, o, a: resealed(s, o, a, first=0x2F),
    "a hello too long": lambda s, o, a: resealed(s, o, a, first=0x21, size=6),
    "a hello too short": lambda s, o, a: resealed(s, o, a, first=0x21, size=4),
    "a device's hello": lambda s, o, a: HelloReply(s, RowFacts().hello()).encode(),
    "the next session": lambda s, o, a: data((s + 1) % 256, o, a).encode(),
    "the last session": lambda s, o, a: data((s - 1) % 256, o, a).encode(),
    "an offset ahead by 1": lambda s, o, a: data(s, o + 1, a).encode(),
    "an offset ahead by 32768": lambda s, o, a: data(s, o + 32768, a).encode(),
    "an offset behind by 1": lambda s, o, a: data(s, o - 1, a).encode(),
    "an offset behind by 2048": lambda s, o, a: data(s, o - 2048, a).encode(),
    "an ack beyond what was sent": lambda s, o, a: data(s, o + 1, a + 3000).encode(),
    "an ack of the far future": lambda s, o, a: data(s, o - 1, a + 32768).encode(),
    "an ack of the past": lambda s, o, a: data(s, o - 1, a - 1).encode(),
    "an offset behind by 8192": lambda s, o, a: data(s, o - 8192, a).encode(),
    "no credit": lambda s, o, a: data(s, o, a, credit=0, payload=b"").encode(),
    "credit for 8160 bytes": lambda s, o, a: data(s, o - 1, a, credit=255).encode(),
    "flags that do not exist": lambda s, o, a: data(s, o - 1, a, flags=0xFE).encode(),
    "an empty frame": lambda s, o, a: data(s, o, a, payload=b"").encode(),
    "an empty frame elsewhere": lambda s, o, a: data(s, o + 99, a + 99, payload=b"").encode(),
    "forty polls": lambda s, o, a: data(s, o, a, payload=b"", flags=DataFlag.POLL).encode() * 40,
    "zeros": lambda s, o, a: bytes(300),
    "a full frame out of order": lambda s, o, a: data(s, o + 1, a, payload=bytes(512)).encode(),
    "two hellos": lambda s, o, a: Hello(0x1234AB00).encode() * 2,
    "two hellos of two hosts": lambda s, o, a: Hello(5).encode() + Hello(6).encode(),
    "a hello of version 1": lambda s, o, a: Hello(0x77, 1).encode(),
    "a hello of version 15": lambda s, o, a: Hello(0x78, 15).encode(),
    "its own hello again": lambda s, o, a: Hello(s).encode(),
    "a hello, then its data late": lambda s, o, a: Hello(9).encode() + data(s, o, a).encode(),
    "half a frame before a hello": lambda s, o, a: data(s, o, a).encode()[:-4],
}


class Bench:
    """A device behind a line, and how it is asked; there is always a session."""

    def __init__(self, line, image):
        self.line = line
        self.host = SimHost(line)
        self.image = image
        self.nonce = 1
        self.prefilled = 0
        self.hello()

    def hello(self):
        """Begin a new session, which may take 20 ms, a frame on its way included."""
        self.nonce = (self.nonce + 7) % 256
        self.host.new_session(self.nonce)
        began = self.line.clock()
        self.host.ask()
        assert self.host.info.image_header == self.image.header
        return self.line.clock() - began

    def replies(self, *messages):
        joined, out = {}, []
        for op, part in self.host.ask(*messages):
            if op == Op.DONE:
                out.append((joined, Done.decode(part)))
                joined = {}
            else:
                joined[Op(op)] = joined.get(op, b"") + part
        return out

    def inject(self, make, *, answering=False):
        """Write a frame, in the middle of an answer if told so."""
        end = self.host.session.endpoint
        if answering:
            self.host.session.send(ENDLESS)
            for _ in range(3):
                self.host.turn()
        sender, receiver = end._sender, end._receiver
        self.line.write(make(self.nonce, sender.oldest + sender.sent, receiver.expected))
        for _ in range(6):
            self.line.read(4096, 0.0002)

    def check(self, right, *, taken=0):
        """Greet and chat; ``taken`` tokens more than those of the chats before have entered."""
        assert self.hello() < 0.02
        (counted, _), _, *chat = self.replies(message(Op.COUNTERS), message(Op.RESET), *CHAT)
        self.prefilled += taken
        assert Counters.decode(counted[Op.COUNTED]).prefill_tokens == self.prefilled
        self.prefilled += 5
        assert chat == right


@pytest.fixture(scope="module")
def image():
    return default_image()


@pytest.fixture(scope="module")
def right(image):
    oracle = Oracle(image, lanes=CONFIG.lanes)
    return [oracle.answer(each) for each in CHAT]


@pytest.fixture(scope="module")
def software(image):
    bench = Bench(reference_line(image, lanes=CONFIG.lanes), image)
    bench.host.set_baud(len(BAUDS) - 1)
    bench.hello()
    return bench


@pytest.fixture(scope="module")
def gateware(image):
    bench = Bench(SimLine(shipped_sim()), image)
    bench.host.set_baud(len(BAUDS) - 1)
    return bench


@pytest.mark.parametrize("answering", [False, True], ids=["idle", "answering"])
@pytest.mark.parametrize("name", FRAMES)
def test_software(software, right, name, answering):
    software.inject(FRAMES[name], answering=answering)
    software.check(right)


IN_CI = 3
"""One in so many, in one state, of what takes half a second of simulation each."""
CASES = [
    pytest.param(
        name, answering, marks=[pytest.mark.slow] * bool((at + answering) % 2 or at % IN_CI)
    )
    for at, name in enumerate(FRAMES)
    for answering in (False, True)
]


@pytest.mark.parametrize(("name", "answering"), CASES)
def test_gateware(gateware, right, name, answering):
    gateware.inject(FRAMES[name], answering=answering)
    gateware.check(right)


@pytest.mark.parametrize("device", ["software", "gateware"])
def test_the_same_frame_unharmed_is_taken(device, right, request):
    """Else the others might be refused for a reason of their own."""
    bench = request.getfixturevalue(device)
    bench.inject(lambda s, o, a: data(s, o, a).encode())
    bench.check(right, taken=5)
