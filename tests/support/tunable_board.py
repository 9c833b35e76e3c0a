# SPDX-License-Identifier: MIT
"""A board that computes wrongly above some clock, for `glintfpga tune` and `flash --tuned`.

It is flashed through a program in place of openFPGALoader, which copies the .fs file it is given.
Its clock is that of the PLL in the copy, decoded; its hello reads the clock out of the copy's
block RAM; its UART has the rates that this clock makes of those of the build.
"""

import hashlib
import json
import struct
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from serial.tools.list_ports_common import ListPortInfo

from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.device.loaded_model import LoadedModel
from glintfpga.firmware.device.software_device import SoftwareDevice
from glintfpga.firmware.wire.byte_line import ByteLine, LinkLost
from glintfpga.firmware.wire.protocol import BAUDS, FALLBACK_ERRORS
from glintfpga.quant.numbers.sampler import Sampler
from glintfpga.sim.gowin.decode.bitstream import decode
from support.numerics_cache import NumericsCache
from support.virtual_uart import resampled

__all__ = ["PORT", "SERIAL", "TunableBoard"]

PORT, SERIAL = "/dev/ttyUSB1", "2023030621"
TICK_S = 0.0005
SOUND_LOGITS = 60
"""How many come right before a board that is too fast makes the first mistake."""
_LOADER = """#!/bin/sh
for last; do :; done
echo "$@" >> {folder}/calls
[ -e {folder}/broken ] && {{ echo "usb bulk write failed"; exit 1; }}
cp "$last" {folder}/flashed.fs
"""


class TunableBoard:
    """A board on a desk.

    Parameters:
        folder: for the flash tool and what it wrote.
        image: the model in the bitstream.
        build_hz: the clock that the rates of the line were computed for.
        limit_hz: the fastest clock at which it computes right.
        fault: what it does above: "wrong" logits after a while, "self-test" or "silent".

    Members:
        image: as above.
        loader: the program to flash it with.
        serial_number: of its USB bridge.
        on_token: called with the clock before each token of it.
    """

    def __init__(
        self, folder: Path, image: Image, *, build_hz: int, limit_hz: float, fault: str = "wrong"
    ):
        self.folder = folder
        self.limit_hz = limit_hz
        self.fault = fault
        self.serial_number = SERIAL
        self.on_token = lambda clock_hz: None
        self.image = image
        self._build_hz = build_hz
        self._known: dict[str, tuple[int, int, bytes]] = {}
        self._numerics = NumericsCache()
        self._started = 0
        self.clock_hz = 0
        self.loader = folder / "openFPGALoader"
        self.loader.write_text(_LOADER.format(folder=folder))
        self.loader.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        """Arguments of each run of the flash tool."""
        path = self.folder / "calls"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def forget_calls(self) -> None:
        """Begin the list anew."""
        (self.folder / "calls").unlink(missing_ok=True)
        self._started = 0

    def break_loader(self, *, broken: bool = True) -> None:
        """From now on the flash tool fails, or works again."""
        path = self.folder / "broken"
        path.touch() if broken else path.unlink(missing_ok=True)

    def ports(self) -> list[ListPortInfo]:
        """What pyserial lists."""
        found = []
        for number in range(2):
            info = ListPortInfo(f"/dev/ttyUSB{number}")
            info.vid, info.pid = 0x0403, 0x6010
            info.serial_number, info.location = self.serial_number, f"1-2:1.{number}"
            info.hwid = "USB"
            found.append(info)
        return found

    def open(self, *, name: str, baud: int, rate_factors: tuple[float, ...]) -> "Line":
        """In place of a serial line; a board that was flashed since starts anew."""
        assert name == PORT
        if self._started != len(self.calls):
            self._started = len(self.calls)
            data = (self.folder / "flashed.fs").read_bytes()
            self._configure(hashlib.sha256(data).hexdigest())
        return Line(self, rate_factors)

    def _configure(self, digest: str) -> None:
        """Start with the bitstream that was flashed."""
        if digest not in self._known:
            self._known[digest] = self._read()
        self.clock_hz, said_hz, build_id = self._known[digest]
        config = DeviceConfig(lanes=4, clock_hz=said_hz, build_id=build_id)
        self.device = SoftwareDevice(
            model=self._model(self.image.data, config),
            load=partial(self._model, config=config),
            sampler=Sampler(),
            info=config.hello(),
        )

    def _read(self) -> tuple[int, int, bytes]:
        """Clock by the PLL, clock by the hello, and build."""
        decoded = decode(self.folder / "flashed.fs", board=TANGNANO20K)
        facts = json.loads((self.folder / "manifest.json").read_text())
        build_id = bytes.fromhex(facts["build_id"])
        for cell in decoded.netlist.cells:
            if cell.kind != "BSRAM":
                continue
            packed = np.frombuffer(cell.parameters["INIT"].to_bytes(2304, "little"), np.uint8)
            bits = np.unpackbits(packed, bitorder="little").reshape(-1, 9)
            data = np.packbits(bits[:, :8], axis=1, bitorder="little").tobytes()
            if (at := data.find(build_id)) >= 0:
                return decoded.clock_hz, struct.unpack_from("<I", data, at - 4)[0], build_id
        raise AssertionError("the bitstream has no hello")

    def _model(self, data: bytes, config: DeviceConfig) -> LoadedModel:
        model = self._numerics.load(data, replace(config, clock_hz=0, build_id=b""))
        right, count = model.numerics.logits, iter(range(1 << 40))

        def logits() -> np.ndarray:
            self.on_token(self.clock_hz)
            found = right()
            if self.clock_hz > self.limit_hz and self.fault != "silent":
                found = found.copy()
                found[7] += self.fault == "self-test" or next(count) >= SOUND_LOGITS
            return found

        model.numerics.logits = logits  # type: ignore[method-assign]
        return model


class Line(ByteLine):
    """The board's serial port; the bridge does 3,000,000 baud."""

    name = PORT
    real_time = False

    def __init__(self, board: TunableBoard, rate_factors: tuple[float, ...]):
        self.rate_factors = rate_factors
        self._board = board
        self._now = 0.0
        self._baud = BAUDS[0]
        self._errors = 0

    def clock(self) -> float:
        return self._now

    def _carried(self, data: bytes, *, arriving: bool) -> bytes:
        board = self._board
        if board.fault == "silent" and board.clock_hz > board.limit_hz:
            return b""
        rate = BAUDS[board.device.baud_index] * board.clock_hz / board._build_hz
        if abs(rate / self._baud - 1) < 0.01:
            self._errors = 0
            return data
        rates = (rate, self._baud) if arriving else (self._baud, rate)
        heard, errors = resampled(data, *rates)
        self._errors += 0 if arriving else errors
        if self._errors >= FALLBACK_ERRORS:
            self._errors = 0
            board.device.fall_back()
        return heard

    def read(self, size: int, timeout: float) -> bytes:
        if not self._board.ports():
            raise LinkLost(f"port {self.name!r} was lost")
        deadline = self._now + timeout
        while True:
            self._now += TICK_S
            data = self._carried(self._board.device.poll(self._now), arriving=True)
            if data or self._now >= deadline:
                return data

    def write(self, data: bytes) -> None:
        self._board.device.feed(self._carried(data, arriving=False), self._now)

    def set_baud(self, baud: int) -> bool:
        if baud > BAUDS[-1]:
            return False
        self._baud = baud
        return True
