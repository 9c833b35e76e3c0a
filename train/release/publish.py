# SPDX-License-Identifier: MIT
"""A release: the folder that ``build``, ``chat`` and people take a model from."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.numerics import FloatNumerics, ReferenceNumerics
from glintfpga.quant.blink.checkpoint import read_checkpoint
from glintfpga.quant.blink.plan import DEFAULT_PLAN, plan_of
from glintfpga.quant.blink.quantize import quantize
from glintfpga.quant.blink.quantize_report import QuantizeReport
from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.rows import Score
from glintfpga.quant.files.atomic import cannot_write, write_atomic
from glintfpga.quant.files.strict_json import parse_object
from glintfpga.train.data.manifest import read_manifest
from glintfpga.train.engine.shape import for_chip
from glintfpga.train.release.card import model_card
from glintfpga.train.release.samples import side_by_side
from glintfpga.train.run.config import TrainConfig
from glintfpga.train.run.run_log import RunLog, read_sources

__all__ = ["champion_of", "image_of_release", "release"]

_CURVE_POINTS = 200


def champion_of(run: Path) -> Path:
    """The winner of the tournament of a run, or without one its best checkpoint."""
    found = [run / "merge" / "champion.safetensors", run / "best.safetensors"]
    for path in found:
        if path.is_file():
            return path
    raise InputError(f"there is no finished training in {str(run)!r}: train first")


def image_of_release(checkpoint: Path, config: TrainConfig) -> tuple[Image, QuantizeReport]:
    """The integers that a release has, and what making them cost.

    They are in the plan of the last stage, 12 bits for a float one.

    Raises ``InputError`` for a shape that only software runs.
    """
    for_chip(config.spec)
    plan = plan_of(config.stages[-1].plan or DEFAULT_PLAN.code)
    model, report = quantize(read_checkpoint(checkpoint), plan=plan, lanes=config.lanes)
    return Image.from_model(model), report


def release(
    run: Path,
    folder: Path,
    *,
    name: str,
    checkpoint: Path,
    image: Image,
    rows: Sequence[Score],
    pictures: Sequence[Path] = (),
) -> None:
    """Write a release of ``checkpoint`` of ``run`` into ``folder``; its card comes last.

    ``image`` and ``rows`` are of that checkpoint. Where it was trained on from one that lies
    released beside ``folder``, the card shows the scores of that one too. Raises ``InputError``
    when the run or the checkpoint cannot be read, ``EnvironmentProblem`` when the folder cannot be
    written to.
    """
    config = TrainConfig.read(run / "config.json")
    found = read_checkpoint(checkpoint)
    history = _history(found.note)
    run_log = RunLog(run)
    facts: dict[str, Any] = {
        "name": name,
        "config": config.to_json(),
        "plan": image.model.plan.code,
        "lanes": config.lanes,
        "model_id": image.model_id,
        "tokens": history.get("tokens", config.tokens),
        "merged": history.get("merged", []),
        "machine": run_log.machine(),
        "sources": _sources(run),
        "rows": [row.to_json() for row in rows],
        "base": _base(config.start, folder.parent),
        "samples": side_by_side(
            FloatNumerics(found),
            ReferenceNumerics(image, lanes=config.lanes),
            spec=found.spec,
        ),
    }
    files = {
        "model.safetensors": checkpoint.read_bytes(),
        "model.glint": image.data,
        "infer.py": (resources.files("glintfpga.train") / "infer.py").read_bytes(),
        **{path.name: path.read_bytes() for path in pictures if path.is_file()},
        "train-log.json": _json(_log_of(run_log)),
        "eval.json": _json(facts),
        "README.md": model_card(facts).encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(repr(str(folder)), error) from error
    for file, data in files.items():
        write_atomic(folder / file, data)


def _sources(run: Path) -> list[dict[str, Any]]:
    """The manifest that the run was trained on, or nothing where it did not note one."""
    if not (run / "sources.json").exists():
        return []
    found = read_sources(run)
    return [asdict(source) for source in read_manifest(found.manifest, folder=found.folder).sources]


def _base(start: str, releases: Path) -> dict[str, Any] | None:
    """Name and rows of the release whose weights have the sha256 ``start``."""
    for path in sorted(releases.glob("*/model.safetensors")) if start else []:
        if hashlib.sha256(path.read_bytes()).hexdigest() == start:
            facts = path.with_name("eval.json")
            rows = parse_object(facts.read_bytes())["rows"] if facts.is_file() else []
            return {"name": path.parent.name, "rows": rows}
    return None


def _log_of(run: RunLog) -> dict[str, Any]:
    curves = {
        str(index): points[:: max(1, math.ceil(len(points) / _CURVE_POINTS))]
        for index, points in run.curves().items()
    }
    bracket = run.folder / "merge" / "bracket.json"
    return {
        "scores": {
            str(stage): {str(index): score for index, score in found.items()}
            for stage, found in run.scores().items()
        },
        "curves": curves,
        "tournament": parse_object(bracket.read_bytes()) if bracket.is_file() else None,
    }


def _history(note: str) -> dict[str, Any]:
    try:
        return parse_object(note.encode())
    except InputError:
        return {}


def _json(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()
