# SPDX-License-Identifier: MIT
import contextlib
import logging
import os
import re
import subprocess
import sys
import threading
import time

import pytest

from glintfpga.host.commands.flash import _BAR
from glintfpga.host.console import progress as module
from glintfpga.host.console.progress import Progress, Waiting, counting, lines_due

PLAYED = """
import logging, sys, time
from glintfpga.host.console import progress
from glintfpga.host.commands.options import _Notes

progress.PATIENCE_S = 0.1
log = logging.getLogger("glintfpga")
log.setLevel(logging.INFO)
log.addHandler(_Notes())
with progress.counting("quick", 10) as show:
    show(5)
with progress.counting("verify", 10) as show:
    for done in range(10):
        show(done, "step %d" % done)
        time.sleep(0.1)
        if done == 5:
            log.info("a note")
with progress.counting("waiting"), progress.counting("inner"):
    time.sleep(0.5)
print("data")
"""


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module.time, "monotonic", clock)
    return clock


def test_time_left_goes_by_the_pace_and_the_clock(clock):
    progress = Progress("x", 200, clock=clock)
    assert progress.state == "0 %"
    clock.now += 10
    progress(8)
    assert progress.state == "4 %"
    progress(20, "reading")
    assert progress.state == "10 %, 1:30 left, reading"
    clock.now += 31
    assert progress.state == "10 %, 0:59 left, reading"
    clock.now += 100
    assert progress.state == "10 %, 0:00 left, reading"
    progress(200)
    assert progress.state == "100 %, 0:00 left"


def test_time_left_goes_by_the_phase(clock):
    progress = Progress("build", 1.0, clock=clock)
    clock.now += 500
    progress(0.5, phase="first, slow")
    progress(0.5, phase="second")
    assert progress.seconds_left is None
    clock.now += 10
    progress(0.6, phase="second")
    assert progress.seconds_left == pytest.approx(40)


@pytest.mark.parametrize(
    "seconds, text", [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (7261, "2:01:00")]
)
def test_without_a_total_the_time_spent_is_shown(clock, seconds, text):
    progress = Progress("x", None, clock=clock)
    clock.now += seconds
    assert progress.state == text


@pytest.mark.parametrize(
    "seconds, lines", [(4.9, 0), (5, 1), (14.9, 1), (15, 2), (30, 3), (59.9, 3), (60, 4), (300, 12)]
)
def test_lines_come_soon_and_then_seldom(seconds, lines):
    assert lines_due(seconds) == lines


@pytest.fixture
def hasty(monkeypatch):
    """Lines are due at once, at 0.3 s, and no more."""
    monkeypatch.setattr(module, "FIRST_LINES_S", (0.0, 0.3))
    monkeypatch.setattr(module, "LOOK_S", 0.01)


@pytest.mark.quick
def test_elsewhere_a_line_now_and_then(hasty, notes):
    with counting("verify", 100) as show:
        for done in range(50):
            show(done)
            time.sleep(0.01)
    assert len(notes) == 2
    assert re.fullmatch(r"verify: \d %", notes[0])
    assert re.fullmatch(r"verify: [23]\d %, 0:0\d left", notes[1])


def test_elsewhere_a_line_without_a_word_from_what_runs(hasty, notes):
    with counting("simulating"):
        time.sleep(0.2)
    assert notes == ["simulating: 0:00"]
    assert "glintfpga progress" not in [thread.name for thread in threading.enumerate()]


def test_elsewhere_nothing_of_what_is_quick(monkeypatch, notes):
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    with counting("verify", 100):
        time.sleep(0.1)
    assert notes == []


def test_within_another_nothing_is_shown(hasty, notes):
    with counting("outer", 100), counting("inner", 100):
        Waiting("waiting")()
        time.sleep(0.1)
    with counting("next", 100):
        time.sleep(0.1)
    assert notes == ["outer: 0 %", "next: 0 %"]


def test_waiting(clock, notes):
    waiting = Waiting("sending", 1000)
    for second in range(20):
        waiting(10 * second)
        clock.now += 1
    assert notes == ["sending: 5 %, 1:35 left", "sending: 15 %, 1:25 left"]


def test_quiet(hasty, notes):
    logging.getLogger("glintfpga").setLevel(logging.WARNING)
    with counting("verify", 100):
        time.sleep(0.1)
    Waiting("waiting")()
    assert notes == []


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_bar_on_a_terminal_and_data_apart():
    near, far = os.openpty()
    done = subprocess.run(
        [sys.executable, "-c", PLAYED],
        stdout=subprocess.PIPE,
        stderr=far,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
        timeout=60,
        check=True,
    )
    os.close(far)
    shown = b""
    with os.fdopen(near, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
        while data := terminal.read(4096):
            shown += data
    shown = shown.decode()
    assert done.stdout == b"data\n"
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown)
    assert "quick" not in plain and "inner" not in plain
    assert re.search(r"verify ━+.*? 70 %, 0:00 left, step 7", plain)
    assert re.search(r"waiting ━+ 0:0[01]", plain)
    assert re.search(r"\ra note *\r\n", plain)
    # The last thing drawn is erased and the cursor is back.
    assert shown.endswith("\x1b[2K") and "\x1b[?25h" in shown


@pytest.mark.parametrize(
    "line, label, share",
    [
        ("Load SRAM: [=========                ] 17.25%", "Load SRAM", "17.25"),
        ("Writing: [==================================] 100.00%", "Writing", "100.00"),
    ],
)
def test_bar_of_the_flash_tool(line, label, share):
    assert _BAR.search(line).groups() == (label, share)
