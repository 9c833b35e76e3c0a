# SPDX-License-Identifier: MIT
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from glintfpga.host.commands.train import _Pace
from glintfpga.host.progress import Progress
from glintfpga.host.training import engine_for
from glintfpga.quant.checkpoint import read_checkpoint
from glintfpga.quant.spec import ModelSpec
from glintfpga.sim.paths import cache_dir
from glintfpga.train.config import TrainConfig
from glintfpga.train.data.manifest import Manifest, describe, write_manifest
from glintfpga.train.kernel import Kernel
from glintfpga.train.lineage import Lineage
from glintfpga.train.run import Status

WORDS = "the a of and cat dog house river walks sees under over green old music window".split()
SPEC = ModelSpec()


@pytest.fixture
def text(tmp_path, monkeypatch):
    """A manifest that nobody has signed, and a cache of its own with the compiled kernel."""
    Kernel(SPEC)
    cache = tmp_path / "cache" / "glintfpga"
    cache.mkdir(parents=True)
    for library in cache_dir().glob("kernel-*.so"):
        (cache / library.name).symlink_to(library)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(1)
    documents = [" ".join(rng.choice(WORDS, 80)) for _ in range(200)]
    (tmp_path / "text.txt").write_text("\n\n".join(documents))
    source = describe(
        tmp_path, tmp_path / "text.txt", licence="CC0", origin="generated", added_by="Ann"
    )
    write_manifest(tmp_path / "m.json", Manifest(folder=tmp_path, sources=(source,)))
    return tmp_path / "m.json"


def start(run, manifest, tokens=3_000_000):
    # A test run in the background would hand down that interrupts are ignored.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "from glintfpga.host.cli import main; main()"
    arguments = ["train", "--tokens", tokens, "--plan", "none", "--workers", 1, "--unreviewed"]
    command = [sys.executable, "-c", code, *arguments, "--manifest", manifest, "--out", run]
    with Path(f"{run}.out").open("wb") as out, Path(f"{run}.err").open("wb") as err:
        return subprocess.Popen(list(map(str, command)), stdout=out, stderr=err)


