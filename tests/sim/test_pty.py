# SPDX-License-Identifier: MIT
import contextlib
import sys
import threading
import time

import pytest

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.sim.idle import Rest
from glintfpga.sim.line import SimLine
from glintfpga.sim.pty import SLOWNESS, PtyServer

serial = pytest.importorskip("serial")


@pytest.fixture
def server(swapper):
    server = PtyServer(SimLine(swapper, rest=Rest(swapper)))
    stop = threading.Event()
    thread = threading.Thread(target=server.serve, args=[stop])
    thread.start()
    yield server
    stop.set()
    thread.join()
    server.close()


def exchange(name, baud, data):
    with contextlib.closing(serial.Serial(name, baud, timeout=5)) as line:
        line.write(data)
        return line.read(len(data))


def test_follows_the_rate_of_the_program(server):
    # The device behind it works at 3 Mbaud and nothing else.
    assert exchange(server.name, 3_000_000, b"hello") == b"idmmn"
    assert exchange(server.name, 3_000_000, bytes(range(200))) == bytes(b ^ 1 for b in range(200))


def test_another_rate_is_noise(server):
    with contextlib.closing(serial.Serial(server.name, 1_000_000, timeout=0.3)) as line:
        line.write(b"hello")
        assert line.read(5) != b"idmmn"


def test_computes_nothing_while_nobody_speaks(server):
    line = server._line
    assert exchange(server.name, 3_000_000, b"a") == b"`"
    deadline = time.monotonic() + 20
    while not line.resting and time.monotonic() < deadline:
        time.sleep(0.01)
    cycles, clock, began = line.sim.cycles, line.clock(), time.monotonic()
    time.sleep(1.0)
    assert line.sim.cycles == cycles
    assert 0 < line.clock() - clock < (time.monotonic() - began + 0.5) / SLOWNESS
    assert exchange(server.name, 3_000_000, b"a") == b"`"


def test_bytes_that_nobody_reads_cost_nothing(server):
    with contextlib.closing(serial.Serial(server.name, 3_000_000, timeout=5)) as line:
        line.write(bytes(9000))
        deadline = time.monotonic() + 60
        while not server._line.resting and time.monotonic() < deadline:
            time.sleep(0.01)
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.1
        got = b""
        while len(got) < 9000 and (data := line.read(9000 - len(got))):
            got += data
        assert got == b"\1" * 9000


@pytest.mark.quick
def test_system_without_pseudo_terminals(monkeypatch, swapper):
    monkeypatch.setitem(sys.modules, "pty", None)
    wanted = "^sim --pty needs a POSIX system .* use the port sim:$"
    with pytest.raises(EnvironmentProblem, match=wanted):
        PtyServer(SimLine(swapper))


@pytest.mark.parametrize("kind", ["no more of them", "settings refused"])
def test_no_pseudo_terminal_to_be_had(monkeypatch, swapper, kind):
    import pty
    import termios

    def fail(*arguments):
        if kind == "no more of them":
            raise OSError(2, "out of pty devices")
        raise termios.error(22, "Invalid argument")

    monkeypatch.setattr(
        *((pty, "openpty") if kind == "no more of them" else (termios, "tcsetattr")), fail
    )
    with pytest.raises(EnvironmentProblem, match="^no pseudo-terminal can be had .*; use the port"):
        PtyServer(SimLine(swapper))
