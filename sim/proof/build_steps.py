# SPDX-License-Identifier: MIT
"""The origin of a bitstream: the steps of its build, traced back by the content of their files.

    pack <- carry <- memory <- route <- lut4 <- synth    (and memory <- elaborate)

Every step records the sha256 of what it read and wrote (`glintfpga.boards.cache`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glintfpga.boards.cache import file_digest
from glintfpga.boards.gowin import bram_patch, bram_signatures
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.strict_json import parse_object
from glintfpga.sim.gowin.netlist.flat_netlist import FlatNetlist
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Netlist
from glintfpga.sim.gowin.netlist.synthesis import read_synthesis

__all__ = ["Origin", "origin_of", "read_filled"]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The inputs of a bitstream's build."""

    synthesized: Netlist
    """Including the memory contents of the model."""
    places: Mapping[str, str]
    """Cell names of the bitstream, which are places, to those of ``synthesized``."""
    heads_patched: int
    """Carry chain heads that `glintfpga.boards.gowin.carry` repaired."""

    @property
    def registers(self) -> dict[str, str]:
        """The part of `places` that is registers."""
        kept = {cell.name for cell in self.synthesized.cells if cell.kind == "DFF"}
        return {place: name for place, name in self.places.items() if name in kept}

    def wires(self, flat: FlatNetlist) -> dict[str, tuple[int, ...]]:
        """Wires that registers drive, by their names in the source: nets of the bitstream.

        ``flat`` is the bitstream; the lowest bit comes first.
        """
        places = {name: place for place, name in self.places.items()}
        nets = {LOW: LOW, HIGH: HIGH}
        for cell in self.synthesized.cells:
            if cell.kind == "DFF" and places.get(cell.name) in flat.index:
                placed = flat.cells[flat.index[places[cell.name]]]
                nets[cell.ports["Q"][0]] = placed.ports["Q"][0]
        return {
            name: tuple(nets[net] for net in wire)
            for name, wire in self.synthesized.wires.items()
            if nets.keys() >= set(wire)
        }


def origin_of(bitstream: Path, netlist: Path | None = None) -> Origin | None:
    """The origin of a bitstream, from the ``cache`` beside it; None if there is none.

    ``netlist`` names another synthesized netlist than the recorded one; its registers must have
    the same names. Raises ``InputError`` for a damaged cache.
    """
    cache = bitstream.parent / "cache"
    pack = _step(cache, "pack", "top.fs", file_digest(bitstream))
    if pack is None:
        return None
    carry = _needed(cache, "carry", "top.pnr.json", pack[1][0])
    filled = _needed(cache, "memory", "top.pnr.json", carry[1][0])
    route = _needed(cache, "route", "top.pnr.json", filled[1][0])
    lut4 = _needed(cache, "lut4", "top.syn.json", route[1][0])
    synth = _needed(cache, "synth", "top.syn.json", lut4[1][0])
    elaborate = _needed(cache, "elaborate", "contents.json", filled[1][2])
    routed = _json(carry[0] / "top.pnr.json")
    return Origin(
        synthesized=read_filled(
            netlist or synth[0] / "top.syn.json", elaborate[0] / "contents.json"
        ),
        places={
            cell["attributes"]["NEXTPNR_BEL"].replace("/", "_"): name
            for name, cell in bram_patch.cells_of(routed).items()
            if "NEXTPNR_BEL" in cell["attributes"]
        },
        heads_patched=_json(carry[0] / "carry.json")["repaired"],
    )


def read_filled(netlist: Path, words: Path) -> Netlist:
    """A synthesized netlist with its memory contents filled in, both as the build wrote them."""
    document = _json(netlist)
    try:
        items = bram_signatures.load(words.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"cannot read {str(words)!r}: {error}; build it again") from None
    bram_patch.fill_memories(document, items, bram_patch.locate_memories(document, items))
    return read_synthesis(document)


def _step(cache: Path, name: str, file: str, digest: str) -> tuple[Path, list[str]] | None:
    """Folder and inputs of the step that wrote a file with this content."""
    for record in sorted(cache.glob(f"{name}/*/step.json")):
        try:
            facts = parse_object(record.read_bytes())
            if facts["files"].get(file) == digest:
                return record.parent, facts["inputs"]
        except (OSError, InputError, KeyError, AttributeError):
            continue
    return None


def _needed(cache: Path, name: str, file: str, digest: str) -> tuple[Path, list[str]]:
    found = _step(cache, name, file, digest)
    if found is None:
        raise InputError(
            f"{str(cache)!r} has lost the step {name!r} of this bitstream: build it again"
        )
    return found


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {str(path)!r}: {error}; build it again") from None
