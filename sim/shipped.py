# SPDX-License-Identifier: MIT
"""The simulation that ships: ``sim.wasm``, and what it was made of in ``sim.json``."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path

from glintfpga.quant.errors import EnvironmentProblem, InputError
from glintfpga.quant.files.atomic import write_atomic
from glintfpga.quant.files.strict_json import parse_object
from glintfpga.sim.compiled import CompiledSim, WasmProgram

__all__ = ["SimManifest", "shipped_manifest", "shipped_sim", "write_manifest"]

_MAKE_AGAIN = "run make sim"


@dataclass(frozen=True, kw_only=True)
class SimManifest:
    """What ``sim.json`` holds; hashes are sha256 in hexadecimal."""

    wasm: str
    rtlil: str
    """Of the device's RTLIL without source paths."""
    recipe: str
    """Of what it is made by from there on: scripts, options, and the C++ around the design."""
    image: str
    """Model id of the image of power-up."""
    lanes: int
    plan: int
    clk_hz: int


def shipped_manifest() -> SimManifest:
    """Read ``sim.json``; raises ``EnvironmentProblem`` when it is missing or damaged."""
    try:
        facts = parse_object(_file("sim.json").read_bytes())
        for field in fields(SimManifest):
            value = facts.get(field.name)
            if not (_is_count(value) if field.type is int else _is_sha256(value)):
                raise InputError(f"it says {value!r:.80} for {field.name!r}")
        return SimManifest(**facts)
    except (OSError, TypeError, InputError) as error:
        raise EnvironmentProblem(f"sim.json cannot be read ({error}); {_MAKE_AGAIN}") from error


def shipped_sim() -> CompiledSim:
    """The shipped device, just powered up; only the checksum of ``sim.wasm`` is checked.

    Raises ``EnvironmentProblem`` when a file is missing or damaged.
    """
    manifest = shipped_manifest()
    try:
        code = _file("sim.wasm").read_bytes()
    except OSError as error:
        raise EnvironmentProblem(f"sim.wasm cannot be read ({error}); {_MAKE_AGAIN}") from error
    if (found := hashlib.sha256(code).hexdigest()) != manifest.wasm:
        raise EnvironmentProblem(
            f"sim.wasm has sha256 {found[:16]}..., sim.json says {manifest.wasm[:16]}...; "
            f"{_MAKE_AGAIN}"
        )
    return CompiledSim(WasmProgram(code), clk_hz=manifest.clk_hz)


def write_manifest(manifest: SimManifest, path: Path) -> None:
    """Write ``sim.json``."""
    write_atomic(path, (json.dumps(asdict(manifest), indent=2) + "\n").encode())


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < 1 << 32


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _file(name: str):
    return resources.files("glintfpga.sim").joinpath(name)
