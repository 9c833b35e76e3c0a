# SPDX-License-Identifier: MIT
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glintfpga.host.commands.train import _TrainProgress
from glintfpga.host.console.progress import Progress
from glintfpga.host.training.recipe import engine_for, sized
from glintfpga.quant.blink.checkpoint import read_checkpoint
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.quant.files.cache_folder import cache_dir, own_folder
from glintfpga.train.data.manifest import Manifest, describe, write_manifest
from glintfpga.train.engine.kernel import Kernel
from glintfpga.train.engine.shape import Shape
from glintfpga.train.optimizer.adam import Adam
from glintfpga.train.optimizer.basis import eigenbases_of
from glintfpga.train.run.config import TrainConfig
from glintfpga.train.run.model_files import read_model
from glintfpga.train.run.presets import PRESETS
from glintfpga.train.run.replica import Replica
from glintfpga.train.run.run import RunStatus

WORDS = "the a of and cat dog house river walks sees under over green old music window".split()
SPEC = ModelSpec()


@pytest.fixture
def text(tmp_path, monkeypatch):
    """A manifest that nobody has signed, and a cache of its own with the compiled kernel."""
    Kernel(SPEC)
    libraries = list(cache_dir().glob("native/kernel-*.so"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for library in libraries:
        shutil.copy2(library, own_folder("native"))
    rng = np.random.default_rng(1)
    documents = [" ".join(rng.choice(WORDS, 80)) for _ in range(200)]
    (tmp_path / "text.txt").write_text("\n\n".join(documents))
    source = describe(
        tmp_path, tmp_path / "text.txt", licence="CC0", origin="generated", added_by="Ann"
    )
    write_manifest(tmp_path / "m.json", Manifest(folder=tmp_path, sources=(source,)))
    return tmp_path / "m.json"


def start(run, manifest, tokens=3_000_000, minutes=None, first="pass"):
    """A training in a process of its own, which runs the Python ``first`` before."""
    # A test run in the background would hand down that interrupts are ignored.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += f"{first}; from glintfpga.host.cli import main; main()"
    length = ("--minutes", minutes) if minutes else ("--tokens", tokens, "--plan", "none")
    arguments = ["train", *length, "--workers", 1, "--unreviewed"]
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


def kill(process):
    """End a training without warning, and wait until its processes have ended too."""
    orphans = children(process.pid)
    assert orphans
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/cwd").exists() for pid in orphans):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_kill_and_interrupt_lose_nothing(text, tmp_path):
    whole = start(tmp_path / "whole", text)
    assert whole.wait(120) == 0, (tmp_path / "whole.err").read_text()

    run = tmp_path / "cut"
    first = start(run, text)
    wait_for((run / "state" / "00.log").exists, first)
    wait_for(lambda: (run / "state" / "00.log").stat().st_size, first)
    kill(first)

    second = start(run, text)
    wait_for((run / "checkpoints" / "0-00.safetensors").exists, second)
    second.send_signal(signal.SIGINT)
    assert second.wait(60) == 130
    assert (tmp_path / "cut.err").read_text() == ""
    assert (
        Replica.load(
            run / "state" / "00.safetensors",
            Adam(count=SPEC.param_count, bases=eigenbases_of(SPEC)),
        ).steps
        > 0
    )

    last = start(run, text)
    assert last.wait(120) == 0
    out = (tmp_path / "cut.out").read_text()
    assert (run / "config.json").read_bytes() == (tmp_path / "whole/config.json").read_bytes()
    assert same_result(run, tmp_path / "whole")
    assert (run / "loss.svg").read_text().startswith("<svg ")
    assert "held-out documents, float: byte perplexity " in out


def same_result(run, other):
    """Whether two runs ended alike, but for the order of metadata that safetensors writes."""
    assert (run / "scores.json").read_bytes() == (other / "scores.json").read_bytes()
    mine, its = (read_checkpoint(folder / "best.safetensors") for folder in (run, other))
    assert mine.note == its.note and mine.spec == its.spec
    return all(np.array_equal(mine.tensors[name], its.tensors[name]) for name in its.tensors)


def test_a_full_disk_harms_nothing_that_was_saved(text, tmp_path):
    pytest.importorskip("resource")
    whole = start(tmp_path / "whole", text, 1_000_000)
    assert whole.wait(120) == 0, (tmp_path / "whole.err").read_text()
    run = tmp_path / "run"
    first = start(run, text, 1_000_000)
    wait_for((run / "state" / "00.safetensors").exists, first)
    kill(first)
    saved = {path: path.read_bytes() for path in run.rglob("*.safetensors")}
    assert saved
    # No file may grow beyond 4 KiB; a state needs 14. The system says so as of a full disk.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))"
    full = start(run, text, 1_000_000, first=limit)
    assert full.wait(60) == 3
    err = (tmp_path / "run.err").read_text()
    assert err.startswith("error: cannot write ") and "File too large" in err
    assert err.count("\n") == 1
    assert saved == {path: path.read_bytes() for path in run.rglob("*.safetensors")}
    assert start(run, text, 1_000_000).wait(120) == 0
    assert same_result(run, tmp_path / "whole")


@pytest.mark.slow
def test_some_seconds_of_training_cut_by_a_kill(text, tmp_path):
    run = tmp_path / "run"
    first = start(run, text, minutes=0.1)
    wait_for((run / "checkpoints" / "0-00.safetensors").exists, first)
    kill(first)
    saved = (run / "config.json").read_bytes()
    assert start(run, text, minutes=0.1).wait(120) == 0
    assert (run / "config.json").read_bytes() == saved
    stages = json.loads(saved)["stages"]
    tokens = sum(stage["tokens"] // 2048 * 2048 for stage in stages)
    assert json.loads(read_model(run / "best.safetensors").note)["tokens"] == tokens
    assert (run / "loss.svg").read_text().startswith("<svg ")
    out = (tmp_path / "run.out").read_text()
    assert "documents, float: byte perplexity" in out and "documents, fixed: byte" in out


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_interrupts_at_any_point(text, tmp_path, how):
    whole = start(tmp_path / "whole", text, 1_000_000)
    began = time.monotonic()
    assert whole.wait(120) == 0
    needed = time.monotonic() - began
    run = tmp_path / "run"
    for share in np.random.default_rng(1).random(12):
        process = start(run, text, 1_000_000)
        time.sleep(share * needed)
        process.send_signal(how)
        assert process.wait(60) in (0, 130, -how)
        # While Python still imports the command line, nobody can catch an interrupt.
        assert ", in main" not in (tmp_path / "run.err").read_text()
    # The processes of one that was killed end by themselves.
    time.sleep(2)
    assert start(run, text, 1_000_000).wait(120) == 0
    assert same_result(run, tmp_path / "whole")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_trains(preset, text, tmp_path, command):
    software = isinstance(PRESETS[preset].spec, Shape)
    if software:
        pytest.importorskip("torch")
    run = tmp_path / "run"
    given = ("train", "--preset", preset, "--batch", 4, "--workers", 1)
    given += ("--tokens", 20_000 if software else 2_000_000)
    given += ("--manifest", text, "--unreviewed", "--out", run)
    code, out, err = command(*given)
    assert code == 0, err
    assert ("is for software only" in err) == software
    lines = out.decode().splitlines()
    assert f"{PRESETS[preset].spec.param_count:,} parameters" in lines[0]
    assert len(lines) == (2 if software else 3)
    assert "held-out documents, float: byte perplexity " in lines[1]
    # An untrained model has 257 or more.
    assert float(lines[1].split("perplexity ")[1].split()[0]) < 120
    assert (run / "loss.svg").read_text().startswith("<svg ")
    assert read_model(run / "best.safetensors").spec == PRESETS[preset].spec
    assert command(*given)[:2] == (0, out)
    if software:
        for refused in (
            ("merge", run), ("release", run, "--name", "x"),
            ("build", "--model", run / "best.safetensors"),
        ):  # fmt: skip
            code, _, err = command(*refused)
            assert code == 2
            assert err.startswith("error: ") and err.count("\n") == 1


def test_without_memory_it_says_what_to_do(text, command, monkeypatch, tmp_path):
    torch = pytest.importorskip("torch")

    def full(*given):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("glintfpga.train.engine.eager.loss", full)
    given = ("--manifest", text, "--unreviewed", "--out", tmp_path / "run")
    code, _, err = command("train", "--preset", "glimmer", "--minutes", 1, *given)
    assert code == 3
    assert err.splitlines()[-1].startswith("error: the memory of 'cpu' does not do for 16 seq")
    assert "smaller --batch" in err


def test_a_file_that_is_not_the_one_of_the_manifest(text, command):
    with (text.parent / "text.txt").open("a") as file:
        file.write("more")
    code, _, err = command("train", "--manifest", text, "--unreviewed")
    assert code == 2
    assert "text.txt' is not the file of the manifest: its sha256 differs" in err
    assert err.count("\n") == 1


def test_a_share_of_the_documents(text, command, tmp_path):
    given = ("train", "--tokens", 20_000, "--plan", "none", "--workers", 1, "--unreviewed")
    given += ("--manifest", text, "--kept", 0.5, "--out", tmp_path / "run")
    code, out, err = command(*given)
    assert code == 0, err
    note = json.loads(read_checkpoint(tmp_path / "run" / "best.safetensors").note)
    assert note["config"]["kept"] == 0.5
    cache = tmp_path / "cache" / "glintfpga"
    (corpus,) = (cache / "corpus").iterdir()
    assert json.loads((corpus / "corpus.json").read_text())["documents"] in range(98, 101)
    assert note["config"]["corpus"].startswith(corpus.name)
    assert len(list((cache / "difficulty").iterdir())) == 1
    assert command(*given)[:2] == (0, out)
    assert command("train", "--kept", 0, "--manifest", text)[0] == 2


def test_the_recipe_of_another_run(text, command, tmp_path):
    stages = [{"lineages": 2, "tokens": 20_000, "rate": 0.04}]
    recipe = {"spec": SPEC.to_json(), "stages": stages, "seed": 5, "mixture": {"text.txt": 2.0}}
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps({"config": recipe | {"corpus": "ab" * 32, "minutes": 9.0}}))
    given = ("train", "--config", file, "--workers", 1, "--unreviewed", "--manifest", text)
    code, _, err = command(*given, "--out", tmp_path / "run")
    assert code == 0, err
    config = TrainConfig.read(tmp_path / "run" / "config.json")
    assert (config.seed, dict(config.mixture), config.minutes) == (5, {"text.txt": 2.0}, None)
    assert [stage.tokens for stage in config.stages] == [20_000]
    assert config.corpus != "ab" * 32 and config.unreviewed
    code, _, err = command(*given, "--out", tmp_path / "other", "--seed", 6)
    assert code == 0, err
    assert TrainConfig.read(tmp_path / "other" / "config.json").seed == 6

    file.write_text(json.dumps(recipe | {"mixture": {"novels.txt": 1.0}}))
    code, _, err = command(*given, "--out", tmp_path / "unknown")
    assert code == 2 and err.count("\n") == 1
    assert "the mixture names 'novels.txt', which has no text in the corpus: use text.txt" in err
    assert command(*given, "--preset", "blink")[0] == 2
    assert command("train", "--config", tmp_path / "none.json", "--manifest", text)[0] == 2


def test_minutes_become_tokens_once(text, tmp_path, command, monkeypatch):
    arguments = ("train", "--minutes", 0.01, "--workers", 1, "--plan", "none")
    arguments += ("--manifest", text, "--unreviewed")
    run = tmp_path / "run"
    code, out, err = command(*arguments, "--out", run)
    assert code == 0, err
    assert "tokens/s for one replica (measured): " in err
    assert "float: byte perplexity" in out.decode()
    config = json.loads((run / "config.json").read_text())
    assert config["minutes"] == 0.01 and config["unreviewed"]
    monkeypatch.setattr(
        "glintfpga.train.run.throughput.measured_throughput", None
    )  # not measured again
    assert command(*arguments, "--out", run)[:2] == (0, out)
    code, _, err = command(*arguments, "--out", run, "--seed", 1)
    assert code != 0

    code, out, err = command("merge", run, "--top", 2, "--workers", 2)
    assert code == 0, err
    assert re.fullmatch(
        r"winner: \S+, byte perplexity [\d.]+, .*over .*(documents|trained on).* \(float\)",
        out.decode().splitlines()[-1],
    )
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


@pytest.mark.quick
def test_text_without_a_sign_off_is_refused(text, command):
    code, _, err = command("train", "--manifest", text)
    assert code == 2
    assert "is refused: " in err and "--unreviewed" in err
    assert err.count("\n") == 1


def test_wrong_options(text, command, tmp_path):
    assert command("train", "--minutes", 1, "--tokens", 5)[0] == 2
    assert (
        "unknown preset 'blonk'"
        in command("train", "--preset", "blonk", "--manifest", text, "--unreviewed")[2]
    )
    assert "--manifest too" in command("train", "--data", tmp_path)[2]
    assert "train first" in command("merge", tmp_path)[2]
    assert command("release", tmp_path, "--name", "x")[0] == 2


def test_without_a_compiler_there_is_no_quantized_stage(monkeypatch, notes):
    pytest.importorskip("torch")
    monkeypatch.setenv("CXX", "no-such-compiler")
    config = TrainConfig(spec=ModelSpec(loops=1, hidden=3, vocab=9, eos=None))
    engine, found = engine_for(config, 2)
    assert engine.size == config.spec.param_count
    assert found.stages == config.stages[:-1]
    assert any("far slower: no C++ compiler" in note for note in notes)
    assert notes[-1] == "without the kernel there is no quantized stage"


def test_without_a_compiler_and_torch_it_names_both(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr("glintfpga.train.engine.choice.find_spec", lambda name: None)
    with pytest.raises(EnvironmentProblem) as caught:
        engine_for(TrainConfig(spec=ModelSpec(loops=1, hidden=3, vocab=9, eos=None)), 2)
    assert str(caught.value) == (
        "no C++ compiler for the training kernel; apt install g++; or, far slower, "
        "pip install 'glintfpga[torch]'"
    )


def test_one_minute(monkeypatch, notes, tmp_path):
    monkeypatch.setattr(
        "glintfpga.train.run.throughput.measured_throughput", lambda engine, config: 1e6
    )
    monkeypatch.setattr(
        "glintfpga.host.training.recipe.engine_for", lambda config, workers: (None, config)
    )
    for minutes in (1.0, 2.5):
        sized(replace(TrainConfig(), minutes=minutes), tmp_path / "new", None, 1)
    assert [note.rpartition(" in ")[2] for note in notes] == ["1 minute", "2.5 minutes"]


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
    pace = _TrainProgress(show, 3, clock=lambda: now[0])

    def status(tokens, **more):
        return RunStatus(
            stage=1, replicas=2, finished=0, tokens=tokens, total=100, loss=2.5, **more
        )

    pace(status(0))
    now[0] = 10.0
    pace(status(30_000_000, retreats={4: 0.5}))
    assert show.state.endswith("stage 2 of 3, loss 2.500, 3.00 M tokens/s")
    assert len(notes) == 1
    assert notes[0].startswith("the loss of replica 4 was no number: it is back at its last save")
    assert "0.5 of its learning rate" in notes[0]
