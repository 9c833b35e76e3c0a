# SPDX-License-Identifier: MIT
"""Whether the gateware keeps the line busy when its core is faster than the line."""

import pytest

from glintfpga.firmware.wire.frames import Data, parse_frame
from glintfpga.firmware.wire.messages import generate, load
from glintfpga.firmware.wire.protocol import BAUDS, MAX_PAYLOAD, MESSAGE_HEADER, Op
from glintfpga.hdl.link.message_writer import LONGEST_UNIT
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.sim import shipped
from glintfpga.sim.host import SimHost
from glintfpga.sim.line import SimLine
from support.models import random_image
from support.shipping.rebuild_sim import CONFIG
from support.virtual_uart import reference_line

TOKENS = 10_000
BYTE_BITS = 10


@pytest.fixture(scope="module")
def image():
    spec = ModelSpec(loops=1, vocab=64, hidden=4, window=8, eos=None)
    return random_image(spec, seed=5, edges=0.0)


def record(host, *messages):
    """Ask, and acknowledge each frame at once; pairs (frame, cycles at the end of each byte)."""
    sim = host.line.sim
    host.session.send(*messages)
    frames = []
    outgoing = host.session.step(b"", host.line.clock())
    while not host.session.done:
        sim.put(outgoing)
        frame, times = b"", []
        while not frame.endswith(b"\0"):
            sim.run(400_000, wanted=1)  # a long message takes 150,000
            byte = sim.get(1)
            assert byte, f"silence at {host.line.clock()} s"
            frame += byte
            times.append(sim.cycles)
        frames.append((parse_frame(frame[:-1]), times))
        outgoing = host.session.step(frame, host.line.clock())
    sim.put(outgoing)
    return frames


@pytest.mark.parametrize("temperature", [0, 256])
def test_a_fast_model_fills_the_line(image, temperature, record_property):
    host = SimHost(SimLine(shipped.shipped_sim()))
    host.set_baud(len(BAUDS) - 1)
    command = generate(TOKENS, temperature=temperature, seed=3)
    host.ask(*load(image.data))
    frames = record(host, command)
    full = [
        (frame, ends)
        for frame, ends in frames
        if isinstance(frame, Data) and len(frame.payload) > MAX_PAYLOAD - LONGEST_UNIT
    ]
    assert len(full) == TOKENS // (MAX_PAYLOAD - MESSAGE_HEADER)
    cycles = full[-1][1][-1] - full[0][1][-1]  # from the end of the first to that of the last
    byte = host.line.sim.clk_hz * BYTE_BITS / BAUDS[-1]
    sent = sum(len(ends) for _, ends in full[1:])
    tokens = sum(len(frame.payload) - MESSAGE_HEADER for frame, _ in full[1:])
    record_property("share_of_line", tokens * byte / cycles)
    assert 0.999 <= sent * byte / cycles <= 1.001
    assert tokens * byte / cycles >= 0.985

    oracle = SimHost(reference_line(image, lanes=CONFIG.lanes))
    expected, found = oracle.ask(command), host.session.receive_all()
    for op in (Op.TOKENS, Op.DONE):
        texts = [b"".join(body for kind, body in side if kind == op) for side in (found, expected)]
        assert texts[0] == texts[1]


@pytest.mark.parametrize(("burst_bytes", "latency_ms"), [(64, 16), (512, 1), (512, 16)])
def test_through_a_usb_bridge(image, burst_bytes, latency_ms, record_property):
    """A bridge hands bytes over in bursts or by its timer: acks come late, the line stays full.

    512 bytes take 1.7 ms: a timer of 1 ms is faster, one of 16 ms only ends the last burst.
    """
    host = SimHost(SimLine(shipped.shipped_sim()))
    host.set_baud(len(BAUDS) - 1)
    host.ask(*load(image.data))
    sim, session = host.line.sim, host.session
    command = generate(TOKENS, temperature=256, seed=3)
    session.send(command)
    sim.put(session.step(b"", host.line.clock()))
    arrived, times = bytearray(), []
    handed = 0

    def carry(cycles, most=MAX_PAYLOAD):
        """So long, or until so many bytes wait at the bridge."""
        until = sim.cycles + cycles
        while sim.cycles < until and len(arrived) - handed < most:
            sim.run(until - sim.cycles, wanted=1)
            arrived.extend(byte := sim.get(1))
            times.extend([sim.cycles] * len(byte))

    ms = sim.clk_hz // 1000
    begun = host.line.clock()
    while not session.done:
        assert host.line.clock() < begun + 1.0, "silence"
        carry(latency_ms * ms, burst_bytes)
        burst, handed = bytes(arrived[handed:]), len(arrived)
        answer = session.step(burst, host.line.clock())
        if answer:
            carry(ms)  # the next USB frame has it
            sim.put(answer)
    ends = [at for at, byte in enumerate(arrived) if not byte]
    first, last = ends[1], ends[-3]
    share = (last - first) * sim.clk_hz * BYTE_BITS / BAUDS[-1] / (times[last] - times[first])
    record_property("share_of_line", share)
    assert 0.99 <= share <= 1.001
    assert session.endpoint.crc_errors == session.endpoint.retries == 0
    oracle = SimHost(reference_line(image, lanes=CONFIG.lanes))
    expected, found = oracle.ask(*load(image.data), command), session.receive_all()
    texts = [b"".join(body for op, body in side if op == Op.TOKENS) for side in (found, expected)]
    assert len(texts[0]) == TOKENS
    assert texts[0] == texts[1]
