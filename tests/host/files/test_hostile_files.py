# SPDX-License-Identifier: MIT
"""The command line and what a user may hand it: one line, exit code 2, and nothing is lost."""

import json
import lzma
import os
import random
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glintfpga.host.models import find_model
from support.damage import damaged

CHECKPOINT = find_model(None).read_bytes()
DEEP = b"[" * 5000


def lying(number):
    return number.to_bytes(8, "little") + CHECKPOINT[8:]


FILES = {
    "empty": b"",
    "nul": b"\0",
    "nuls": bytes(200),
    "ones": b"\xff" * 200,
    "text": b"To be, or not to be\n",
    "not UTF-8": b"\xff\xfe\xc3\x28",
    "JSON": json.dumps({"a": [1, 2]}).encode(),
    "deep JSON": len(DEEP).to_bytes(8, "little") + DEEP,
    "header of 2**63 bytes": lying(2**63),
    "header of -1 bytes": lying(2**64 - 1),
    "half a checkpoint": CHECKPOINT[: len(CHECKPOINT) // 2],
    "short of one byte": CHECKPOINT[:-1],
    "magic alone": b"GLNT",
    "an image's header": b"GLNT\1\0\x60\0" + bytes(88),
    "ELF": b"\x7fELF" + bytes(200),
}


@pytest.fixture
def refused(command):
    """Runs a command line that must fail; returns its one line, without "error: "."""

    def go(*arguments, code=2, stdin=b""):
        got, out, err = command("-q", *arguments, stdin=stdin)
        assert (got, out) == (code, b""), err
        assert err.startswith("error: ") and err.endswith("\n")
        line = err.removeprefix("error: ").removesuffix("\n")
        assert line.isprintable() and "unexpected" not in line, line
        return line

    return go


@pytest.fixture(params=FILES)
def rubbish(request, tmp_path):
    path = tmp_path / "rubbish.bin"
    path.write_bytes(FILES[request.param])
    return path


class TestFiles:
    def test_as_a_model(self, refused, rubbish, tmp_path):
        old = {name: tmp_path / name for name in ("old.glint", "report.json")}
        had = {"old.glint": b"GLNT that the user had", "report.json": b'{"logit_snr_db": 1}'}
        for name, path in old.items():
            path.write_bytes(had[name])
        before = sorted(tmp_path.iterdir())
        for arguments in (
            ("quantize", rubbish, "-o", old["old.glint"], "--report", old["report.json"]),
            ("load", "ref:", rubbish),
            ("generate", "ref:", "--load", rubbish),
            ("eval", rubbish, "--data", rubbish),
            ("build", "--model", rubbish, "--out", tmp_path / "build"),
        ):
            assert "rubbish.bin" in refused(*arguments)
        assert sorted(tmp_path.iterdir()) == before
        assert {name: path.read_bytes() for name, path in old.items()} == had

    def test_as_a_bitstream(self, refused, rubbish):
        assert "rubbish.bin' is not a bitstream: give a .fs file" in refused("flash", rubbish)

    @pytest.mark.parametrize("name", ["a.txt.xz", "a.jsonl", "a.jsonl.xz"])
    def test_as_a_text(self, refused, rubbish, name):
        path = rubbish.rename(rubbish.with_name(name))
        assert name in refused("eval", "blink-base", "--data", path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1))
def test_damaged_models(command, tmp_path, image, seed):
    """Where damage meets a note or padding the model is what it was; else it is refused.

    A damaged weight may be one to warn of.
    """
    rng = random.Random(seed)
    good = rng.choice((CHECKPOINT, image.data))
    path = tmp_path / "model.bin"
    path.write_bytes(damaged(rng, good))
    code, out, err = command("-qq", "load", "ref:", path)
    assert code in (0, 2) and out == b""
    assert err.count("\n") == (code == 2) and "unexpected" not in err


def test_a_failed_text_ends_the_command(command, tmp_path):
    """What was scored before it is on stdout already."""
    (tmp_path / "a.txt").write_bytes(b"To be, or not to be")
    (tmp_path / "b.txt.xz").write_bytes(lzma.compress(b"x" * 1000)[:-9])
    code, out, err = command("-q", "eval", "blink-base", "--data", tmp_path)
    assert (code, err.count("\n")) == (2, 1)
    assert b"\na " in out and "b.txt.xz" in err


def test_names_that_are_not_text(command, tmp_path):
    """A name may hold any bytes but two; those that are no characters are shown as escapes."""
    for name in (b"\xff.txt", b"\x1b[31m.txt"):
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(b"To be, or not to be")
    code, out, err = command("-q", "eval", "blink-base", "--data", tmp_path)
    assert (code, err) == (0, "")
    assert b"\x1b" not in out
    assert b"\\x1b[31m" in out and b"\\udcff" in out


