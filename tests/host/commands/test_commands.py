# SPDX-License-Identifier: MIT
import hashlib
import json
import re
from dataclasses import replace

import pytest

from glintfpga.boards.build import BuildResult
from glintfpga.boards.toolchain import FIRST_RUN
from glintfpga.firmware.blink.image import Image
from glintfpga.host import models
from glintfpga.host.console import progress
from glintfpga.host.models import find_model, read_float_model
from glintfpga.quant.blink.checkpoint import write_checkpoint
from glintfpga.quant.errors import EnvironmentProblem


def test_piped_chat(command, glint):
    arguments = ("chat", "ref:", "--load", glint, "--bytes", 30, "--temperature", 0)
    code, out, err = command(*arguments, stdin=b"the ")
    assert code == 0
    assert out.endswith(b"\n")
    # A quick machine answers within one frame, which tells no rate.
    assert re.search(r"^\[30 tokens(; [\d,]+ tokens/s over the wire \(software\))?\]$", err, re.M)
    quiet = command("-q", *arguments, stdin=b"the ")
    assert quiet == (0, out, "")


def test_a_byte_order_mark_before_piped_text_is_not_said(command, glint):
    arguments = ("chat", "ref:", "--load", glint, "--bytes", 30, "--seed", 1)
    plain = command(*arguments, stdin=b"the \nend\n")[1]
    assert command(*arguments, stdin=b"\xef\xbb\xbfthe \r\nend\r\n")[1] == plain


def test_generate_writes_raw_bytes_and_repeats(command, glint, image):
    arguments = ("generate", "ref:", "--load", glint, "--bytes", 40, "--temperature", 1.5)
    code, out, err = command(*arguments, "--seed", 7, "--prompt", "é")
    assert (code, err) == (0, "")
    assert 0 < len(out) <= 40
    assert command(*arguments, "--seed", 7, "--prompt", "é")[1] == out
    assert command(*arguments, "--seed", 8, "--prompt", "é")[1] != out


def test_long_answers_to_a_file_tell_how_far_they_are(command, glint, monkeypatch):
    told = []
    monkeypatch.setattr(progress._Lines, "__call__", lambda self, done: told.append(done))
    arguments = ("generate", "ref:", "--load", glint, "--bytes", 40, "--temperature", 0)
    _, out, _ = command(*arguments)
    assert told == list(range(1, len(out) + 1))


def test_generate_as_json(command, glint, image):
    arguments = ("generate", "ref:", "--load", glint, "-n", 40, "-t", 1.5, "-s", 7, "-p", "é\x1b")
    plain = command(*arguments)[1]
    code, out, err = command(*arguments, "--json")
    said = json.loads(out)
    assert (code, err) == (0, "")
    assert bytes(token for token in said["tokens"] if token < 256) == plain
    assert (said["prompt"], said["seed"], said["port"]) == ("é\\x1b", 7, "ref:")
    assert said["model_id"] == image.model_id
    assert said["ended_by"] in ("count", "eos")
    assert out.isascii() and "\x1b" not in said["text"]


def test_a_prompt_from_elsewhere(command, glint, tmp_path):
    arguments = ("generate", "ref:", "--load", glint, "-n", 20, "-t", 1.5, "-s", 1)
    wanted = command(*arguments, "-p", "To be\n")[1]
    text = tmp_path / "text"
    text.write_bytes(b"To be\n")
    assert command(*arguments, "-p", "-", stdin=b"To be\n")[1] == wanted
    assert command(*arguments, "--prompt-file", "-", stdin=b"To be\n")[1] == wanted
    assert command(*arguments, "--prompt-file", text)[1] == wanted
    text.write_bytes(bytes((1 << 20) + 1))
    assert "more than 1 MiB" in command(*arguments, "--prompt-file", text)[2]
    code, _, err = command(*arguments, "-p", "-", stdin=text.read_bytes())
    assert (code, err) == (2, "error: the prompt is larger than 1 MiB; name another\n")
    for both in (["-p", "x", "--prompt-file", text], ["--load", "-", "-p", "-"]):
        assert command(*arguments, *both)[0] == 2


def test_models_on_standard_input(command, image, tmp_path):
    checkpoint = find_model(None).read_bytes()
    code, out, _ = command("quantize", "-", "-o", tmp_path / "x.glint", stdin=checkpoint)
    assert (code, out) == (0, b"")
    assert command("load", "ref:", "-", stdin=image.data)[0] == 0
    out = command("generate", "ref:", "--load", "-", "-n", 3, "-t", 0, stdin=image.data)[1]
    assert 0 < len(out) <= 3
    (tmp_path / "a.txt").write_text("To be, or not to be")
    assert command("eval", "-", "--data", tmp_path / "a.txt", stdin=checkpoint)[0] == 0


