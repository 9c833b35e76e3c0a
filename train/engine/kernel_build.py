# SPDX-License-Identifier: MIT
"""Compiles ``kernel.cpp`` for one shape, once per machine.

With ``$CXX`` or g++ and ``-march=native``; kept by sources, flags, compiler and processor.
"""

import ctypes
import os
import shutil
from functools import cache
from importlib import resources

from glintfpga.quant.blink.plan import NumberPlan
from glintfpga.quant.blink.spec import LORA_TARGETS, ModelSpec
from glintfpga.quant.blink.tables import EPSILON_SUM, RECIPROCAL_LOG2, RSQRT_LOG2
from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.quant.files.native import compile_cached, run_compiler

__all__ = ["load_kernel"]

_WHAT = "the training kernel"
_SOURCES = ("kernel.cpp", "vectors.h", "fold.h", "fixed.h", "passes.h")
_FLAGS = (
    "-O3", "-march=native", "-std=gnu++17", "-shared", "-fPIC", "-Wno-psabi",
    # The last two turn a > b ? a : b into one instruction.
    "-fno-math-errno", "-fno-trapping-math", "-ffinite-math-only", "-fno-signed-zeros",
)  # fmt: skip


def load_kernel(spec: ModelSpec, plan: NumberPlan, *, fixed: bool, lanes: int = 1) -> ctypes.CDLL:
    """Return the library of a shape; with ``fixed`` it rounds as ``plan`` and ``lanes`` say.

    Raises ``EnvironmentProblem`` when there is no compiler or it fails.
    """
    return _load((*_sizes(spec), *_formats(plan), f"-DFIXED={fixed:d}", f"-DLANES={lanes}"))


def _sizes(spec: ModelSpec) -> list[str]:
    sizes = {
        "VOCAB": spec.vocab, "WINDOW": spec.window, "HIDDEN": spec.hidden, "LOOPS": spec.loops,
        "PRELUDE": spec.prelude, "CODA": spec.coda, "LORA_RANK": spec.lora_rank,
        "LORA_TARGETS": sum(1 << LORA_TARGETS.index(name) for name in spec.lora_targets),
    }  # fmt: skip
    return [f"-D{name}={value}" for name, value in sizes.items()]


def _formats(plan: NumberPlan) -> list[str]:
    numbers = {
        "WEIGHT_WIDTH": plan.weight_width, "SCORE_FRAC": plan.score_frac,
        "MIN_SHIFT": plan.min_shift, "MAX_SHIFT": plan.max_shift,
        "MIN_SUM_SHIFT": max(0, plan.min_sum_shift), "MAX_SUM_SHIFT": plan.max_sum_shift,
        "EPSILON_SUM": EPSILON_SUM, "RSQRT_LOG2": RSQRT_LOG2, "RECIPROCAL_LOG2": RECIPROCAL_LOG2,
    }  # fmt: skip
    formats = {
        "H": plan.h, "QK": plan.qk, "V": plan.v, "X": plan.x, "GATE": plan.gate, "UP": plan.up,
        "Z": plan.z, "LOGIT": plan.logit,
    }  # fmt: skip
    return [
        *(f"-D{name}={value}" for name, value in numbers.items()),
        *(f"-DFORMAT_{name}={fmt.width},{fmt.frac}" for name, fmt in formats.items()),
    ]


@cache
def _load(defines: tuple[str, ...]) -> ctypes.CDLL:
    """Compile, unless the same source was compiled for the same processor, and load."""
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        raise EnvironmentProblem("no C++ compiler for the training kernel; apt install g++")
    folder = resources.files("glintfpga.train.engine")
    sources = {name: folder.joinpath(name).read_text("utf-8") for name in _SOURCES}
    # The predefined macros name the compiler's version and all instructions of this processor.
    macros = run_compiler([compiler, *_FLAGS, "-dM", "-E", "-x", "c++", os.devnull], _WHAT)
    command = [compiler, *_FLAGS, *defines]
    library = compile_cached("kernel.so", command, sources, what=_WHAT, key=[macros])
    loaded = ctypes.CDLL(str(library))
    loaded.run.restype = ctypes.c_double
    return loaded
