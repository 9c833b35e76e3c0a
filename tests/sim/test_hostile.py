# SPDX-License-Identifier: MIT
"""Noise on the line: whatever bytes come, a new session opens at once and nothing has changed."""

import random

import pytest

from glintfpga.firmware.wire.messages import generate, prompt
from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.sim import shipped
from glintfpga.sim.host import SimHost
from glintfpga.sim.line import SimLine
from support.shipping.rebuild_sim import CONFIG, default_image
from support.virtual_uart import reference_line

VOCAB = 257
BURST = 10_000
ANSWER_S = 0.01


@pytest.fixture
def host():
    host = SimHost(SimLine(shipped.shipped_sim()))
    host.set_baud(len(BAUDS) - 1)
    return host


@pytest.fixture
def oracle():
    return SimHost(reference_line(default_image(), lanes=CONFIG.lanes))


def make_noise(sim, data):
    """Send ``data`` without a gap; what the device says to it is lost."""
    sim.put(data)
    byte = sim.clk_hz * 10 // BAUDS[-1]
    while left := sim.unsent:
        sim.run(left * byte)
    sim.get()


def seconds_to_hello(host, nonce):
    """Open a session; from the HELLO's first bit to the whole first byte of the answer."""
    sim = host.line.sim
    host.new_session(nonce)
    sim.put(host.session.step(b"", host.line.clock()))
    began = frame_began = sim.cycles
    at_start = True
    while not host.session.endpoint.open:
        sim.run(int(2 * ANSWER_S * sim.clk_hz), wanted=1)
        byte = sim.get(1)
        assert byte, f"silence after {(sim.cycles - began) / sim.clk_hz} s"
        if at_start:
            frame_began = sim.cycles
        at_start = byte == b"\0"
        sim.put(host.session.step(byte, host.line.clock()))
    return (frame_began - began) / sim.clk_hz


def text_of(replies):
    joined = {}
    for op, body in replies:
        joined[op] = joined.get(op, b"") + body
    return joined


@pytest.mark.parametrize(
    "seeds", [range(5), pytest.param(range(5, 20), marks=pytest.mark.slow)], ids=["some", "more"]
)
def test_random_bytes(host, oracle, seeds, record_property):
    slowest = 0.0
    for seed in seeds:
        make_noise(host.line.sim, random.Random(seed).randbytes(BURST))
        took = seconds_to_hello(host, nonce=seed + 2)
        slowest = max(slowest, took)
        assert took <= ANSWER_S, f"seed {seed}"
        assert host.info.baud_index == len(BAUDS) - 1
        question = [prompt(f"{seed} ".encode(), VOCAB), generate(4, temperature=205, crc=True)]
        assert text_of(host.ask(*question)) == text_of(oracle.ask(*question)), f"seed {seed}"
    record_property("slowest_hello_s", slowest)
