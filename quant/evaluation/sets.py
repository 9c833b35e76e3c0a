# SPDX-License-Identifier: MIT
"""Evaluation sets as files, and which measures belong to each.

============================  =====================================================  ==============
file                          content                                                measures
============================  =====================================================  ==============
``.txt``, ``.txt.xz``         text                                                   windows,
                                                                                     continuous
``.jsonl``, ``.jsonl.xz``     ``{"page", "text"}``, an object a line                 per page byte
the same                      ``{"sentence_good", "sentence_bad", "UID"}``           pairs
the same                      ``{"question", "choices": {"text", "label"},           questions
                              "answerKey"}``
============================  =====================================================  ==============

Other fields are ignored.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.agreement import windows_beside
from glintfpga.quant.evaluation.choices import Question, score_questions
from glintfpga.quant.evaluation.losses import Progress
from glintfpga.quant.evaluation.pairs import Pair, score_pairs
from glintfpga.quant.evaluation.perplexity import Page, continuous, per_page_byte, windows
from glintfpga.quant.evaluation.rows import Score
from glintfpga.quant.evaluation.scorer import Scorer
from glintfpga.quant.files.strict_json import parse_object
from glintfpga.quant.files.text import MAX_TEXT_BYTES, pieces, problem_of, read_text

__all__ = ["WHOLE_SETS", "EvaluationSet", "find_sets", "read_set"]

WHOLE_SETS = {
    "blimp": (67_000, "pairs"),
    "arc-easy-test": (2_376, "questions"),
    "arc-easy-valid": (570, "questions"),
    "wikitext2-test": (1_292_008, "bytes"),
    "wikitext2-valid": (1_148_001, "bytes"),
}
"""Sizes of the public sets as `fetch` writes them: a file of one of these names may hold less."""

_TEXT = (".txt", ".txt.xz")
_OBJECTS = (".jsonl", ".jsonl.xz")


@dataclass(frozen=True, kw_only=True)
class EvaluationSet:
    """What one file holds: a text, or a list of pages, pairs or questions."""

    name: str
    content: bytes | Sequence[Page | Pair | Question]
    """The rows of a list are all of one kind."""

    @property
    def problem(self) -> str | None:
        """One line on what of a text is unusual and changes its score."""
        return problem_of(self.content) if isinstance(self.content, bytes) else None

    def score(
        self,
        model: Scorer,
        *,
        numerics: str,
        beside: Scorer | None = None,
        progress: Progress | None = None,
    ) -> Iterator[Score]:
        """Yield the rows of all measures that fit the content.

        With ``beside``, the float model of the integers, a text also scores how far they are apart.
        """
        content = self.content
        names: dict[str, Any] = {"benchmark": self.name, "numerics": numerics, "progress": progress}
        if isinstance(content, bytes):
            if beside is None:
                yield windows(model, content, **names)
            else:
                yield from windows_beside(
                    model, beside, content, benchmark=self.name, progress=progress
                )
            yield continuous(model, content, **names)
            return
        if pages := [row for row in content if isinstance(row, Page)]:
            yield per_page_byte(model, pages, **names)
        if pairs := [row for row in content if isinstance(row, Pair)]:
            yield from score_pairs(model, pairs, **names)
        if questions := [row for row in content if isinstance(row, Question)]:
            yield from score_questions(model, questions, **names)


def find_sets(data: Path) -> list[Path]:
    """The sets of a folder, or the one file that is named. Raises ``InputError`` for none."""
    if data.is_file():
        return [data]
    if not data.exists():
        raise InputError(f"{os.fspath(data)!r} does not exist; name another --data, or use --fetch")
    found = sorted(path for path in data.glob("*") if path.name.endswith(_TEXT + _OBJECTS))
    if not found:
        raise InputError(
            f"there is no .txt, .jsonl, .txt.xz or .jsonl.xz file in {os.fspath(data)!r}; "
            "name another --data"
        )
    return found


def read_set(path: Path, *, limit: int | None = None) -> EvaluationSet:
    """Read a set; of a text, its first ``limit`` bytes.

    Raises ``InputError`` with the file's name when it cannot be read, has no rows, is larger than
    128 MiB, or a row is not of a known kind.
    """
    name = path.name.removesuffix(".xz")
    if not name.endswith(".jsonl"):
        return EvaluationSet(name=name.removesuffix(".txt"), content=read_text(path, limit=limit))
    rows: list[Page | Pair | Question] = []
    for number, line in enumerate(_lines(path), 1):
        try:
            rows.append(_row(parse_object(line)))
            if type(rows[-1]) is not type(rows[0]):
                raise InputError("it is of another kind than the rows before")
        except InputError as error:
            raise InputError(f"line {number} of {os.fspath(path)!r}: {error}") from error
    if not rows:
        raise InputError(f"{os.fspath(path)!r} has no rows")
    return EvaluationSet(name=name.removesuffix(".jsonl"), content=rows)


def _lines(path: Path) -> Iterator[bytes]:
    held, size = b"", 0
    for piece in pieces(path):
        size += len(piece)
        if size > MAX_TEXT_BYTES:
            raise InputError(f"{os.fspath(path)!r} has more than {MAX_TEXT_BYTES} bytes: cut it")
        *whole, held = (held + piece).split(b"\n")
        yield from (line for line in whole if line.strip())
    if held.strip():
        yield held


def _row(fields: Mapping[str, Any]) -> Page | Pair | Question:
    if "sentence_good" in fields:
        return Pair(
            good=_text(fields, "sentence_good"),
            bad=_text(fields, "sentence_bad"),
            paradigm=_text(fields, "UID").decode(),
        )
    if "page" in fields:
        return Page(text=_text(fields, "text"), raw_bytes=len(_text(fields, "page")))
    if "question" in fields:
        return _question(fields)
    raise InputError(f"no page, pair of sentences or question, but {sorted(fields)!r:.80}")


def _question(fields: Mapping[str, Any]) -> Question:
    choices = fields.get("choices")
    texts, labels = (
        choices.get(name) if isinstance(choices, dict) else None for name in ("text", "label")
    )
    if not (isinstance(texts, list) and isinstance(labels, list) and len(texts) == len(labels)):
        raise InputError(f"'choices' must have as many 'text' as 'label', not {choices!r:.80}")
    key = fields.get("answerKey")
    if key not in labels:
        raise InputError(f"'answerKey' {key!r:.40} is none of the labels {labels!r:.60}")
    return Question(
        question=_text(fields, "question"),
        choices=tuple(_text({"choice": text}, "choice") for text in texts),
        answer=labels.index(key),
    )


def _text(fields: Mapping[str, Any], name: str) -> bytes:
    value = fields.get(name)
    if not isinstance(value, str):
        raise InputError(f"{name!r} must be a string, not {value!r:.60}")
    try:
        return value.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair, which JSON can spell
        raise InputError(f"{name!r} is not Unicode: {value!r:.60}") from error
