# SPDX-License-Identifier: MIT
"""What a training run does: its shape, its data and its stages. Stored in every checkpoint."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from glintfpga.quant.blink.limits import DEFAULT_LANES, check_fits, check_lanes
from glintfpga.quant.blink.plan import DEFAULT_PLAN, PLANS
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from glintfpga.quant.files.bounded import read_limited
from glintfpga.quant.files.strict_json import parse_object
from glintfpga.train.engine.shape import AnySpec, Shape

__all__ = ["DEFAULT_STAGES", "Stage", "TrainConfig"]

_LEAST_TOKENS = 200_000
_MAX_BYTES = 1 << 24


def _check(name: str, value: object, lo: float, hi: float) -> None:
    whole = isinstance(lo, int)
    right = isinstance(value, int) if whole else isinstance(value, int | float)
    if not right or isinstance(value, bool) or not lo <= value <= hi:  # type: ignore[operator]
        kind = "whole number" if whole else "number"
        raise InputError(f"{name} must be a {kind} from {lo} to {hi}, not {value!r:.60}")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The best ``lineages`` replicas of the stage before (or new ones) train ``tokens`` more each.

    ``lineages`` is the stored name of the number of replicas.
    """

    lineages: int
    tokens: int
    rate: float
    """Highest learning rate: 100 steps of warm-up, then a cosine to ``final`` of it."""
    final: float = 0.003
    plan: int | None = None
    """Quantization-aware, in the formats of this code. None: float."""
    spaced: float | None = None
    """Share of sequences in the spacing of WikiText; None: that of the run."""

    def __post_init__(self) -> None:
        _check("lineages", self.lineages, 1, 1024)
        _check("tokens", self.tokens, 1, 10**13)
        _check("rate", self.rate, 1e-8, 1.0)
        _check("final", self.final, 0.0, 1.0)
        if self.spaced is not None:
            _check("spaced", self.spaced, 0.0, 1.0)
        if self.plan not in (None, *PLANS):
            known = ", ".join(map(str, PLANS))
            raise InputError(
                f"the plan of a stage must be one of {known} or nothing, not {self.plan!r:.20}"
            )