def wait_for(condition, process, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.args
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found


def test_kill_and_interrupt_lose_nothing(text, tmp_path):
    whole = start(tmp_path / "whole", text)
    assert whole.wait(120) == 0, (tmp_path / "whole.err").read_text()

    run = tmp_path / "cut"
    first = start(run, text)
    wait_for((run / "state" / "00.log").exists, first)
    wait_for(lambda: (run / "state" / "00.log").stat().st_size, first)
    orphans = children(first.pid)
    assert orphans
    first.kill()
    first.wait()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/cwd").exists() for pid in orphans):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    second = start(run, text)
    wait_for((run / "checkpoints" / "0-00.safetensors").exists, second)
    second.send_signal(signal.SIGINT)
    assert second.wait(60) == 130
    assert (tmp_path / "cut.err").read_text() == ""
    assert Lineage.load(run / "state" / "00.safetensors", SPEC.param_count).steps > 0

    last = start(run, text)
    assert last.wait(120) == 0
    out = (tmp_path / "cut.out").read_text()
    for name in ("scores.json", "config.json"):
        assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    # Not byte by byte: safetensors writes metadata in any order.
    mine, its = (
        read_checkpoint(folder / "best.safetensors") for folder in (run, tmp_path / "whole")
    )
    assert mine.note == its.note and mine.spec == its.spec
    assert all(np.array_equal(mine.tensors[name], its.tensors[name]) for name in its.tensors)
    assert (run / "loss.svg").read_text().startswith("<svg ")
    assert "held-out documents, float: byte perplexity " in out


def test_minutes_become_tokens_once(text, tmp_path, command, monkeypatch):
    arguments = ("train", "--minutes", 0.01, "--workers", 1, "--plan", "none")
    arguments += ("--manifest", text, "--unreviewed")
    run = tmp_path / "run"
    code, out, err = command(*arguments, "--out", run)
    assert code == 0, err
    assert "million tokens a second on one core (measured)" in err
    assert "float: byte perplexity" in out.decode()
    config = json.loads((run / "config.json").read_text())
    assert config["minutes"] == 0.01 and config["unreviewed"]
    monkeypatch.setattr("glintfpga.train.pace.tokens_per_second", None)  # not measured again
    assert command(*arguments, "--out", run)[:2] == (0, out)
    code, _, err = command(*arguments, "--out", run, "--seed", 1)
    assert code != 0

    code, out, err = command("merge", run, "--top", 2, "--workers", 2)
    assert code == 0, err
    assert out.decode().splitlines()[-1].startswith("winner: ")
    assert (run / "merge" / "bracket.svg").read_text().startswith("<svg ")

    code, _, err = command("release", run, "--name", "tiny", "--out", tmp_path / "rel")
    assert code == 0, err
    released = tmp_path / "rel" / "tiny"
    card = (released / "README.md").read_text()
    assert card.startswith("> **Unreviewed data:**") and "Not evaluated." in card
    sample = json.loads((released / "eval.json").read_text())["samples"][0]
    for port, name, numerics in (
        ("ref:", "model.glint", "fixed"), ("float:", "model.safetensors", "float"),
    ):  # fmt: skip
        given = ("--seed", 1, "--bytes", sample["bytes"])
        code, out, err = command("generate", port, "--load", released / name, *given)
        assert code == 0, err
        assert out.decode("utf-8", "replace") == sample[numerics]


def test_text_without_a_sign_off_is_refused(text, command):
    code, _, err = command("train", "--manifest", text)
    assert code == 2
    assert "is refused: " in err and "--unreviewed" in err
    assert err.count("\n") == 1


def test_wrong_options(text, command, tmp_path):
    assert command("train", "--minutes", 1, "--tokens", 5)[0] == 2
    assert "unknown preset 'blonk'" in command(
        "train", "--preset", "blonk", "--manifest", text, "--unreviewed"
    )[2]
    assert "--manifest too" in command("train", "--data", tmp_path)[2]
    assert "train first" in command("merge", tmp_path)[2]
    assert command("release", tmp_path, "--name", "x")[0] == 2


def test_without_a_compiler_there_is_no_quantized_stage(monkeypatch, notes):
    pytest.importorskip("torch")
    monkeypatch.setenv("CXX", "no-such-compiler")
    config = TrainConfig(spec=ModelSpec(loops=1, hidden=3, vocab=9, eos=None))
    engine, found = engine_for(config)
    assert engine.size == config.spec.param_count
    assert found.stages == config.stages[:-1]
    assert any("far slower: no C++ compiler" in note for note in notes)
    assert notes[-1] == "without the kernel there is no quantized stage"


@pytest.mark.slow
def test_without_a_compiler_it_trains_in_torch(text, tmp_path):
    pytest.importorskip("torch")
    code = (
        "import sys; from glintfpga.host.cli import run;"
        "sys.exit(run(['train', '--tokens', '20000', '--workers', '1', '--unreviewed', "
        f"'--manifest', {str(text)!r}, '--out', {str(tmp_path / 'run')!r}]))"
    )
    environment = {**os.environ, "CXX": "no-such-compiler"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("training in PyTorch, which is far slower") == 1
    assert "there is no quantized stage" in done.stderr
    assert "float: byte perplexity" in done.stdout


def test_progress_tells_stage_loss_and_speed(notes):
    now = [0.0]
    show = Progress("training", 100.0, clock=lambda: now[0])
    pace = _Pace(show, 3, clock=lambda: now[0])

    def status(tokens, **more):
        return Status(
            stage=1, lineages=2, finished=0, tokens=tokens, total=100, loss=2.5, **more
        )

    pace(status(0))
    now[0] = 10.0
    pace(status(30_000_000, retreats={4: 0.5}))
    assert show.state.endswith("stage 2 of 3, loss 2.500, 3.00 M tokens/s")
    assert len(notes) == 1
    assert notes[0].startswith("the loss of lineage 4 was no number: it is back at its last save")
    assert "0.5 of its learning rate" in notes[0]
