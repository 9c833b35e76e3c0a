# SPDX-License-Identifier: MIT
"""Makes the shipped simulation anew: ``python -m support.shipping.rebuild_sim [--check]``.

``--check`` builds nothing; it exits with 1 when ``sim.wasm`` is not of this source.
"""

import argparse
import hashlib
import logging
import sys
import time
from importlib import resources
from pathlib import Path

from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.firmware.blink.image import Image
from glintfpga.hdl.device import Device
from glintfpga.hdl.row.machine import RowMachine
from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.sim.shipped import SimManifest, shipped_manifest, write_manifest
from support.cxxrtl import build_wasm, recipe_text, rtlil_hash, rtlil_text

__all__ = ["CONFIG", "default_device", "default_image", "is_stale", "rebuild"]

CONFIG = DeviceConfig(clock_hz=TANGNANO20K.hertz(None), build_id=b"sim")
"""That of the default bitstream but for the build: `sim:` is the same gateware."""

_log = logging.getLogger("glintfpga.sim")


def default_image() -> Image:
    """The model of power-up: the default of the release folder."""
    release = Path(str(resources.files("glintfpga.train"))) / "release" / "blink-base"
    return Image.read(release / "model.glint")


def default_device(image: Image) -> Device:
    """The simulated device."""
    return Device(RowMachine(CONFIG, image))


def is_stale() -> bool:
    """Whether the shipped simulation was made of another model or gateware, or otherwise."""
    image = default_image()
    try:
        manifest = shipped_manifest()
    except EnvironmentProblem:
        return True
    return (manifest.rtlil, manifest.recipe) != (
        rtlil_hash(rtlil_text(default_device(image))),
        _recipe_hash(),
    )


def rebuild(folder: Path) -> None:
    """Write ``sim.wasm`` and ``sim.json`` into ``folder``."""
    image = default_image()
    wasm = folder / "sim.wasm"
    began = time.monotonic()
    rtlil = build_wasm(default_device(image), wasm, tell=lambda step: _log.info("%s", step))
    manifest = SimManifest(
        wasm=hashlib.sha256(wasm.read_bytes()).hexdigest(),
        rtlil=rtlil,
        recipe=_recipe_hash(),
        image=image.model_id,
        lanes=CONFIG.lanes,
        plan=CONFIG.plan.code,
        clk_hz=CONFIG.clock_hz,
    )
    write_manifest(manifest, folder / "sim.json")
    _log.info("%s: %d bytes in %.0f s", wasm, wasm.stat().st_size, time.monotonic() - began)


def _recipe_hash() -> str:
    return hashlib.sha256(recipe_text().encode()).hexdigest()


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="support.shipping.rebuild_sim", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell whether it is stale")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if not arguments.check:
        rebuild(Path(str(resources.files("glintfpga.sim"))))
        return 0
    _log.info("comparing the gateware with that of sim.wasm")
    if stale := is_stale():
        _log.error("sim.wasm was made of other sources; run make sim")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
