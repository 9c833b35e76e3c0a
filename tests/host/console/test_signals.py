# SPDX-License-Identifier: MIT
import signal
import subprocess
import sys
import threading

import pytest

from glintfpga.host.console.signals import tidy_end

SIGNALS = [signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def started_at_a_terminal():
    """Not in the background, where ``nohup`` has the signal ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_leaves_the_block(number):
    cleaned = []
    with pytest.raises(SystemExit) as ended, tidy_end():
        try:
            signal.raise_signal(number)
        finally:
            for one in SIGNALS:
                signal.raise_signal(one)
            cleaned.append(number)
    assert (ended.value.code, cleaned) == (128 + number, [number])
    assert signal.getsignal(number) == signal.SIG_DFL


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with tidy_end():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.quick
def test_other_threads_and_systems(monkeypatch):
    thread = threading.Thread(target=tidy_end().__enter__)
    thread.start()
    thread.join()
    monkeypatch.delattr(signal, "SIGHUP")
    with tidy_end():
        assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


COMMAND = """
import sys, time
import glintfpga.boards.build as module

def build(options, progress):
    try:
        print("building", flush=True)
        time.sleep(60)
    finally:
        print("cleaned", flush=True)

module.build = build
from glintfpga.host.cli import main
main()
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_a_build_cleans_up_and_says_nothing(number):
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "build"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"building\n"
    process.send_signal(number)
    assert process.communicate(timeout=30) == (b"cleaned\n", b"")
    assert process.returncode == 128 + number
