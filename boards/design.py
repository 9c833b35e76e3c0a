# SPDX-License-Identifier: MIT
"""What is built: a top level, what it depends on, and what it declares about itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from glintfpga.boards.board import Board
from glintfpga.boards.cache import digest_of, file_digest
from glintfpga.boards.gowin.resources import Resources
from glintfpga.firmware.blink.device_config import NOISE_MULTIPLIERS, DeviceConfig
from glintfpga.firmware.blink.schedule import step_cycles, token_cycles
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError

__all__ = ["Design", "device_design", "expected_resources", "source_digest"]

_SOURCES = ("quant", "firmware", "hdl", "boards")
# By lanes and plan, as synthesized: how widths and depths fall into blocks has no simple formula.
_BLOCK_RAMS = {(2, 12): 40, (4, 12): 46, (8, 12): 46, (2, 9): 35, (4, 9): 45, (8, 9): 45}
_LIBRARIES = ("amaranth", "amaranth-boards", "numpy")


@dataclass(frozen=True, kw_only=True)
class Design:
    """A top level for a board, made when it is needed."""

    top: Callable[[], Any]
    """Makes the elaboratable."""
    inputs: tuple[str, ...]
    """Everything that the result of `top` depends on."""
    expected: Resources | None = None
    """Exact counts of multipliers and memories; None to skip the comparison."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Goes into the manifest."""
    cycles: Mapping[str, Any] | None = None
    """Cycles per token and per step of it, for the report."""


def source_digest(folders: tuple[str, ...] = _SOURCES) -> str:
    """sha256 of our gateware sources and of the versions of the libraries."""
    root = Path(__file__).parent.parent
    parts = [f"{name} {metadata.version(name)}" for name in _LIBRARIES]
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            parts += [path.relative_to(root).as_posix(), file_digest(path)]
    return digest_of(*parts)


def expected_resources(config: DeviceConfig) -> Resources:
    """Multipliers and memories of the device, exactly.

    A lane has seven multipliers of the plan's width, RoPE four; norm and divide have nine wide
    ones, the noise some more.
    """
    lanes = config.lanes
    narrow, wide = 7 * lanes + 4, 9 + NOISE_MULTIPLIERS[lanes]
    bsram = _BLOCK_RAMS[lanes, config.plan.code]
    if config.plan.weight_width <= 9:
        return Resources(mult18x18=wide, mult9x9=narrow, bsram=bsram)
    return Resources(mult18x18=wide + narrow, bsram=bsram)


def device_design(
    *,
    board: Board,
    image: bytes | None,
    config: DeviceConfig,
    seed: int = 1,
    tools: tuple[str, ...] = (),
) -> Design:
    """The device with a model in it, or without one.

    Its build id, unless ``config`` has one, is made from the sources, the options and ``tools``,
    the identities of the tools, but not from the model. It lies in a memory, so another one needs
    no new synthesis.

    Raises ``InputError`` for an image of another number plan, and for a clock that the board
    cannot make.
    """
    from glintfpga.firmware.blink.image import Image

    clock_mhz, plan = board.check_clock(config.clock_hz / 1e6), config.plan.code
    model = None if image is None else Image.from_bytes(image)
    if model is not None and model.model.plan.code != plan:
        raise InputError(
            f"the model is of number plan {model.model.plan.code!r}, the build of {plan!r}: "
            "quantize it again, or build with its plan"
        )
    sources = source_digest()
    options = (board.name, str(config.lanes), str(plan), repr(clock_mhz), str(seed))
    logic = digest_of(sources, *options, *tools)
    if not any(config.build_id):
        config = replace(config, build_id=bytes.fromhex(logic)[:8])
    build_id = config.build_id

    def top() -> Any:
        from glintfpga.boards.top import BoardTop
        from glintfpga.hdl.device import Device
        from glintfpga.hdl.row.machine import RowMachine

        device = Device(RowMachine(config, model))
        return BoardTop(device=device, board=board, clock_mhz=clock_mhz)

    facts: dict[str, Any] = {"lanes": config.lanes, "plan": plan, "build_id": build_id.hex()}
    return Design(
        top=top,
        inputs=(logic, "no model" if image is None else digest_of(image.hex()), build_id.hex()),
        expected=expected_resources(config),
        facts=facts,
        cycles=None if model is None else _cycles(model.model.spec, config.lanes),
    )


def _cycles(spec: ModelSpec, lanes: int) -> dict[str, int]:
    """Cycles per token at some positions, and per step at a full window."""
    positions = {f"token {p}": token_cycles(spec, lanes, p) for p in (1, 16, 64, 256)}
    return positions | step_cycles(spec, lanes, max(256, spec.window))