def test_generate_of_two_byte_tokens(command, tmp_path, new_image):
    path = tmp_path / "big.glint"
    path.write_bytes(new_image(vocab=300, eos=None).data)
    _, out, _ = command("generate", "ref:", "--load", path, "--bytes", 5)
    assert len(out) == 10


def test_float_device(command):
    code, out, _ = command("generate", "float:", "--bytes", 3)
    assert (code, len(out)) == (0, 3)


def test_load(command, glint):
    code, out, err = command("load", "ref:", glint)
    assert (code, out) == (0, b"")
    assert "the device holds" in err


def test_load_as_json(command, glint, image):
    code, out, _ = command("load", "ref:", glint, "--json")
    said = json.loads(out)
    assert (code, said["port"], said["bytes"]) == (0, "ref:", len(image.data))
    assert said["model_id"] == image.model_id
    assert said["seconds"]["how"] == "software"


def test_load_of_nothing_and_of_rubbish(command, tmp_path):
    assert command("load", "ref:", "missing.glint")[0] == 2
    (tmp_path / "x.glint").write_bytes(b"GLNT rubbish")
    code, _, err = command("load", "ref:", tmp_path / "x.glint")
    assert code == 2
    assert "x.glint" in err


def test_verify_passes(command, glint):
    code, out, err = command("verify", "ref:", "--load", glint, "--tokens", 100)
    assert (code, err) == (0, "")
    assert out.startswith(b"100 tokens, ")
    assert b" CRCs compared, 0 mismatches (model " in out


def test_verify_as_json(command, glint, image, monkeypatch):
    from glintfpga.firmware.device import executor

    arguments = ("verify", "ref:", "--load", glint, "--tokens", 100, "--json")
    said = json.loads(command(*arguments)[1])
    assert said["model_id"] == image.model_id
    assert (said["tokens"], said["mismatches"], said["first_mismatch"]) == (100, 0, None)
    assert said["reference"] == "C"
    monkeypatch.setattr(executor, "logit_crc", _crc_that_slips(executor.logit_crc))
    code, out, _ = command(*arguments)
    first = json.loads(out)["first_mismatch"]
    assert (code, first["position"], first["sampled"]) == (1, 5, False)
    assert first["device"]["token"] == first["reference"]["token"]
    assert first["device"]["crc"] != first["reference"]["crc"]


def test_verify_without_a_compiler(command, glint, monkeypatch):
    from glintfpga.firmware.blink import c_model

    def refuse():
        raise EnvironmentProblem("no C compiler")

    monkeypatch.setattr(c_model, "compile_blink", refuse)
    code, out, err = command("verify", "ref:", "--load", glint, "--tokens", 100, "--json")
    said = json.loads(out)
    assert (code, said["mismatches"], said["reference"]) == (0, 0, "NumPy")
    assert "no C compiler. Comparing with the reference in NumPy" in err


@pytest.mark.quick
def test_verify_fails_with_the_first_position(command, glint, monkeypatch):
    from glintfpga.firmware.device import executor

    monkeypatch.setattr(executor, "logit_crc", _crc_that_slips(executor.logit_crc))
    code, out, err = command("verify", "ref:", "--load", glint, "--tokens", 100)
    assert code == 1
    assert b" 1 mismatches" in out
    assert err.startswith("error: given token 5 differs: the device has id ")


def _crc_that_slips(right):
    calls = iter(range(10**9))
    return lambda logits: right(logits) ^ (next(calls) == 5)


def test_verify_needs_the_device_to_hold_the_model(command, glint, monkeypatch, image):
    monkeypatch.setattr("glintfpga.host.models.image_of", _only_default_of(image))
    code, _, err = command("verify", "float:")
    assert (code, err.count("\n")) == (2, 1) and "verify ref:, sim: or a board" in err
    code, _, err = command("verify", "ref:")
    assert code == 2
    assert "not the shipped one; name it with --load" in err


def _only_default_of(image):
    from glintfpga.host.models import image_of

    return lambda name, plan=None: image if plan is None else image_of(name, plan=plan)


def test_bench_as_json(command, glint):
    code, out, _ = command("bench", "ref:", "--load", glint, "--json")
    result = json.loads(out)
    assert code == 0
    assert result["kind"] == "software"
    assert result["first_byte"]["seconds"]["how"] == "software"
    text = command("bench", "ref:", "--load", glint)[1]
    assert b"wire at 115200 baud" in text
    assert re.search(rb"^first byte: [\d,]+ us \(software\) at 3000000 baud$", text, re.M)


