# SPDX-License-Identifier: MIT
import contextlib
import logging
import os
import re
import subprocess
import sys

import pytest

from glintfpga.host import progress as module
from glintfpga.host.commands.flash import _BAR
from glintfpga.host.progress import Progress, counting

PLAYED = """
import logging, sys, time
from glintfpga.host import progress
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


def test_elsewhere_a_line_now_and_then(clock, notes):
    with counting("verify", 100) as show:
        for done in range(100):
            clock.now += 1
            show(done)
    assert notes == [
        "verify: 29 %, 1:13 left",
        "verify: 59 %, 0:42 left",
        "verify: 89 %, 0:11 left",
    ]


def test_elsewhere_nothing_of_what_is_quick(clock, notes):
    with counting("verify", 100) as show:
        for done in range(100):
            clock.now += 0.2
            show(done)
    assert notes == []


def test_within_another_nothing_is_shown(clock, notes):
    with counting("outer", 100) as outer, counting("inner", 100) as inner:
        clock.now += 40
        inner(10)
        outer(10)
    with counting("next", 100) as show:
        clock.now += 40
        show(10)
    assert notes == ["outer: 10 %, 6:00 left", "next: 10 %, 6:00 left"]


def test_quiet(clock, notes):
    logging.getLogger("glintfpga").setLevel(logging.WARNING)
    with counting("verify", 100) as show:
        clock.now += 100
        show(50)
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
