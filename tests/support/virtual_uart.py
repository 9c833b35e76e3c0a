# SPDX-License-Identifier: MIT
"""The software device behind a UART whose time only passes while the host reads.

A second of it costs milliseconds, so that a thousand bad conversations take minutes.
"""

from collections import deque
from collections.abc import Callable
from functools import partial

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.numerics import reference_model
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.wire.protocol import BAUDS, FALLBACK_ERRORS
from glintfpga.quant.numbers.sampler import Sampler
from support.line_faults import ResettableLine

__all__ = ["VirtualUart", "reference_line", "resampled"]

BUSY_S = 0.0005
"""A token or a step of a command takes the device so long."""
IDLE_S = 0.005
"""How often a device with nothing to do looks at its timers, the shortest of which takes 50 ms."""
PIECE_BYTES = 64
"""What a USB bridge hands over at once."""

BUFFER_BYTES = 4096
"""What an operating system takes from a program before it lets it wait."""


def resampled(data: bytes, sent: float, read: float) -> tuple[bytes, int]:
    """What a UART at ``read`` baud makes of bytes sent at ``sent``: bytes, framing errors.

    The receiver is that of `glintfpga.hdl.link.uart`; time is in bits of the sender.
    """
    bits = [bit for byte in data for bit in (0, *((byte >> i) & 1 for i in range(8)), 1)]
    bits.append(1)
    step = sent / read
    out, errors, at = bytearray(), 0, 0.0

    def level(time: float) -> int:
        return bits[min(int(time), len(bits) - 1)]

    while at < len(bits):
        if level(at):
            at = int(at) + 1.0
            continue
        start, *byte, stop = (level(at + (i + 0.5) * step) for i in range(10))
        at += (0.5 if start else 9.5) * step
        if not start and stop:
            out.append(sum(bit << i for i, bit in enumerate(byte)))
        elif not start:
            errors += 1
            while not level(at):
                at = int(at) + 1.0
    return bytes(out), errors


class VirtualUart(ResettableLine):
    """A software device, its UART at 8N1, and a clock in seconds from 0.

    Parameters: ``power_up`` makes a device as it is after a reset.
    """

    name = "board"

    def __init__(self, power_up: Callable[[], SoftwareDevice]):
        self._power_up = power_up
        self._now = 0.0
        self._baud = BAUDS[0]
        self.reset()

    def reset(self) -> None:
        self.device = self._power_up()
        self._framing_errors = 0
        self._to_device: deque[tuple[float, bytes]] = deque()
        self._to_host: deque[tuple[float, bytes]] = deque()
        self._free_at = [0.0, 0.0]

    def clock(self) -> float:
        return self._now

    def set_baud(self, baud: int) -> bool:
        """Rate of the host's side; what is on the line still arrives at the old one."""
        self._baud = baud
        return True

    def write(self, data: bytes) -> None:
        """Put ``data`` onto the line; waits while more than `BUFFER_BYTES` are on it already."""
        free = self._free_at[0] - 10 * BUFFER_BYTES / self._baud
        while self._now < free:
            self._turn()
            self._now = min(free, *self._events())
        received = self._received(data, self._baud, self._device_baud, to_device=True)
        self._send(self._to_device, 0, received, self._baud)

    def read(self, size: int, timeout: float) -> bytes:
        end = self._now + timeout
        while True:
            self._turn()
            out = bytearray()
            while self._to_host and self._to_host[0][0] <= self._now and len(out) < size:
                out += self._to_host.popleft()[1]
            if out or self._now >= end:
                if rest := bytes(out[size:]):
                    self._to_host.appendleft((self._now, rest))
                return bytes(out[:size])
            self._now = min([end, *self._events()])

    @property
    def _device_baud(self) -> int:
        return BAUDS[self.device.baud_index]

    def _events(self) -> list[float]:
        """Times at which something can happen."""
        line = [queue[0][0] for queue in (self._to_device, self._to_host) if queue]
        steps = self._now + (IDLE_S if self.device.idle else BUSY_S)
        return [steps, *(at for at in line if at > self._now)]

    def _turn(self) -> None:
        while self._to_device and self._to_device[0][0] <= self._now:
            self.device.feed(self._to_device.popleft()[1], self._now)
        if self._free_at[1] <= self._now:  # as in the gateware, a frame waits for the one before
            baud = self._device_baud
            frames = self.device.poll(self._now)
            received = self._received(frames, baud, self._baud, to_device=False)
            self._send(self._to_host, 1, received, baud)

    def _send(self, queue: deque[tuple[float, bytes]], way: int, data: bytes, baud: float) -> None:
        at = max(self._now, self._free_at[way])
        for start in range(0, len(data), PIECE_BYTES):
            piece = data[start : start + PIECE_BYTES]
            at += 10 * len(piece) / baud
            queue.append((at, piece))
        self._free_at[way] = at

    def _received(self, data: bytes, sent: float, read: float, *, to_device: bool) -> bytes:
        if sent == read:
            if data and to_device:
                self._framing_errors = 0
            return data
        received, errors = resampled(data, sent, read)
        if to_device:
            self._framing_errors += errors
            if self._framing_errors >= FALLBACK_ERRORS:
                self._framing_errors = 0
                self.device.fall_back()
        return received


def reference_line(image: Image, *, lanes: int) -> VirtualUart:
    """The software device of an image behind a UART: what a right device answers."""
    config = DeviceConfig(lanes=lanes, plan=image.model.plan)
    load = partial(reference_model, config=config)
    info = config.hello()

    def power_up() -> SoftwareDevice:
        return SoftwareDevice(model=load(image.data), load=load, sampler=Sampler(), info=info)

    return VirtualUart(power_up)