DEFAULT_STAGES = (
    Stage(lineages=14, tokens=2_500_000, rate=4e-2, final=0.01),
    Stage(lineages=4, tokens=8_000_000, rate=4e-2, final=0.01),
    Stage(lineages=1, tokens=300_000_000, rate=3e-2, final=0.001),
    Stage(lineages=1, tokens=12_000_000, rate=3e-3, plan=DEFAULT_PLAN.code),
)
"""Seeds differ by more than most recipes do: many short starts, then a long training of the best,
then a short one in the device's own numbers."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that a run depends on, besides the bytes of its corpus."""

    spec: AnySpec = field(default_factory=ModelSpec)
    stages: tuple[Stage, ...] = DEFAULT_STAGES
    seed: int = 0
    batch: int = 16
    """Sequences per step."""
    length: int = 128
    """Predicted bytes of a sequence."""
    spaced: float = 0.4
    """Share of sequences in the spacing of WikiText."""
    mixture: tuple[tuple[str, float], ...] = ()
    """How many of the spaced sequences come from each file; empty: as many as it is long."""
    kept: float = 1.0
    """Share of documents kept, easiest first."""
    penalty: float = 1e-3
    """Weight of the range penalty, see `RangePenalty`."""
    lanes: int = DEFAULT_LANES
    """Lanes of the device whose numbers the quantized stages use; its sums have their order."""
    unreviewed: bool = False
    """Whether the corpus lacks a second person's review; the model card then says so first."""
    start: str = ""
    """sha256 of the checkpoint that it goes on from, see `train.run.finetune`; empty for none."""
    corpus: str = ""
    """sha256 of the corpus; empty where it was not noted."""
    minutes: float | None = None
    """Time that the tokens were chosen for, on the machine where the run began."""

    def __post_init__(self) -> None:
        if isinstance(self.spec, ModelSpec):
            check_fits(self.spec)
        check_lanes(self.lanes)
        if not self.stages:
            raise InputError("a run needs a stage, but stages is empty")
        _check("seed", self.seed, 0, 2**63 - 1)
        _check("batch", self.batch, 1, 4096)
        _check("length", self.length, 2, 4096)
        _check("spaced", self.spaced, 0.0, 1.0)
        for name, share in self.mixture:
            _check(f"the share of {name!r:.60} in the mixture", share, 1e-9, 1e9)
        _check("kept", self.kept, 0.01, 1.0)
        _check("penalty", self.penalty, 0.0, 1.0)
        if self.minutes is not None:
            _check("minutes", self.minutes, 0.0, 1e6)
        if self.stages[0].plan is not None:
            raise InputError("the first stage must be float: quantized ones start from a model")
        for before, after in zip(self.stages, self.stages[1:], strict=False):
            if after.lineages > before.lineages:
                raise InputError(
                    f"a stage cannot continue {after.lineages} lineages of {before.lineages}"
                )

    @property
    def tokens(self) -> int:
        """Tokens that the run trains on, all replicas together."""
        return sum(stage.lineages * stage.tokens for stage in self.stages)

    def scaled(self, tokens: int) -> "TrainConfig":
        """The same run with about ``tokens`` in all; every stage keeps its share.

        Replicas that would get fewer than 200,000 tokens are too short to tell a good start from
        a bad one: there are fewer of them then.
        """
        factor = tokens / self.tokens
        most = self.stages[0].lineages
        stages = []
        for stage in self.stages:
            share = math.floor(stage.lineages * stage.tokens * factor)
            most = max(1, min(most, stage.lineages, share // _LEAST_TOKENS))
            each = max(self.batch * self.length, share // most)
            stages.append(replace(stage, lineages=most, tokens=each))
        return replace(self, stages=tuple(stages))

    def seconds(self, *, tokens_per_s: float, workers: int) -> float:
        """Estimate of the time for all stages, on ``workers`` cores of that speed in float.

        A quantized stage takes twice the time (measured: 2.1 million tokens per second, not 3.9).
        """
        return (
            sum(
                math.ceil(stage.lineages / workers) * stage.tokens * (2 if stage.plan else 1)
                for stage in self.stages
            )
            / tokens_per_s
        )

    def lasting(self, seconds: float, *, tokens_per_s: float, workers: int) -> "TrainConfig":
        """The same run scaled to take about ``seconds``; see `seconds`."""
        low, high = 1, math.ceil(seconds * tokens_per_s * workers)
        while high - low > max(1, low // 1000):
            middle = (low + high) // 2
            taken = self.scaled(middle).seconds(tokens_per_s=tokens_per_s, workers=workers)
            low, high = (middle, high) if taken <= seconds else (low, middle)
        return self.scaled(low)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, one key per field."""
        return {
            **asdict(self),
            "spec": self.spec.to_json(),
            "stages": [asdict(stage) for stage in self.stages],
            "mixture": dict(self.mixture),
        }

    @classmethod
    def from_json(cls, data: object) -> "TrainConfig":
        """Read what ``to_json`` wrote; missing fields get their defaults. Raises ``InputError``."""
        values = _fields_of(cls, data, "training config")
        if "spec" in values:
            values["spec"] = _spec_of(values["spec"])
        if "stages" in values:
            if not isinstance(values["stages"], list):
                raise InputError(f"stages must be a list, not {values['stages']!r:.60}")
        if "mixture" in values:
            if not isinstance(values["mixture"], Mapping):
                raise InputError(f"mixture must be an object, not {values['mixture']!r:.60}")
            values["mixture"] = tuple(values["mixture"].items())
        try:
            if "stages" in values:
                values["stages"] = tuple(
                    Stage(**_fields_of(Stage, item, "stage")) for item in values["stages"]
                )
            return cls(**values)
        except TypeError as error:
            raise InputError(f"wrong training config ({error})") from None

    @classmethod
    def read(cls, path: Path) -> "TrainConfig":
        """Read a config file. Raises ``InputError`` with its path."""
        data = read_limited(path, _MAX_BYTES)
        try:
            return cls.from_json(parse_object(data))
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    @classmethod
    def recipe(cls, path: Path) -> "TrainConfig":
        """Read how another run or release was trained, without what is its own: its corpus and
        how long it was to take. ``InputError`` for one that went on from a model."""
        data = read_limited(path, _MAX_BYTES)
        try:
            stored = parse_object(data)
            found = cls.from_json(stored.get("config", stored))
            if found.start:
                raise InputError("it went on from another model: give --start and that model")
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        return replace(found, corpus="", minutes=None, unreviewed=False)

    def dumps(self) -> str:
        """One line of JSON, as checkpoints carry it."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))


def _spec_of(data: object) -> AnySpec:
    if isinstance(data, Mapping) and "dim" in data:
        return Shape.from_json(data)
    return ModelSpec.from_json(data)  # type: ignore[arg-type]


def _fields_of(kind: type, data: object, what: str) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise InputError(f"a {what} must be a JSON object, not {data!r:.60}")
    unknown = sorted(set(data) - {item.name for item in fields(kind)})
    if unknown:
        raise InputError(f"unknown field {unknown[0]!r:.60} in the {what}: remove it")
    return dict(data)
