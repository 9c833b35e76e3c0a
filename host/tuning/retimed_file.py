# SPDX-License-Identifier: MIT
"""The .fs file of another clock, with a manifest of its own; and whether a file keeps to that.

In the file change only fuses of the PLL and the word clock_hz of the hello, in the contents of its
block RAM: so every command reports the clock that a device has. The rates of the line and the
device's milliseconds are counters in its logic; they scale with the clock, which the host takes
into account (`glintfpga.host.ports.open_port`).
"""

import contextlib
import hashlib
import importlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

from glintfpga.boards.board import Board
from glintfpga.boards.catalog import board_of
from glintfpga.boards.manifest import MANIFEST, MAX_BYTES, Manifest, Retimed, manifest_beside
from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.bounded import read_limited
from glintfpga.quant.files.strict_json import parse_object

__all__ = ["BuiltFile", "check_retimed"]


class BuiltFile:
    """A bitstream of a build, decoded once, from which those of other clocks are made.

    Raises ``InputError`` for one without a manifest, without a PLL, or that is retimed itself, and
    ``EnvironmentProblem`` or ``ModuleNotFoundError`` without the chip database.
    """

    def __init__(self, path: Path, *, board: str):
        importlib.import_module("apycula")  # so that a missing package is reported by its name
        from glintfpga.sim.gowin.decode.bitstream import decode
        from glintfpga.sim.gowin.decode.retime import clock_flips

        manifest = manifest_beside(path, board=board)
        if manifest is None or manifest.retimed is not None:
            what = "has no manifest beside it" if manifest is None else "is a tuned one itself"
            raise InputError(f"{str(path)!r} {what}: name the bitstream as glintfpga build made it")
        self.path = path
        self.manifest = manifest
        self.board = board_of(board)
        self._decoded = decode(path, board=self.board)
        self._decoded.check_clock(manifest.clock_mhz)
        if clock_flips(self._decoded, manifest.clock_mhz):
            raise AssertionError("a PLL that was just decoded differs from its settings")

    @property
    def clocks(self) -> list[float]:
        """Clocks that the PLL makes, in MHz, from that of the build up."""
        return sorted(one for one in self.board.dividers if one >= self.manifest.clock_mhz)

    @contextlib.contextmanager
    def at(self, clock_mhz: float) -> Iterator[Path]:
        """The .fs file for a clock, beside its manifest; removed when the block ends.

        For the clock of the build that is the file itself.
        """
        if clock_mhz == self.manifest.clock_mhz:
            yield self.path
            return
        with tempfile.TemporaryDirectory(prefix="glintfpga-") as folder:
            path = Path(folder, self.manifest.bitstream)
            data = self._text(clock_mhz)
            path.write_bytes(data)
            facts = parse_object(read_limited(self.path.parent / MANIFEST, MAX_BYTES))
            facts |= {
                "bitstream_sha256": hashlib.sha256(data).hexdigest(),
                "clock_mhz": clock_mhz,
                "retimed": asdict(
                    _pll(
                        self.board,
                        clock_mhz,
                        from_sha256=self.manifest.bitstream_sha256,
                        built_clock_mhz=self.manifest.clock_mhz,
                    )
                ),
            }
            path.with_name(MANIFEST).write_text(f"{json.dumps(facts, indent=2)}\n", "utf-8")
            check_retimed(path, board=self.board.name)
            yield path

    def _text(self, clock_mhz: float) -> bytes:
        from glintfpga.sim.gowin.decode.retime import clock_flips, content_flips, text

        old = _hello_word(self.manifest, self.manifest.clock_mhz)
        new = _hello_word(self.manifest, clock_mhz)
        flips = clock_flips(self._decoded, clock_mhz) + content_flips(self._decoded, old, new)
        return text(self._decoded.with_flips(flips))


def check_retimed(path: Path, *, board: str) -> None:
    """Decode a tuned bitstream and hold it to its manifest; other ones are not looked at.

    Raises ``InputError`` where PLL or hello are not as the manifest says.
    """
    manifest = manifest_beside(path, board=board)
    if manifest is None or manifest.retimed is None:
        return
    importlib.import_module("apycula")
    from glintfpga.sim.gowin.decode.bitstream import decode
    from glintfpga.sim.gowin.decode.retime import content_flips

    chip = board_of(board)
    said = manifest.retimed
    if {manifest.clock_mhz, said.built_clock_mhz} - set(chip.dividers) or said != _pll(
        chip,
        manifest.clock_mhz,
        from_sha256=said.from_sha256,
        built_clock_mhz=said.built_clock_mhz,
    ):
        raise InputError(
            f"the manifest of {str(path)!r} has other settings of the PLL than "
            f"{manifest.clock_mhz:g} MHz need: run glintfpga tune again"
        )
    decoded = decode(path, board=chip)  # refuses a PLL whose pump and filter do not fit
    decoded.check_clock(manifest.clock_mhz)
    word = _hello_word(manifest, manifest.clock_mhz)
    try:
        content_flips(decoded, word, word)
    except InputError:
        raise InputError(
            f"the hello in {str(path)!r} does not say {manifest.clock_mhz:g} MHz, as its manifest "
            "does: run glintfpga tune again"
        ) from None


def _pll(board: Board, clock_mhz: float, *, from_sha256: str, built_clock_mhz: float) -> Retimed:
    from glintfpga.sim.gowin.decode.pll import attributes_for

    settings = attributes_for(board, clock_mhz)
    return Retimed(
        from_sha256=from_sha256,
        built_clock_mhz=built_clock_mhz,
        divider=int(settings["IDIV"]),
        multiplier=int(settings["FDIV"]),
        vco_divider=int(settings["ODIV"]),
        band=int(settings["FLDCOUNT"]),
        charge_pump_ua=int(settings["ICPSEL"]),
        loop_resistor=str(settings["LPR"]),
    )


def _hello_word(manifest: Manifest, clock_mhz: float) -> bytes:
    """Clock and build as they lie in the memory of the hello."""
    clock_hz = int(Fraction(str(clock_mhz)) * 1_000_000)
    build_id = bytes.fromhex(manifest.build_id)
    return HelloInfo(machine=0, family=0, clock_hz=clock_hz, build_id=build_id).clock_and_build()
