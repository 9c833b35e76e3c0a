# SPDX-License-Identifier: MIT
"""The model card: text around the numbers of ``eval.json``, which is all that it reads."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from glintfpga.quant.spec import ModelSpec
from glintfpga.train.config import TrainConfig

__all__ = ["UNREVIEWED", "model_card"]

UNREVIEWED = (
    "> **Unreviewed data:** no second person has signed off all text this model was trained on."
)

_LIMITS = """\
It has three numbers to carry all it knows from byte to byte. It writes word-shaped nonsense with a
few short real words, and nothing else: no facts, no grammar, no dialogue, no code, no languages
but what its text had. On BLiMP guessing gives 50 %, on ARC-Easy about 25 %. It remembers nothing
beyond its reach, {reach} bytes. Nobody should decide anything by what it says."""


def model_card(facts: Mapping[str, Any]) -> str:
    """Markdown of a release.

    ``facts`` is the content of eval.json: name, checkpoint, config, tokens, machine, rows, samples.
    """
    config = TrainConfig.from_json(facts["config"])
    parts = [
        f"# {facts['name']}",
        _opening(facts, config.spec),
        "## Scores",
        _scores(facts),
        "## Training",
        _training(facts, config),
        "## Three samples",
        _samples(facts),
        "## What it cannot do",
        _LIMITS.format(reach=config.spec.passes * (config.spec.window - 1) + 1),
        "## Files",
        _FILES,
    ]
    first = [UNREVIEWED] if config.unreviewed else []
    return "\n\n".join([*first, *parts]) + "\n"


_FILES = """\
- `model.safetensors`: the weights, float32; the header has the shape and the training config.
- `model.glint`: the integers of the chip, made from them.
- `infer.py`: runs the float weights with nothing but NumPy.
- `eval.json`: every number of this page. `train-log.json`: losses and scores of the training."""


def _opening(facts: Mapping[str, Any], spec: ModelSpec) -> str:
    return (
        f"A byte language model of {spec.param_count:,} parameters for the glintfpga chip: "
        f"{spec.passes} passes over three dimensions, hidden size {spec.hidden}, attention over "
        f"the last {spec.window} bytes. The chip's numbers are those of plan {facts['plan']}, "
        f"its results those of {facts['lanes']} lanes."
    )


def _scores(facts: Mapping[str, Any]) -> str:
    if not facts["rows"]:
        return "Not evaluated."
    lines = [
        "| benchmark | form | numerics | metric | value | ± | n |",
        "|---|---|---|---|--:|--:|--:|",
    ]
    lines += [
        f"| {row['benchmark']} | {row['form']} | {row['numerics']} | {row['metric']} "
        f"| {row['value']:.4f} | {row['stderr']:.4f} | {row['n']:,} |"
        for row in facts["rows"]
    ]
    protocols = sorted({(row["form"], row["protocol"]) for row in facts["rows"]})
    notes = [f"- {form}: {protocol}." for form, protocol in protocols]
    return "\n".join([*lines, "", "± is one standard error.", "", *notes])


def _training(facts: Mapping[str, Any], config: TrainConfig) -> str:
    lines = [
        "| stage | lineages | tokens each | highest rate | numbers |",
        "|--:|--:|--:|--:|---|",
    ]
    lines += [
        f"| {number} | {stage.lineages} | {stage.tokens:,} | {stage.rate:g} "
        f"| {f'plan {stage.plan}' if stage.plan else 'float'} |"
        for number, stage in enumerate(config.stages, 1)
    ]
    machine = facts["machine"]
    spent = (
        f"It took {machine['seconds'] / 60:.1f} minutes (measured) with {machine['workers']} "
        f"processes on {machine['processor']}."
        if machine
        else "The time it took was not noted."
    )
    merged = facts["merged"]
    return "\n".join([
        *lines,
        "",
        f"The weights were trained on {facts['tokens']:,} tokens; all lineages together on "
        f"{config.tokens:,}. {spent} Steps are {config.batch} windows of {config.length} bytes; "
        f"{config.spaced:.0%} of the windows were rewritten by rule into the spacing of WikiText, "
        f"and {config.kept:.0%} of the documents were used. "
        + (f"The weights are a merge of {' and '.join(merged)}. " if merged else "")
        + f"Corpus sha256 `{config.corpus or 'not noted'}`, seed {config.seed}.",
    ])  # fmt: skip


def _samples(facts: Mapping[str, Any]) -> str:
    first = facts["samples"][0]
    intro = (
        f"The first three seeds, not selected: {first['bytes']} bytes at temperature "
        f"{first['temperature']:g} from an empty context, the same noise for both. ⏎ is a newline."
    )
    lines = ["| seed | float | fixed |", "|--:|---|---|"]
    lines += [
        f"| {item['seed']} | {_cell(item['float'])} | {_cell(item['fixed'])} |"
        for item in facts["samples"]
    ]
    return "\n".join([intro, "", *lines])


def _cell(text: str) -> str:
    shown = "".join(
        "⏎" if char == "\n" else char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )
    # Entities, because Markdown in a cell would be read even inside HTML.
    marks = {mark: f"&#{ord(mark)};" for mark in "|`*_[]\\~"}
    return f"<code>{''.join(marks.get(char, char) for char in html.escape(shown))}</code>"
