# SPDX-License-Identifier: MIT
"""The model card: text around the numbers of ``eval.json``, which is all that it reads."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.evaluation.sets import WHOLE_SETS
from glintfpga.train.engine.shape import for_chip
from glintfpga.train.run.config import TrainConfig

__all__ = ["UNREVIEWED", "model_card"]

UNREVIEWED = (
    "> **Unreviewed data:** no second person has signed off all text this model was trained on."
)

_CHAT = """

It was trained on dialogues in one form: a question as one line, a newline, the answer, end of text.
`glintfpga chat` asks in that form, which the file and the image of the model say it needs."""

_LIMITS = """\
It has three numbers to carry all it knows from byte to byte. It writes word-shaped nonsense with a
few short real words, and nothing else: no facts, no grammar, no dialogue, no code, no languages
but what its text had. On BLiMP guessing gives 50 %, on ARC-Easy about 25 %. It remembers nothing
beyond its reach, {reach} bytes. Nobody should decide anything by what it says."""


def model_card(facts: Mapping[str, Any]) -> str:
    """Markdown of a release.

    ``facts`` is the content of eval.json: name, config, tokens, machine, sources, rows, samples.
    Where somebody measured the model on whole sets that are not at hand, their rows may be written
    into it by hand, as ``quoted``: benchmark, form, numerics, metric, value.
    """
    config = TrainConfig.from_json(facts["config"])
    spec = for_chip(config.spec)
    parts = [
        f"# {facts['name']}",
        _opening(facts, spec),
        "## Scores",
        _scores(facts),
        "## Training",
        _training(facts, config),
        *(["## Text", _text(facts)] if facts["sources"] else []),
        "## Three samples",
        _samples(facts),
        "## What it cannot do",
        _LIMITS.format(reach=spec.passes * (spec.window - 1) + 1),
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
    ) + (_CHAT if spec.chat else "")


_COUNTING = (
    ("sum", "pair accuracy, %"),
    ("sum", "accuracy, %"),
    ("continuous", "byte perplexity"),
)
"""Forms and metrics of the rows whose n counts everything in the file."""

_PART_OF_PAIRS = (
    " The whole has as many pairs of each paradigm and a part may not, so only the paradigm "
    "accuracy, which weighs paradigms alike, compares with scores of the whole."
)

_QUOTED = (
    "On the whole sets, which are not at hand here, measured by others in the same forms and "
    "quoted; `glintfpga eval --fetch` measures them again:"
)


def _scores(facts: Mapping[str, Any]) -> str:
    found = [facts["base"]] if facts["base"] else []
    rows = [(model["name"], row) for model in [*found, facts] for row in model["rows"]]
    if not rows:
        return "Not evaluated."
    lines = [
        "| benchmark | form | model | numerics | metric | value | ± | n |",
        "|---|---|---|---|---|--:|--:|--:|",
    ]
    order = list(dict.fromkeys((row["benchmark"], row["form"]) for _, row in rows))
    rows.sort(key=lambda item: order.index((item[1]["benchmark"], item[1]["form"])))
    lines += [
        f"| {row['benchmark']} | {row['form']} | {name} | {row['numerics']} | {row['metric']} "
        f"| {row['value']:.4f} | {_error(row['stderr'])} | {row['n']:,} |"
        for name, row in rows
    ]
    protocols = sorted({(row["form"], row["protocol"]) for _, row in rows})
    notes = [f"- {form}: {protocol}." for form, protocol in protocols]
    sizes = dict.fromkeys(size for row in facts["rows"] if (size := _size(row)))
    return "\n".join([
        *lines,
        "",
        "± is one standard error. What the rows are of:",
        "",
        *sizes,
        *notes,
        *_quoted(facts.get("quoted", [])),
    ])  # fmt: skip


def _error(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _size(row: Mapping[str, Any]) -> str:
    """Which share of its public set a row covers, where its n shows that."""
    total, unit = WHOLE_SETS.get(row["benchmark"], (0, ""))
    if not total or (row["form"], row["metric"]) not in _COUNTING:
        return ""
    n = row["n"]
    if n == total:
        return f"- {row['benchmark']}: the whole set, {n:,} {unit}."
    part = f"- {row['benchmark']}: {n:,} of the {total:,} {unit} of the whole set."
    return part + (_PART_OF_PAIRS if unit == "pairs" else "")


def _quoted(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    return [
        "",
        _QUOTED,
        "",
        "| benchmark | form | numerics | metric | value |",
        "|---|---|---|---|--:|",
        *(
            f"| {row['benchmark']} | {row['form']} | {row['numerics']} | {row['metric']} "
            f"| {row['value']} |"
            for row in rows
        ),
    ]


def _training(facts: Mapping[str, Any], config: TrainConfig) -> str:
    lines = [
        "| stage | lineages | tokens each | highest rate | spaced as WikiText | numbers |",
        "|--:|--:|--:|--:|--:|---|",
    ]
    lines += [
        f"| {number} | {stage.lineages} | {stage.tokens:,} | {stage.rate:g} "
        f"| {config.spaced if stage.spaced is None else stage.spaced:.0%} "
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
        f"those in the table's column were rewritten by rule into the spacing of WikiText; "
        f"{config.kept:.0%} of the documents were used. "
        + _mixed(config)
        + (f"The weights are a merge of {' and '.join(merged)}. " if merged else "")
        + _origin(facts, config)
        + f"Corpus sha256 `{config.corpus or 'not noted'}`, seed {config.seed}.",
    ])  # fmt: skip


def _mixed(config: TrainConfig) -> str:
    if not config.mixture:
        return ""
    total = sum(share for _, share in config.mixture)
    shares = ", ".join(f"{share / total:.0%} {name}" for name, share in config.mixture)
    return f"The rewritten ones are mixed by hand: {shares}. "


def _text(facts: Mapping[str, Any]) -> str:
    lines = ["| file | bytes | licence | origin | signed by |", "|---|--:|---|---|---|"]
    lines += [
        f"| {source['file']} | {source['bytes']:,} | {_plain(source['licence'])} "
        f"| {_plain(source['origin'])} | {_plain(source['reviewer']) or 'nobody'} |"
        for source in facts["sources"]
    ]
    lines += ["", "Every 100th document was held out. The sha256 of each file is in eval.json."]
    return "\n".join(lines)


def _origin(facts: Mapping[str, Any], config: TrainConfig) -> str:
    if not config.start:
        return ""
    name = facts["base"]["name"] if facts["base"] else "a model"
    return f"The training went on from {name} (weights sha256 `{config.start}`). "


def _samples(facts: Mapping[str, Any]) -> str:
    first = facts["samples"][0]
    asked = bool(first["question"])
    where = "as answers to fixed questions" if asked else "from an empty context"
    intro = (
        f"The first three seeds, not selected: up to {first['bytes']} bytes at temperature "
        f"{first['temperature']:g} {where}, the same noise for both. ⏎ is a newline."
    )
    lines = ["| seed | question | float | fixed |", "|--:|---|---|---|"]
    rows = [
        [str(item["seed"]), *(_cell(item[name]) for name in ("question", "float", "fixed"))]
        for item in facts["samples"]
    ]
    if not asked:
        lines = ["| seed | float | fixed |", "|--:|---|---|"]
        rows = [[seed, *texts] for seed, _, *texts in rows]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([intro, "", *lines])


def _cell(text: str) -> str:
    shown = "".join(
        "⏎" if char == "\n" else char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )
    return f"<code>{_plain(shown)}</code>"


def _plain(text: str) -> str:
    """Text that Markdown leaves alone: in a cell it would be read even inside HTML."""
    marks = {mark: f"&#{ord(mark)};" for mark in "|`*_[]\\~"}
    return "".join(marks.get(char, char) for char in html.escape(" ".join(text.split("\n"))))
