# SPDX-License-Identifier: MIT
from dataclasses import replace

import pytest

from glintfpga.host.device.bench import POSITIONS, STEPS, bench, rates, wire_bound


def give_clock(world, monkeypatch):
    """Gives a software device a clock and cycles: 400 a token and 1 a position."""
    commands = type(world.device._executor)
    device = type(world.device)
    totals, hello = commands.totals.fget, device._hello

    def counted(self):
        counts = totals(self)
        return replace(
            counts,
            token_cycles=400 + self.model.numerics._model.position,
            total_cycles=400 * counts.tokens,
            prefill_cycles=300 * counts.prefill_tokens,
        )

    monkeypatch.setattr(commands, "totals", property(counted))
    monkeypatch.setattr(device, "_hello", lambda self: replace(hello(self), clock_hz=54_000_000))
    world.reset()


def numbers(value):
    if isinstance(value, dict):
        if "how" in value:
            yield value
        else:
            for item in value.values():
                yield from numbers(item)


@pytest.mark.parametrize(
    "baud, vocab, rate",
    [
        (115_200, 257, 10_569),
        (1_000_000, 257, 99_155),
        (3_000_000, 257, 297_467),
        (115_200, 512, 5_256),
    ],
)
def test_wire_bound(baud, vocab, rate):
    assert int(wire_bound(baud, vocab)) == rate


def test_a_clock_that_never_stands_still_tells_the_same_rate(world, monkeypatch):
    """Tokens of one message are looked at one after the other, and came at the same time."""

    def rates():
        result = bench(world.client(), how="simulated", tokens=400)
        found = result["tokens_per_second_wire"].values()
        return [entry["reached"]["value"] for entry in found]

    standing = rates()

    def clock(self):
        self.world.now += 1e-6
        return self.world.now

    monkeypatch.setattr(type(world.open()), "clock", clock)
    assert rates() == pytest.approx(standing, rel=0.03)


def test_figures_of_a_device_with_a_clock(world, monkeypatch):
    give_clock(world, monkeypatch)
    seen = []
    result = bench(world.client(), how="simulated", tokens=400, progress=seen.append)
    assert list(result["cycles_per_token"]) == [str(position) for position in POSITIONS]
    for position in POSITIONS:
        cycles = result["cycles_per_token"][str(position)]
        assert cycles == {"value": 400 + position, "how": "simulated"}
        speed = result["tokens_per_second_chip"][str(position)]
        assert speed == {"value": 54_000_000 / (400 + position), "how": "computed"}
    assert result["prefill"]["cycles_per_token"]["value"] == 300
    assert result["first_byte"]["seconds"]["value"] > 0
    for baud in ("115200", "3000000"):
        assert result["tokens_per_second_wire"][baud]["reached"]["value"] > 0
    assert {item["how"] for item in numbers(result)} == {"simulated", "computed"}
    assert seen == sorted(seen)
    assert seen[-1] == STEPS
    assert len(seen) == len(POSITIONS) + 2 + (400 // 100 + 1) + (2000 // 100 + 1)


def test_software_has_no_figures_of_the_chip(world):
    result = bench(world.client(), how="software", tokens=300)
    assert result["cycles_per_token"] == {}
    assert result["clock_hz"] is None
    assert result["prefill"] is None
    assert result["tokens_per_second_wire"]["115200"]["bound"]["how"] == "computed"


@pytest.mark.quick
def test_a_rate_that_does_not_work_is_not_reached(world):
    world.bad_rates = (3_000_000,)
    result = bench(world.client(), how="measured", tokens=300)
    assert result["tokens_per_second_wire"]["3000000"]["reached"] is None


@pytest.mark.parametrize(
    ("factor", "top"), [(1, 3_000_000), (1.25, 2_000_000), (1.5, 2_000_000), (2, 1_500_000)]
)
def test_rates_of_a_tuned_device(factor, top):
    assert rates(lambda baud: round(baud * factor)) == (115_200, top)
