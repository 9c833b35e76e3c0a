# SPDX-License-Identifier: MIT
"""From dialogues to a chat: train --start, release, and what is typed and answered."""

import hashlib
import json
import re
import shutil

import pytest

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.image_format import is_for_chat
from glintfpga.host.console.text import ShownText
from glintfpga.host.models import find_model
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.files.cache_folder import cache_dir, own_folder
from glintfpga.train.data.manifest import Manifest, describe, write_manifest
from glintfpga.train.engine.kernel import Kernel


@pytest.fixture
def dialogues(tmp_path, monkeypatch):
    """A manifest that nobody has signed, and a cache of its own with the compiled kernel."""
    Kernel(ModelSpec())
    libraries = list(cache_dir().glob("native/kernel-*.so"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for library in libraries:
        shutil.copy2(library, own_folder("native"))
    rows = [
        {"messages": [
            {"role": "user", "content": f"Is {number} even?"},
            {"role": "assistant", "content": "No." if number % 2 else "Yes."},
        ]}
        for number in range(4000)
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = describe(tmp_path, tmp_path / "a.jsonl", licence="CC0", origin="", added_by="Ann")
    write_manifest(tmp_path / "m.json", Manifest(folder=tmp_path, sources=(source,)))
    return tmp_path / "m.json"


def test_from_dialogues_to_a_chat(dialogues, tmp_path, command):
    run = tmp_path / "run"
    arguments = ("train", "--start", "blink-base", "--manifest", dialogues, "--unreviewed")
    arguments += ("--tokens", 1_500_000, "--plan", "none", "--workers", 1, "--out", run)
    code, out, err = command(*arguments)
    assert code == 0, err
    values = dict(re.findall(r"perplexity an id, float, (\w+): ([0-9.]+)$", out.decode(), re.M))
    assert list(values) == ["before", "now"]
    assert float(values["now"]) < 4 < 10 < float(values["before"])
    config = json.loads((run / "config.json").read_text())
    shipped = find_model(None).read_bytes()
    assert config["start"] == hashlib.sha256(shipped).hexdigest()
    assert config["spec"] == {**ModelSpec().to_json(), "chat": True}
    assert config["spaced"] == 0.0
    assert command(*arguments)[:2] == (0, out)

    assert command("release", run, "--name", "tuned", "--out", tmp_path / "rel")[0] == 0
    released = tmp_path / "rel" / "tuned"
    assert is_for_chat(Image.read(released / "model.glint").header)
    sample = json.loads((released / "eval.json").read_text())["samples"][1]
    given = ("ref:", "--load", released / "model.glint", "--seed", 2, "--bytes", sample["bytes"])
    prompt = f"{sample['question']}\n"
    code, out, err = command("generate", *given, "--prompt", prompt)
    assert (code, out.decode("utf-8", "replace")) == (0, sample["fixed"]), err
    code, answer, err = command("chat", *given, stdin=f"{sample['question']} \n".encode())
    # A chat ends at a blank line too, which generate does not, and escapes what steers terminals.
    shown = ShownText()
    whole = (shown.feed(out) + shown.finish()).split("\n\n")[0].rstrip("\n")
    assert (code, answer.decode().rstrip("\n")) == (0, whole)


def test_the_shape_is_that_of_the_start(dialogues, command):
    for option in (("--preset", "blink"), ("--window", 9), ("--thinking", 1)):
        code, _, err = command("train", "--start", "blink-base", "--manifest", dialogues, *option)
        assert code == 2 and "The shape is that of --start" in err
    arguments = ("train", "--manifest", dialogues, "--unreviewed")
    code, _, err = command(*arguments, "--start", "nothing")
    assert code == 2 and "there is no model 'nothing'" in err
    glint = find_model(None).with_suffix(".glint")
    code, _, err = command(*arguments, "--start", glint)
    assert code == 2 and "model.glint" in err and err.count("\n") == 1


def test_another_start_needs_another_folder(dialogues, tmp_path, command):
    run = tmp_path / "run"
    arguments = ("train", "--manifest", dialogues, "--unreviewed", "--out", run)
    arguments += ("--tokens", 5000, "--plan", "none", "--workers", 1)
    assert command(*arguments, "--start", "blink-base")[0] == 0
    before = (run / "start.safetensors").read_bytes()
    code, _, err = command(*arguments, "--start", run / "best.safetensors")
    assert code == 2 and "holds a run with other settings" in err
    assert (run / "start.safetensors").read_bytes() == before