@pytest.mark.quick
@pytest.mark.skipif(os.name == "nt", reason="devices are no files there")
@pytest.mark.parametrize("node", ["/dev/null", "/dev/full", "/dev/stdin"])
def test_devices_are_no_outputs(refused, node, monkeypatch):
    """As root, a file would take the place of the device for everybody."""
    monkeypatch.setattr("pathlib.Path.replace", None)
    assert node in refused("quantize", "blink-base", "-o", node)


LONG = "a" * 300
SERIAL = {"no port": 1, "not a serial port": 1, "cannot be opened": 1}


@pytest.mark.parametrize(
    "arguments",
    [
        ("generate", "ref:", "--temperature", "nan"),
        ("generate", "ref:", "--temperature", "-nan"),
        ("generate", "ref:", "--temperature", "inf"),
        ("generate", "ref:", "--temperature", "1e999"),
        ("generate", "ref:", "--temperature", "-0.01"),
        ("generate", "ref:", "--seed", "-1"),
        ("generate", "ref:", "--seed", str(2**64)),
        ("generate", "ref:", "--seed", "9" * 5000),
        ("generate", "ref:", "--bytes", str(2**63)),
        ("generate", "ref:", "--bytes", "1e3"),
        ("generate", "ref:", "--bytes", "nan"),
        ("generate", "ref:", "--prompt", "\ud800"),
        ("chat", "ref:", "--lanes", "0"),
        ("verify", "ref:", "--tokens", str(2**63)),
        ("build", "--clock-mhz", "nan"),
        ("build", "--clock-mhz", "1e999"),
        ("build", "--clock-mhz", "-54"),
        ("build", "--seed", "-1"),
        ("build", "--board", "\0"),
        ("flash", "--board", LONG),
        *(
            (*command, name)
            for name in (LONG, "a\0b", f"{LONG}/x", "x/" * 3000)
            for command in (
                ("generate", "ref:", "--load"),
                ("load", "ref:"),
                ("quantize",),
                ("quantize", "blink-base", "-o"),
                ("quantize", "blink-base", "--report"),
                ("eval", "blink-base", "--data"),
                ("flash",),
                ("sim", "--trace"),
                ("build", "--model"),
                ("build", "--out"),
            )
        ),
    ],
)
def test_arguments(refused, arguments):
    assert refused(*arguments)


@pytest.mark.parametrize(
    "port",
    [
        "", "\0", "x\0y", ".", "/", "/dev/null", LONG, "x/" * 3000, "-", "\udcff", "\ud800",
        "COM99999", "foo://bar", "hwgrep://[", "hwgrep://(a", "alt://x?class=os", "alt://x?class=",
        "loop://?logging=x", "socket://", "socket://localhost:99999", "socket://localhost:1?x",
        "rfc2217://", "rfc2217://x:y", "spy://", "cp2110://",
    ],
)  # fmt: skip
def test_ports(refused, port):
    """A port that cannot be opened is a matter of the device: exit code 1."""
    assert refused("load", port, "blink-base", code=1)


class TestStdin:
    def chat(self, command, glint, stdin):
        return command("-q", "chat", "ref:", "--load", glint, "--bytes", 3, stdin=stdin)

    @pytest.mark.parametrize("text", [b"\0\n", b"\xff\xfe\n", b"\n\n\n", b"no end", b"\x1b[2J\r\n"])
    def test_any_bytes_are_a_question(self, command, glint, text):
        code, _, err = self.chat(command, glint, text)
        assert (code, err) == (0, "")

    def test_a_line_without_an_end(self, command, glint):
        code, out, err = self.chat(command, glint, b"x" * (1 << 21))
        assert (code, out) == (2, b"")
        assert err == "error: a line of more than 1048576 bytes; break it into lines\n"


def test_memory(tmp_path):
    """What a few hundred bytes, and a file with no end, can make the process take."""
    resource = pytest.importorskip("resource")
    assert resource
    for name, data in FILES.items():
        (tmp_path / f"{name.replace('*', '')}.bin").write_bytes(data)
    with (tmp_path / "endless.fs").open("wb") as file:
        file.truncate(1 << 40)
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(tmp_path)], capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    first, last = map(int, done.stdout.split()[-2:])
    assert last - first < 50_000_000


_CHILD = """
import contextlib, io, pathlib, resource, sys
from glintfpga.host.cli import run

def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

folder = pathlib.Path(sys.argv[1])
assert run(["-q", "quantize", "blink-base", "-o", str(folder / "x.glint")]) == 0
before = peak()
for path in sorted(folder.glob("*.bin")):
    assert run(["-q", "load", "ref:", str(path)]) == 2
    assert run(["-q", "flash", str(path)]) == 2
assert run(["-q", "flash", str(folder / "endless.fs")]) == 2
print(before, peak())
"""
