# SPDX-License-Identifier: MIT
"""ARC-Easy: questions with several choices of which one is right.

The sequence is ``Question: <question>\\nAnswer: <choice>``. A choice scores the sum of ln P over
``" " + choice`` given what stands before (*sum*), or that divided by the bytes of the choice (*per
byte*). The highest wins, the first on a tie; nothing is cut off.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.losses import Passage, Progress, losses
from glintfpga.quant.evaluation.rows import Score, proportion_error
from glintfpga.quant.evaluation.scorer import Scorer

__all__ = ["Question", "score_questions"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question with its choices, of which number ``answer`` is right."""

    question: bytes
    choices: tuple[bytes, ...]
    answer: int

    def passages(self) -> list[Passage]:
        """What is scored, one passage per choice."""
        prompt = b"Question: " + self.question + b"\nAnswer:"
        return [Passage(text=prompt + b" " + c, first=len(prompt)) for c in self.choices]


def score_questions(
    model: Scorer,
    questions: Sequence[Question],
    *,
    benchmark: str,
    numerics: str,
    progress: Progress | None = None,
) -> list[Score]:
    """Accuracy by sum and per byte, in percent.

    Standard error: ``sqrt(p (1 - p) / (n - 1))``. Raises ``InputError`` without questions.
    """
    if not questions:
        raise InputError("there is no question to score: give one or more")
    passages = [passage for question in questions for passage in question.passages()]
    nll = losses(model, passages, progress=progress)
    sizes = np.array([max(len(c), 1) for q in questions for c in q.choices], np.float64)
    starts = np.cumsum([0, *(len(question.choices) for question in questions)])
    rows = []
    for form, values in (("sum", nll), ("per byte", nll / sizes)):
        right = [
            int(np.argmin(values[start:stop])) == question.answer
            for question, start, stop in zip(questions, starts, starts[1:])
        ]
        share = float(np.mean(right))
        error = proportion_error(share, len(right))
        rows.append(
            Score(
                benchmark=benchmark,
                form=form,
                numerics=numerics,
                metric="accuracy, %",
                value=100 * share,
                stderr=None if error is None else 100 * error,
                n=len(right),
                protocol="Question: Q\\nAnswer: C, the choice scored, no shots",
            )
        )
    return rows
