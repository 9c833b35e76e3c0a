# SPDX-License-Identifier: MIT
"""Makes the shipped bitstream anew from a build: ``python -m support.shipping.renew_release
[--check]``.

``--check`` writes nothing; it exits with 1 when the shipped bitstream is not of this source.
"""

import argparse
import hashlib
import logging
import lzma
import sys
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from glintfpga.boards.board import Board
from glintfpga.boards.build import BuildOptions
from glintfpga.boards.cache import file_digest
from glintfpga.boards.catalog import board_of
from glintfpga.boards.design import device_design
from glintfpga.boards.floorplan import FLOORPLAN
from glintfpga.boards.gowin.steps import Steps
from glintfpga.boards.manifest import MANIFEST, Manifest, gateware_facts, manifest_beside
from glintfpga.boards.shipped import BITSTREAM, PACKED, read_release, release_folder, shipped
from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.quant.blink.plan import plan_of
from glintfpga.quant.errors import GlintError, InputError

__all__ = ["differences", "main", "pack", "renew"]

_OTHERS = ("report.json", FLOORPLAN)
# A dictionary as large as the file; a larger one would only cost memory while unpacking.
_FILTERS: tuple[Mapping[str, Any], ...] = (
    {
        "id": lzma.FILTER_LZMA2,
        "preset": 9 | lzma.PRESET_EXTREME,
        "dict_size": 8 << 20,
    },
)

_log = logging.getLogger("glintfpga.boards")


def differences(manifest: Manifest) -> list[str]:
    """In what a default build of this source tree would differ from the bitstream; [] if nothing.

    Of "settings", "model", "gateware" (the logic and its constraints) and "contents" (the words
    of the memories); needs the gateware library and some seconds. The build id is taken from
    `manifest`, as it changes with every edit of the sources.
    """
    board, default = board_of(manifest.board), DeviceConfig()
    wanted = (default.lanes, default.plan.code, board.default_clock_mhz, BuildOptions.seed)
    if (manifest.lanes, manifest.plan, manifest.clock_mhz, manifest.seed) != wanted:
        return ["settings"]
    image = _released_image(manifest.model)
    if image is None or hashlib.sha256(image).hexdigest() != manifest.image_sha256:
        return ["model"]
    made = _elaborated(manifest, board, image)
    return [key.removesuffix("_sha256") for key in made if made[key] != getattr(manifest, key)]


def renew(build: Path, *, board: str, root: Path) -> Path:
    """Write the folder `root`/`board` from the results of a build; returns it.

    All its files change together, after they were read back and verified. Raises InputError
    when the build is damaged, or not a default one of this source tree.
    """
    bitstream = build / BITSTREAM
    manifest = manifest_beside(bitstream, board=board)
    if manifest is None:
        raise InputError(f"there is no {MANIFEST} of {str(bitstream)!r}: run make build first")
    if others := differences(manifest):
        raise InputError(
            f"{str(bitstream)!r} is not of this source tree, {' and '.join(others)} differ: "
            "run make build first"
        )
    target = root / board
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".renew-", dir=root) as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        new.mkdir()
        (new / PACKED).write_bytes(pack(bitstream.read_bytes()))
        for name in (MANIFEST, *_OTHERS):
            if (build / name).exists():
                (new / name).write_bytes((build / name).read_bytes())
        read_release(new, board=board)
        if target.exists():
            target.rename(old)
        try:
            new.rename(target)
        except BaseException:
            if old.exists():
                old.rename(target)
            raise
    return target


def pack(bitstream: bytes) -> bytes:
    """xz with fixed settings: one bitstream gives one file, with one version of the library."""
    return lzma.compress(
        bitstream, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=list(_FILTERS)
    )


def _elaborated(manifest: Manifest, board: Board, image: bytes) -> dict[str, str]:
    """The `gateware_facts` of this source tree, with the settings and build id of `manifest`."""
    clock_mhz = manifest.clock_mhz
    config = DeviceConfig(
        lanes=manifest.lanes,
        plan=plan_of(manifest.plan),
        clock_hz=board.hertz(clock_mhz),
        build_id=bytes.fromhex(manifest.build_id),
    )
    design = device_design(board=board, image=image, config=config)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        steps = Steps(
            design=design, board=board, clock_mhz=clock_mhz, seed=manifest.seed, logs=folder
        )
        elaborate = next(step for step in steps.in_order() if step.name == "elaborate")
        elaborate.make(folder, {}, lambda detail, fraction: None)
        return gateware_facts({path.name: file_digest(path) for path in folder.iterdir()})


def _released_image(model: str | None) -> bytes | None:
    """The `.glint` file of a released model; None when there is no such model."""
    release = Path(str(resources.files("glintfpga.train"))) / "release"
    path = release / (model or "") / "model.glint"
    return path.read_bytes() if path.is_file() else None


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="support.shipping.renew_release", description=__doc__)
    parser.add_argument("--board", default=TANGNANO20K.name)
    parser.add_argument("--build", type=Path, help="folder of the build; default: build/BOARD")
    parser.add_argument("--check", action="store_true", help="only tell whether it is stale")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    board: str = arguments.board
    try:
        if not arguments.check:
            build = arguments.build or Path("build", board)
            _log.info("renewed %s", renew(build, board=board, root=release_folder()))
            return 0
        stale = differences(shipped(board).manifest)
    except GlintError as error:
        _log.error("error: %s", error)
        return error.exit_code
    if stale:
        _log.error("the shipped bitstream is stale (%s): run make release", " and ".join(stale))
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