def test_quantize(command, tmp_path):
    image, report = tmp_path / "m.glint", tmp_path / "r.json"
    code, out, err = command("quantize", "blink-base", "-o", image, "--report", report)
    assert (code, out) == (0, b"")
    made = Image.from_bytes(image.read_bytes())
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    assert f"sha256 {digest}, model {made.model_id[:16]}\n" in err
    assert json.loads(report.read_text())["plan"] == 12
    before = image.read_bytes()
    assert command("quantize", "blink-base", "-o", image)[0] == 0
    assert image.read_bytes() == before


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    """The shipped checkpoint with one weight that no format holds beside the others."""
    model = read_float_model(None)
    embedding = model.tensors["embedding"].copy()
    embedding[7, 1] = 9e5
    path = tmp_path_factory.mktemp("spoilt") / "spoilt.safetensors"
    write_checkpoint(path, replace(model, tensors={**model.tensors, "embedding": embedding}))
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("quantize", "MODEL", "--listing"),
        ("load", "ref:", "MODEL"),
        ("chat", "ref:", "--load", "MODEL", "--bytes", 1),
        ("generate", "ref:", "--load", "MODEL", "--bytes", 1),
        ("eval", "MODEL", "--data", "TEXT"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_model_that_quantizing_spoils_is_told_of_once(command, tmp_path, spoilt, arguments):
    models._image_of_checkpoint.cache_clear()
    (tmp_path / "a.txt").write_bytes(b"A text.")
    given = {"MODEL": spoilt, "TEXT": tmp_path / "a.txt"}
    code, _, err = command("-q", *(given.get(word, word) for word in arguments), stdin=b"the\n")
    assert code == 0
    (line,) = [line for line in err.splitlines() if line.startswith("warning: ")]
    assert line.startswith(f"warning: {spoilt}: much of the model may be lost")
    assert "the largest weight of 'embedding' is " in line


def test_quantize_as_json(command, tmp_path):
    said = json.loads(command("quantize", "blink-base", "--json")[1])
    assert (said["output"], said["report"]["plan"]) == (None, 12)
    path = tmp_path / "m.glint"
    made = json.loads(command("quantize", "blink-base", "--json", "-o", path)[1])
    assert made == said | {"output": str(path)}
    assert Image.read(path).model_id == made["model_id"]
    assert command("quantize", "blink-base", "--json", "--listing")[0] == 2


def test_listing(command):
    code, out, err = command("quantize", "blink-base", "--listing", "--lanes", 8)
    assert (code, err) == (0, "")
    assert out.startswith(b"Model ")
    assert b"Cycles with 8 lanes" in out


def test_quantize_leaves_old_outputs_when_it_fails(command, tmp_path, glint):
    old = tmp_path / "old.glint"
    old.write_bytes(b"old")
    assert command("quantize", glint, "-o", old)[0] == 2
    assert old.read_bytes() == b"old"


@pytest.fixture
def built(monkeypatch, tmp_path, timing_json):
    asked = []

    def build(options, progress):
        asked.append(options)
        progress("synth", f"{FIRST_RUN}yosys for the first time, a minute", 0.0, 0.1)
        progress("synth", "mapping", 0.1, 1.0)
        progress("synth", "done", 0.2, 12.34)
        progress("route", "cached", 0.9, 0.0)
        files = (tmp_path / name for name in ("b.fs", "report.json", "manifest.json"))
        bitstream, report, manifest = files
        return BuildResult(
            bitstream=bitstream,
            report=report,
            manifest=manifest,
            facts={"timing": timing_json()},
            warnings=("multipliers not timed",),
        )

    monkeypatch.setattr("glintfpga.boards.build.build", build)
    return asked


def test_build_names_its_steps(command, built, tmp_path):
    code, out, err = command("build", "--clock-mhz", 54, "--lanes", 2, "--out", tmp_path)
    assert code == 0
    assert out.decode().strip() == str(tmp_path / "b.fs")
    assert err.splitlines()[:4] == [
        "synth      Preparing to run yosys for the first time, a minute",
        "synth      12.3 s",
        "route      kept",
        "warning: multipliers not timed",
    ]
    (options,) = built
    assert (options.model_name, options.device.lanes) == ("blink-base", 2)
    assert (options.device.plan.code, options.device.clock_hz) == (12, 54_000_000)
    assert options.out == tmp_path


def test_build_as_json(command, built, tmp_path):
    assert json.loads(command("build", "--json")[1]) == {
        "bitstream": str(tmp_path / "b.fs"),
        "report": str(tmp_path / "report.json"),
        "manifest": str(tmp_path / "manifest.json"),
        "warnings": ["multipliers not timed"],
    }


def test_build_takes_the_plan_of_an_image(command, built, tmp_path, new_image):
    path = tmp_path / "nine.glint"
    path.write_bytes(new_image(plan=9).data)
    assert command("build", "--model", path)[0] == 0
    assert (built[0].model_name, built[0].device.plan.code) == ("nine", 9)
    assert command("build", "--model", path, "--plan", 12)[0] == 2
