# SPDX-License-Identifier: MIT
"""Conversations over bad lines; docs/link-under-fire.md has the long form."""

from dataclasses import replace

import pytest

from support.linktest import campaign, scenario
from support.linktest.campaign import GOOD, KINDS, RATES, Campaign
from support.linktest.table import Cell, table, verdict

SIZE = 20
PAIRS = [(kind, rate) for kind in KINDS if kind != GOOD for rate in RATES]


@pytest.fixture(scope="module")
def short():
    return Campaign(gateware=False, size=SIZE)


def check(outcome, size=SIZE):
    assert outcome.complaint == "" and not outcome.hung
    assert outcome.wrong == outcome.forged == 0
    assert outcome.items > size and outcome.seconds < scenario.LIMIT_S


def test_a_good_line_costs_nothing(short):
    outcome = short.run(GOOD, 0.0, 0)
    check(outcome)
    assert outcome.faults == outcome.damaged == outcome.refused == 0
    assert outcome.host_retries == outcome.device_retries == 0
    assert outcome.sent == outcome.valid


@pytest.mark.parametrize(("kind", "rate"), PAIRS)
def test_all_kinds(short, kind, rate):
    outcome = short.run(kind, rate, round(1 / rate) % 7)
    check(outcome)
    assert outcome.faults or rate < 0.005
    assert outcome.damaged <= outcome.sent


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "rate"), PAIRS)
def test_25_conversations_each(short, kind, rate):
    for number in range(25):
        check(short.run(kind, rate, 100 + number))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_gateware(kind):
    """Minutes each. The short form of a bad line is that of
    tests/host/device/test_protocol_machine.py."""
    check(Campaign(gateware=True, size=4).run(kind, 0.001 * (kind != GOOD), 1), size=4)


class TestNotices:
    def run(self, short, change=lambda script, port, monitors, options: None):
        """One conversation with something changed."""
        seen = {}

        def run_script(script, port, monitors, **options):
            change(script, port, monitors, options)
            seen["outcome"] = scenario.run_script(script, port, monitors, **options)
            return seen["outcome"]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(campaign, "run_script", run_script)
            short.run("bits flipped", 0.001, 1)
        return seen["outcome"].complaint

    def test_nothing_where_nothing_is(self, short):
        assert self.run(short) == ""

    def test_a_wrong_item(self, short):
        def change(script, port, monitors, options):
            options["right"] = [*options["right"][:-1], ("token", 1)]

        assert self.run(short, change) == "1 items differ"

    def test_a_missing_item(self, short):
        def change(script, port, monitors, options):
            options["right"] = [*options["right"], ("token", 1)]

        assert " were due" in self.run(short, change)

    @pytest.mark.quick
    def test_a_frame_not_counted(self, short):
        def change(script, port, monitors, options):
            monitors.host.damaged += 1

        assert self.run(short, change).startswith("the host counts ")

    def test_a_device_that_says_other_counters(self, short):
        def change(script, port, monitors, options):
            counters = options["counters"]
            options["counters"] = lambda: replace(counters(), retries=99)

        assert self.run(short, change).startswith("the device counts ")

    def test_a_conversation_without_an_end(self, short, monkeypatch):
        monkeypatch.setattr(scenario, "LIMIT_S", 0.05)
        assert self.run(short) == "no end after 0.05 s"


def test_table(short):
    outcomes = [short.run("bytes lost", 0.01, number) for number in range(2)]
    cell = Cell(kind="bytes lost", rate=0.01, outcomes=outcomes)
    *_, row = table([cell]).splitlines()
    cells = row.strip("| ").split(" | ")
    assert cells[:3] == ["bytes lost", "100", "2"]
    assert cells[4] == f"{sum(outcome.sent for outcome in outcomes):,}"
    text = verdict([cell])
    assert text.startswith("2 conversations, ") and ", 0 complaints." in text
    outcomes[0].complaint = "this"
    assert ", 1 complaints: this." in verdict([cell])
