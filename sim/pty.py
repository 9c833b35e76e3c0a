# SPDX-License-Identifier: MIT
"""The simulated board as a serial port of its own, for minicom or another glintfpga.

The operating system's pseudo-terminal has two ends; programs open the one whose name `PtyServer`
gives, and find a board behind it.
"""

import os
import select
import sys
import threading
import time

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.sim.line import SimLine

__all__ = ["PtyServer"]

SLOWNESS = 40.0
"""Seconds that a second of a resting device lasts. Programs that know of the simulation (this
project's) wait as many times longer than for a board."""
_READ_S = 0.0005
_REST_S = 0.1


class PtyServer:
    """Connects a `SimLine` to a new pseudo-terminal, raw, 115200 baud at first.

    The rate that a program sets on the terminal is the rate of the simulated line.

    Members: ``name``, the path to open.

    Raises ``EnvironmentProblem`` where there are no pseudo-terminals (Windows), or no more.
    """

    def __init__(self, line: SimLine):
        try:
            import pty
            import termios
            import tty
        except ImportError:
            raise EnvironmentProblem(
                f"sim --pty needs a POSIX system with pseudo-terminals, not {sys.platform!r}; "
                "use the port sim:"
            ) from None
        self._line = line
        self._termios = termios
        self._rates = {
            getattr(termios, name): int(name[1:])
            for name in dir(termios)
            if name[0] == "B" and name[1:].isdigit() and int(name[1:]) > 0
        }
        # Our own handle of the far end keeps the terminal alive between two programs.
        try:
            self._near, self._far = pty.openpty()
            tty.setraw(self._far)
            settings = termios.tcgetattr(self._far)
            settings[4] = settings[5] = termios.B115200
            termios.tcsetattr(self._far, termios.TCSANOW, settings)
        except (OSError, termios.error) as error:  # which is no OSError
            raise EnvironmentProblem(
                f"no pseudo-terminal can be had ({error.args[-1]}); use the port sim:"
            ) from error
        os.set_blocking(self._near, False)
        self._baud = 115_200
        self._outgoing = b""
        self.name = os.ttyname(self._far)

    def serve(self, stop: threading.Event | None = None) -> None:
        """Run the board until ``stop`` is set (or for ever)."""
        while stop is None or not stop.is_set():
            self.step()

    def step(self) -> None:
        """Carry bytes both ways and run a slice of simulated time, or wait with a resting board."""
        resting = self._line.resting
        began = time.monotonic()
        full = [self._near] if self._outgoing else []
        ready, _, _ = select.select([self._near], full, [], _REST_S if resting else 0)
        if resting:
            self._line.skip((time.monotonic() - began) / SLOWNESS)
        self._follow_rate()
        if ready:
            self._line.write(os.read(self._near, 4096))
        if not self._line.resting:
            self._outgoing += self._line.read(4096, _READ_S)
        if self._outgoing:
            try:
                self._outgoing = self._outgoing[os.write(self._near, self._outgoing) :]
            except BlockingIOError:
                # Nobody reads. A UART would lose these bytes too, once a buffer is full.
                self._outgoing = self._outgoing[-65536:]

    def close(self) -> None:
        """Take the terminal away and close the port."""
        os.close(self._near)
        os.close(self._far)
        self._line.close()

    def _follow_rate(self) -> None:
        baud = self._rates.get(self._termios.tcgetattr(self._far)[5], self._baud)
        if baud != self._baud:
            self._baud = baud
            self._line.set_baud(baud)
