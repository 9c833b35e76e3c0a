# SPDX-License-Identifier: MIT
"""The timed schedule of the row machine: one control word per cycle, generated from P.

The sequencer plays EMBED once per token, PASS once per pass and LOGITS when logits are wanted. A
word issues at most one group of rows to the lanes; what happens to that group later follows from
fixed latencies, counted here from the cycle of the word:

    word      0        1         2            3        4       5        6       ...
    lanes   issue | address | row and    | product |  sum  | value | softmax
                            | operand at |         |       | out   | weight p
                            | multiplier |

A softmax group (SCORE) continues: 7 product p*v, 8 sum over lanes, 9 accumulate; the divide takes
10 to 13 and x is new at 14. A hidden group (GATE, UP a cycle later): 6 SiLU, 8 z, 11 accumulate,
12 add, x is new at 13. RMSNorm takes six cycles from x to its operand at the multiplier.

The operand becomes h with the first group of K, GATE and LOGIT, the rotated q with the first of
SCORE, and stays between.

The same words give the cycles of a token, so listing, bench and gateware cannot disagree.
"""

from dataclasses import dataclass
from enum import IntEnum

from glintfpga.quant.blink.spec import ModelSpec

__all__ = [
    "Count",
    "Loop",
    "Rows",
    "Schedule",
    "ScheduleWord",
    "build_schedule",
    "step_cycles",
    "token_cycles",
]


class Rows(IntEnum):
    """What a word issues to the lanes."""

    NONE = 0
    K = 1
    Q = 2
    V = 3
    SCORE = 4
    GATE = 5
    UP = 6
    LOGIT = 7


class Loop(IntEnum):
    """How a word repeats while groups remain."""

    NONE = 0
    SELF = 1
    PAIR = 2


class Count(IntEnum):
    """Which number of groups a word loads into the repeat counter."""

    NONE = 0
    SCORE = 1
    HIDDEN = 2
    LOGIT = 3


@dataclass(frozen=True, kw_only=True)
class ScheduleWord:
    """One cycle of control."""

    rows: Rows = Rows.NONE
    offset: int = 0
    """Address within the Q, K, V matrices, in groups."""
    part: int = 0
    """1 for the second half of a matrix that takes two groups (P = 2)."""
    count: Count = Count.NONE
    loop: Loop = Loop.NONE
    loop_embedding: bool = False
    """The norm reads x + loop embedding."""
    clear: bool = False
    """Start a new weighted sum, or arg max."""
    x_embed: bool = False
    x_attention: bool = False
    x_ffn: bool = False
    fetch: bool = False
    """Read the next row of the block table."""
    pass_end: bool = False
    """x is new in the next cycle; the next block table row takes over."""
    end: bool = False


NORM = 6
"""Cycles from x to h at the multipliers."""
_TO_OPERAND = 2
_ROTATED = 7
"""Cycles from the word of K or Q to its rotated vector at the multipliers."""
_K_READABLE = 8
"""Cycles from the word of K to the first word that may read the new row."""


@dataclass(frozen=True)
class Schedule:
    """Words of all three parts, with their first addresses. Word 0 is idle."""

    lanes: int
    words: tuple[ScheduleWord, ...]
    embed: int
    passes: int
    logits: int
    min_score_groups: int
    """Fewest cycles of the SCORE word, so that the newest K row is written in time."""


def build_schedule(lanes: int) -> Schedule:
    """Generate the schedule for P lanes."""
    pass_words, min_groups = _pass(lanes)
    embed = [ScheduleWord(x_embed=True)]
    first_pass = 1 + len(embed)
    words = [ScheduleWord(), *embed, *pass_words, *_logits()]
    return Schedule(
        lanes=lanes,
        words=tuple(words),
        embed=1,
        passes=first_pass,
        logits=first_pass + len(pass_words),
        min_score_groups=min_groups,
    )


def _pass(lanes: int) -> tuple[list[ScheduleWord], int]:
    parts = 2 if lanes == 2 else 1
    k_word = NORM - _TO_OPERAND
    q_word = k_word + parts
    events: dict[int, dict[str, object]] = {}

    def at(cycle: int, **fields: object) -> None:
        events.setdefault(cycle, {}).update(fields)

    for cycle in range(4):  # the norm reads y again in its third and fourth cycle
        at(cycle, loop_embedding=True)
    for matrix, rows in enumerate((Rows.K, Rows.Q, Rows.V)):
        for part in range(parts):
            offset = matrix * (8 // lanes) + part
            at(k_word + matrix * parts + part, rows=rows, offset=offset, part=part)
    score = q_word + _ROTATED - _TO_OPERAND
    at(score - 1, count=Count.SCORE, clear=True)
    at(score, rows=Rows.SCORE, loop=Loop.SELF)
    # From here on a cycle is counted as if SCORE took one: the repeats only delay what follows.
    at(score + 13, x_attention=True)
    for row in range(3):
        at(score + 1 + row, fetch=True)
    norm2 = score + 14
    gate = norm2 + NORM - _TO_OPERAND
    at(gate - 1, count=Count.HIDDEN, clear=True)
    at(gate, rows=Rows.GATE)
    at(gate + 1, rows=Rows.UP, loop=Loop.PAIR)
    at(gate + 12, x_ffn=True, pass_end=True)
    words = [ScheduleWord(**events.get(cycle, {})) for cycle in range(gate + 13)]  # type: ignore[arg-type]
    return words, max(1, k_word + _K_READABLE - score + 1)


def _logits() -> list[ScheduleWord]:
    first = NORM - _TO_OPERAND
    words = [ScheduleWord() for _ in range(first + 9)]
    words[first - 1] = ScheduleWord(count=Count.LOGIT, clear=True)
    words[first] = ScheduleWord(rows=Rows.LOGIT, loop=Loop.SELF)
    words[-1] = ScheduleWord(end=True)
    return words


def _groups(rows: int, lanes: int) -> int:
    return -(-rows // lanes)


def step_cycles(spec: ModelSpec, lanes: int, position: int) -> dict[str, int]:
    """Cycles of each step of the ``position``-th token of a context (from 1), with logits for
    every token.

    Keys: embed, norm and q, k, v, attention, feed-forward, logits. Their sum is `token_cycles`;
    the hand-over from one token to the next is part of embed.
    """
    schedule = build_schedule(lanes)
    pass_words = schedule.words[schedule.passes : schedule.logits]
    score = next(i for i, w in enumerate(pass_words) if w.rows == Rows.SCORE)
    hidden = _groups(spec.hidden, lanes)
    thoughts = 1 + spec.thinking
    runs = spec.passes * thoughts
    first = position * thoughts - spec.thinking  # each thought takes a position
    attention = sum(
        max(schedule.min_score_groups, _groups(min(first + thought, spec.window), lanes)) + 13
        for thought in range(thoughts)
    )
    logit_words = len(schedule.words) - schedule.logits
    return {
        "embed": 2,
        "norm and q, k, v": runs * score,
        "attention": spec.passes * attention,
        "feed-forward": runs * (len(pass_words) - score - 14 + 2 * (hidden - 1)),
        "logits": logit_words + _groups(-(-spec.vocab // 16) * 16, lanes) - 1,
    }


def token_cycles(spec: ModelSpec, lanes: int, position: int) -> int:
    """Cycles from one token's entry to the next, with its logits and sampling."""
    return sum(step_cycles(spec, lanes, position).values())
