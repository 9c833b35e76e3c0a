# SPDX-License-Identifier: MIT
"""Host and device with a monitor at each end: every frame sent or received is counted."""

from collections import Counter
from collections.abc import Callable

from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.wire.byte_line import ByteLine
from glintfpga.firmware.wire.endpoint import Endpoint, Role
from glintfpga.firmware.wire.protocol import BAUDS
from glintfpga.host.device.link import Link
from glintfpga.sim.compiled import CompiledSim
from glintfpga.sim.line import SimLine
from support.line_faults import ResettableLine
from support.link_monitor import LinkMonitor, frames_of

__all__ = [
    "GatewareLine",
    "LinkMonitors",
    "MonitoredDevice",
    "MonitoredLink",
]


class LinkMonitors:
    """What both ends of a line have sent and should have counted, over all lives of the device."""

    def __init__(self) -> None:
        self.from_host: Counter[bytes] = Counter()
        self.from_device: Counter[bytes] = Counter()
        self.host = LinkMonitor(is_host=True, sent=self.from_device)
        self.device_monitors: list[LinkMonitor] = []

    @property
    def device(self) -> LinkMonitor:
        """Of the life the device is in."""
        return self.device_monitors[-1]

    def power_up(self) -> LinkMonitor:
        """The device begins a life, with counters of zero."""
        self.device_monitors.append(LinkMonitor(is_host=False, sent=self.from_host))
        return self.device


class MonitoredDevice(SoftwareDevice):
    """A software device; ``monitors`` see what it receives and sends."""

    def attach(self, monitors: LinkMonitors) -> "MonitoredDevice":
        self._monitors = monitors
        self.monitor = monitors.power_up()
        return self

    def feed(self, data: bytes, now: float) -> None:
        self.monitor.on_rx(data)
        super().feed(data, now)

    def poll(self, now: float, *, steps: int = 1) -> bytes:
        data = super().poll(now, steps=steps)
        self._monitors.from_device.update(frames_of(data))
        return data


class GatewareLine(ResettableLine):
    """The simulated board; a reset is that of its power-up."""

    name = "board"

    def __init__(self, sim: CompiledSim, monitors: LinkMonitors):
        self._sim = sim
        self._monitors = monitors
        self._baud = BAUDS[0]
        self._past = 0.0
        self._power_up()

    def _power_up(self) -> None:
        self._sim.reset()
        self._line = SimLine(self._sim, baud=self._baud)
        self._part = b""
        self._monitors.power_up()

    def reset(self) -> None:
        self._past = self.clock()
        self._power_up()

    def clock(self) -> float:
        return self._past + self._line.clock()

    def read(self, size: int, timeout: float) -> bytes:
        data = self._line.read(size, timeout)
        *frames, self._part = (self._part + data).split(b"\0")
        self._monitors.from_device.update(raw for raw in frames if raw)
        return data

    def write(self, data: bytes) -> None:
        self._monitors.device.on_rx(data)
        self._line.write(data)

    def set_baud(self, baud: int) -> bool:
        self._baud = baud
        return self._line.set_baud(baud)


class _MonitoredEndpoint(Endpoint):
    def __init__(self, monitors: LinkMonitors):
        super().__init__(Role.HOST)
        self._monitors = monitors

    def feed(self, data: bytes, now: float) -> None:
        self._monitors.host.on_rx(data)
        super().feed(data, now)

    def poll(self, now: float, *, frames: int = 64) -> bytes:
        data = super().poll(now, frames=frames)
        self._monitors.from_host.update(frames_of(data))
        self._monitors.host.on_tx(data)
        return data


class MonitoredLink(Link):
    """A link whose end of the line the ``monitors`` see; ``dropped`` as its endpoint counts."""

    def __init__(self, *, opener: Callable[[], ByteLine], monitors: LinkMonitors):
        super().__init__(opener=opener)
        self.session.endpoint = _MonitoredEndpoint(monitors)

    @property
    def dropped(self) -> int:
        return self.session.endpoint.dropped
