# SPDX-License-Identifier: MIT
"""The bad line does what it says, as often as it says, and the same again from the same seed."""

import random

import pytest

from glintfpga.quant.errors import DeviceError
from support.line_faults import AWAY_S, MAX_EVENTS, Fault, FaultyLine, ResettableLine

SIZE = 200_000
DATA = random.Random(1).randbytes(SIZE)


class Loop(ResettableLine):
    """An echo."""

    name = "echo"

    def __init__(self):
        self.now = 0.0
        self.waiting = b""
        self.resets = 0
        self.rates = []

    def clock(self):
        return self.now

    def read(self, size, timeout):
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        self.now += 0.0001 if data else timeout
        return data

    def write(self, data):
        self.waiting += data

    def set_baud(self, baud):
        self.rates.append(baud)
        return True

    def reset(self):
        self.resets += 1
        self.waiting = b""


def line(*faults, rate=0.01, seed="1", **options):
    return FaultyLine(Loop(), faults=faults, rate=rate, seed=seed, **options)


def carried(port, data=DATA):
    """What comes back, both ways of faults behind it."""
    out = bytearray()
    for at in range(0, len(data), 1000):
        port.write(data[at : at + 1000])
        while part := port.read(4096, 0.0):
            out += part
    while part := port.read(4096, 5.0):
        out += part
    return bytes(out)


def test_without_faults_nothing_happens():
    assert carried(line(rate=0.0)) == DATA
    assert carried(line(*Fault, rate=0.0)) == DATA


@pytest.mark.parametrize("fault", [f for f in Fault if f not in (Fault.UNPLUG, Fault.RESET)])
def test_rate_and_seed(fault):
    port = line(fault)
    out = carried(port)
    assert carried(line(fault)) == out
    if fault is Fault.STALL:
        assert out == DATA and port.clock() > 1.0
        return
    assert carried(line(fault, seed="2")) != out
    passed = 2 * SIZE
    least = 0.5 if fault is Fault.BURST else 0.9  # the rate is of the bytes between two bursts
    assert least * passed / 100 < port.done[fault] < 1.1 * passed / 100


@pytest.mark.parametrize("fault", [Fault.FLIP, Fault.LOSE, Fault.DOUBLE, Fault.SWAP, Fault.BURST])
def test_each_does_what_its_name_says(fault):
    port = line(fault, rate=0.0005)
    out = carried(port, DATA[:2000] * 3)
    done = port.done[fault]
    assert done
    assert len(out) - 6000 == {Fault.LOSE: -done, Fault.DOUBLE: done}.get(fault, 0)
    if fault is Fault.FLIP:
        changed = [a ^ b for a, b in zip(out, DATA[:2000] * 3, strict=True) if a != b]
        assert len(changed) == done and all(bits.bit_count() == 1 for bits in changed)
    if fault is Fault.SWAP:
        assert sorted(out) == sorted(DATA[:2000] * 3) and out != DATA[:2000] * 3


@pytest.mark.quick
def test_a_lost_line_comes_back():
    port = line(Fault.UNPLUG, rate=0.1)
    port.write(b"x" * 500)
    with pytest.raises(DeviceError, match="was lost"):
        for _ in range(9):
            port.read(100, 0.1)
    with pytest.raises(DeviceError, match="was lost"):
        port.write(b"x")
    with pytest.raises(DeviceError, match="there is no port"):
        port.replug()
    port.inner.now += AWAY_S
    port.replug()
    assert port.inner.rates == [115_200]
    port.heal()
    assert carried(port)[-1000:] == DATA[-1000:]


def test_resets_come_to_an_end():
    port = line(Fault.RESET)
    out = carried(port)
    assert port.inner.resets == port.done[Fault.RESET] == MAX_EVENTS
    assert out[-100_000:] == DATA[-100_000:]


def test_bridge():
    port = line(rate=0.0, divider=4)
    port.set_baud(460_800)
    assert port.inner.rates == [115_200]
