# SPDX-License-Identifier: MIT
"""A board that is flashed with one clock after the other, and verified at each.

Only its SRAM is written. On the way out, whatever the reason, the bitstream that was there by
default is put back; where that does not work, the user is told which clock the board has.
"""

import logging
from collections.abc import Callable
from functools import partial

from glintfpga.boards.flash import openfpgaloader
from glintfpga.boards.manifest import Manifest
from glintfpga.firmware.blink.c_model import CompiledModel
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.wire.protocol import BAUDS, SelfTest
from glintfpga.host.console.progress import counting
from glintfpga.host.device.client import FAILED_TESTS, Client
from glintfpga.host.device.connect import has_image, load
from glintfpga.host.device.link import Link
from glintfpga.host.device.verify import CompiledSide, verify
from glintfpga.host.ports.open_port import open_at_factor
from glintfpga.host.ports.usb import BridgePort
from glintfpga.host.tuning.retimed_file import BuiltFile
from glintfpga.quant.errors import DeviceError, GlintError

__all__ = ["BoardUnderTest", "check_clock"]

_log = logging.getLogger("glintfpga")


class BoardUnderTest:
    """One board, as a context manager that leaves it at the clock of the build.

    Parameters: the UART half of the board, the bitstream, and the image to compare with, which is
    put into the device first where ``loads``.
    """

    def __init__(self, port: BridgePort, built: BuiltFile, image: Image, *, loads: bool):
        self._port = port
        self._built = built
        self._image = image
        self._loads = loads
        self._clock_mhz: float | None = None
        """What the board was flashed for last; None before."""
        self._is_whole = True
        """Whether that came to its end."""

    def __enter__(self) -> "BoardUnderTest":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._clock_mhz is None or (kind is not None and self._is_as_built):
            return
        try:
            self.put_back()
        except BaseException as error:
            if not self._is_as_built:
                _log.error(
                    "the board was left with the bitstream for %g MHz, until power-off: "
                    "unplug it, or run glintfpga flash",
                    self._clock_mhz,
                )
            if kind is None or not isinstance(error, GlintError):
                raise
            _log.error("%s", error)

    @property
    def _is_as_built(self) -> bool:
        return self._is_whole and self._clock_mhz == self._built.manifest.clock_mhz

    def flash(self, clock_mhz: float) -> None:
        """Put the bitstream for a clock into the board's SRAM; raises as the flash tool does."""
        with self._built.at(clock_mhz) as path, counting(f"flash {clock_mhz:g} MHz"):
            self._clock_mhz, self._is_whole = self._clock_mhz or clock_mhz, False
            openfpgaloader.flash(
                path, board=self._built.board.name, serial_number=self._port.serial_number
            )
            self._clock_mhz, self._is_whole = clock_mhz, True

    def put_back(self) -> None:
        """Flash the bitstream as it was built, and see that it works."""
        own = self._built.manifest.clock_mhz
        if not self._is_as_built:
            _log.info("putting the bitstream for %g MHz back", own)
            self.flash(own)
        with self._client(own) as client:
            check_clock(client, self._built.manifest, own)

    def verify(self, clock_mhz: float, tokens: int) -> None:
        """Compare so many tokens at the clock that was flashed; ``DeviceError`` where it fails."""
        with counting(f"{clock_mhz:g} MHz", tokens) as progress, self._client(clock_mhz) as client:
            check_clock(client, self._built.manifest, clock_mhz)
            client.fastest(BAUDS[-1])
            self._compare(client, tokens, progress)

    def _client(self, clock_mhz: float) -> Client:
        factor = clock_mhz / self._built.manifest.clock_mhz
        client = Client(Link(opener=partial(open_at_factor, self._port.device, factor)))
        try:
            client.connect()
        except BaseException:
            client.link.close()
            raise
        return client

    def _compare(self, client: Client, tokens: int, progress: Callable[[float], None]) -> None:
        image = self._image
        if self._loads and not has_image(client, image):
            load(client, image)
        if not has_image(client, image):
            raise DeviceError(
                f"it holds the model {client.model_id[:16]}, not {image.model_id[:16]}; "
                "name it with --load"
            )
        with CompiledModel(image, lanes=client.machine.lanes) as model:
            side = CompiledSide(model, eos=image.model.eos)
            result = verify(client, image, tokens, reference=side, progress=progress)
        if result.first is not None:
            raise DeviceError(
                f"token {result.first.position} of {tokens:,} differs from the reference"
            )


def check_clock(client: Client, manifest: Manifest, clock_mhz: float) -> None:
    """Raise ``DeviceError`` unless a device passed its self-test and is the build at this clock."""
    info = client.info
    if info.self_test in FAILED_TESTS:
        raise DeviceError(f"the self-test failed: {FAILED_TESTS[SelfTest(info.self_test)]}")
    if manifest.model is not None and info.self_test != SelfTest.PASSED:
        raise DeviceError(f"the device ran no self-test ({info.self_test})")
    if (info.clock_hz, info.build_id.hex()) != (round(clock_mhz * 1e6), manifest.build_id):
        raise DeviceError(
            f"the device says {info.clock_hz / 1e6:g} MHz and build {info.build_id.hex()}, its "
            f"bitstream {clock_mhz:g} MHz and {manifest.build_id}"
        )
