# SPDX-License-Identifier: MIT
"""The timed schedule of the row machine: one control word per cycle, generated from P.

The sequencer plays EMBED once per token, PASS once per pass and LOGITS when logits are wanted. A
word issues at most one group of rows to the lanes; what happens to that group later follows from
fixed latencies (`glintfpga.firmware.blink.latency`), counted here from the cycle of the word, with
one cycle a multiplier:

    word      0        1         2            3          4        5        6       ...
    lanes   issue | address | row and    | products | value | softmax | product
                            | operand at |          | out   | weight p | p*v
                            | multiplier |

A softmax group (SCORE) continues: 7 sum over lanes and accumulate; the divide takes 8 and 9 and x
is new at 11. A hidden group (GATE, UP a cycle later): 5 SiLU, 6 z, 8 accumulate, 9 add, x is new at
10. RMSNorm takes four cycles from x to its operand at the multiplier.

The operand becomes h with the first group of a pass, of GATE and of LOGIT, the rotated q with the
first of SCORE, and stays between. q is computed first, so that the scores begin while K and V' are
still on their way: the newest key is in the last group, and reaches it as it is written. A group of
LOGIT takes rows of both banks (`glintfpga.firmware.blink.layout.logit_rows`).

The same words give the cycles of a token, so listing, bench and gateware cannot disagree.
"""

from dataclasses import dataclass
from enum import IntEnum

from glintfpga.firmware.blink.latency import (
    HIDDEN_X,
    LOGIT,
    NORM,
    ROTATED,
    SCORE_X,
    SQUARE,
    TO_OPERAND,
    V_WRITE,
    VALUE,
)
from glintfpga.firmware.blink.layout import logit_rows
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


@dataclass(frozen=True)
class Schedule:
    """Words of all three parts, with their first addresses. Word 0 is idle."""

    lanes: int
    words: tuple[ScheduleWord, ...]
    embed: int
    passes: int
    logits: int
    min_score_groups: int
    """Fewest cycles of the SCORE word, so that the newest K and V' rows are there in time."""
    first_rows: Rows
    """The matrix that a pass begins with."""


def build_schedule(lanes: int) -> Schedule:
    """Generate the schedule for P lanes."""
    order = _order(lanes)
    pass_words, min_groups = _pass(lanes, order)
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
        first_rows=order[0],
    )


def _order(lanes: int) -> list[Rows]:
    """The matrices of a pass: q as early as the SCORE word, on its heels, finds its place free."""
    order = [Rows.K, Rows.V]
    parts = _parts(lanes)
    turn = next(t for t in range(3) if t * parts + ROTATED - TO_OPERAND >= 3 * parts)
    order.insert(turn, Rows.Q)
    return order


def _parts(lanes: int) -> int:
    """Groups of a matrix of three rows."""
    return 2 if lanes == 2 else 1


def _pass(lanes: int, order: list[Rows]) -> tuple[list[ScheduleWord], int]:
    parts = _parts(lanes)
    first = NORM - TO_OPERAND
    start = {rows: first + turn * parts for turn, rows in enumerate(order)}
    events: dict[int, dict[str, object]] = {}

    def at(cycle: int, **fields: object) -> None:
        events.setdefault(cycle, {}).update(fields)

    for cycle in range(SQUARE + 2):  # the norm reads y again
        at(cycle, loop_embedding=True)
    for rows, cycle in start.items():
        for part in range(parts):
            offset = (rows - Rows.K) * (8 // lanes) + part
            at(cycle + part, rows=rows, offset=offset, part=part)
    score = start[Rows.Q] + ROTATED - TO_OPERAND
    at(score - 1, count=Count.SCORE, clear=True)
    at(score, rows=Rows.SCORE, loop=Loop.SELF)
    # From here on a cycle is counted as if SCORE took one: the repeats only delay what follows.
    at(score + SCORE_X, x_attention=True)
    for row in range(3):
        at(score + 1 + row, fetch=True)
    norm2 = score + SCORE_X + 1
    gate = norm2 + NORM - TO_OPERAND
    at(gate - 1, count=Count.HIDDEN, clear=True)
    at(gate, rows=Rows.GATE)
    at(gate + 1, rows=Rows.UP, loop=Loop.PAIR)
    at(gate + HIDDEN_X, x_ffn=True, pass_end=True)
    words = [
        ScheduleWord(**events.get(cycle, {}))  # type: ignore[arg-type]
        for cycle in range(gate + HIDDEN_X + 1)
    ]
    # The last SCORE word finds K at the multipliers, and V' in its bank when p gets there.
    k_there = start[Rows.K] + ROTATED - TO_OPERAND
    v_there = start[Rows.V] + V_WRITE + parts - VALUE
    return words, max(1, max(k_there, v_there) - score + 1)


def _logits() -> list[ScheduleWord]:
    first = NORM - TO_OPERAND
    words = [ScheduleWord() for _ in range(first + LOGIT + 4)]
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
        max(schedule.min_score_groups, _groups(min(first + thought, spec.window), lanes)) + SCORE_X
        for thought in range(thoughts)
    )
    logit_words = len(schedule.words) - schedule.logits
    return {
        "embed": 2,
        "norm and q, k, v": runs * score,
        "attention": spec.passes * attention,
        "feed-forward": runs * (len(pass_words) - score - SCORE_X - 1 + 2 * (hidden - 1)),
        "logits": logit_words + _groups(-(-spec.vocab // 16) * 16, logit_rows(lanes)) - 1,
    }


def token_cycles(spec: ModelSpec, lanes: int, position: int) -> int:
    """Cycles from one token's entry to the next, with its logits and sampling."""
    return sum(step_cycles(spec, lanes, position).values())
