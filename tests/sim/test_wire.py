# SPDX-License-Identifier: MIT
"""Whether the gateware keeps the line busy when its core is faster than the line."""

import pytest

from glintfpga.firmware.wire.messages import generate, message
from glintfpga.firmware.wire.protocol import BAUDS, Data, Op, parse_frame
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.sim import shipped
from glintfpga.sim.host import SimHost
from glintfpga.sim.line import SimLine
from support.models import random_image
from support.shipping.rebuild_sim import CONFIG
from support.virtual_uart import reference_line

TOKENS = 4000
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
            sim.run(100_000, wanted=1)
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
    host.ask(message(Op.LOAD, image.data))
    frames = record(host, command)
    times = [
        at for frame, ends in frames if isinstance(frame, Data) and frame.payload for at in ends
    ]
    byte = host.line.sim.clk_hz * BYTE_BITS / BAUDS[-1]
    share = len(times) * byte / (times[-1] - times[0] + byte)
    record_property("share_of_line", share)
    assert 0.95 <= share <= 1.001

    oracle = SimHost(reference_line(image, lanes=CONFIG.lanes))
    expected, found = oracle.ask(command), host.session.receive_all()
    for op in (Op.TOKENS, Op.DONE):
        texts = [b"".join(body for kind, body in side if kind == op) for side in (found, expected)]
        assert texts[0] == texts[1]
