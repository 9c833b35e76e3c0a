# SPDX-License-Identifier: MIT
import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from glintfpga.firmware.blink.image_format import is_for_chat
from glintfpga.host.models import (
    DEFAULT_MODEL,
    STDIN,
    find_model,
    image_of,
    is_image,
    named,
    read_float_model,
    shipped_models,
    title_of,
)
from glintfpga.quant.blink.checkpoint import write_checkpoint
from glintfpga.quant.errors import InputError

HOSTILE = {
    "empty": b"",
    "zeros": bytes(5000),
    "text": b"hello world\n" * 100,
    "magic only": b"GLNT",
    "header only": b"GLNT" + bytes(92),
    "header of ones": b"GLNT" + b"\xff" * 5000,
    "long length": (1 << 62).to_bytes(8, "little") + b"{}",
    "json of a list": (2).to_bytes(8, "little") + b"[]",
    "deep json": (40000).to_bytes(8, "little") + b"[" * 40000,
    "zip": b"PK\x03\x04" + bytes(200),
}


def test_the_default_model_ships():
    assert find_model(None) == find_model(Path(DEFAULT_MODEL))
    assert read_float_model(None).spec.param_count == 1087


def test_quantized_the_same_every_time():
    assert image_of(None).data == image_of(Path(DEFAULT_MODEL)).data
    assert image_of(None, plan=9).model.plan.code == 9


@pytest.mark.parametrize("name", ["nothing", "../blink-base"])
def test_unknown_names(name):
    with pytest.raises(InputError, match=r"there is no model .* \(blink-base"):
        find_model(Path(name))


@pytest.mark.parametrize("name", ["/", ""])
def test_folders_without_a_model(name):
    with pytest.raises(InputError, match=r"^the folder .* holds no model \(none of merge/champ"):
        find_model(Path(name))


def test_a_folder_stands_for_its_best_model(tmp_path, notes):
    base = read_float_model(None)
    folder = tmp_path / "mine"
    for file in ("model.safetensors", "best.safetensors", "merge/champion.safetensors"):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_checkpoint(path, base)
        assert find_model(folder) == path
        assert notes[-1] == f"{folder}: taking its {Path(file)}"
    told = len(notes)
    assert title_of(folder) == "mine"
    assert read_float_model(folder).spec == base.spec
    assert len(notes) == told


def test_a_model_on_standard_input(monkeypatch, tmp_path, image):
    def pipe(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))

    pipe(image.data)
    assert image_of(STDIN) == image_of(STDIN) == image
    assert is_image(STDIN) and title_of(STDIN) == "stdin"
    pipe(find_model(None).read_bytes())
    assert read_float_model(STDIN).spec.param_count == 1087
    for data, reason in (
        (b"", "on standard input is empty"),
        (b"rubbish", "^-: cut off after 7 bytes"),
        (bytes((64 << 20) + 1), "on standard input is larger than 64 MiB"),
    ):
        pipe(data)
        with pytest.raises(InputError, match=reason):
            read_float_model(STDIN)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match="pipe a model into it"):
        image_of(STDIN)


def test_names_of_what_a_device_holds(image):
    assert named(image_of(None).model_id) == "blink-base"
    assert named(image.model_id) == f"model {image.model_id[:16]}"


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files(tmp_path, content):
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        image_of(path)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError):
        read_float_model(path)


def test_every_damaged_byte_of_an_image_is_noticed(tmp_path, image):
    path = tmp_path / "model.glint"
    for at in range(0, len(image.data), 97):
        data = bytearray(image.data)
        data[at] ^= 0x10
        path.write_bytes(data)
        with pytest.raises(InputError):
            image_of(path)


def test_images_keep_their_plan(glint, image):
    assert image_of(glint) == image
    with pytest.raises(InputError, match="has 12-bit numbers but 9 bits are needed"):
        image_of(glint, plan=9)
    with pytest.raises(InputError, match="is an image of integers"):
        read_float_model(glint)


def test_a_folder_of_the_release_is_a_name(tmp_path, monkeypatch):
    """As blink-instruct is one; what its image says of chat comes with it."""
    base = read_float_model(None)
    folder = tmp_path / "blink-instruct"
    folder.mkdir()
    write_checkpoint(
        folder / "model.safetensors", replace(base, spec=replace(base.spec, chat=True))
    )
    monkeypatch.setattr("glintfpga.host.models._release", lambda: tmp_path)
    assert shipped_models() == ["blink-instruct"]
    image = image_of(Path("blink-instruct"))
    assert image.model.spec.chat and is_for_chat(image.header)


def test_the_base_model_is_not_for_chat():
    assert not is_for_chat(image_of(None).header)


def test_titles(tmp_path):
    assert title_of(None) == "blink-base"
    assert title_of(Path("some/nine.glint")) == "nine"
    assert title_of(tmp_path / "champion" / "model.safetensors") == "champion"
    assert title_of(Path("model.glint")) == "model"


@pytest.mark.quick
def test_a_dash_is_standard_input_even_beside_a_file_of_that_name(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_bytes(image_of(None).data)
    code, _, err = command("load", "ref:", "-", stdin=b"junk")
    assert (code, "not a safetensors file" in err) == (2, True)


def test_an_empty_name_is_refused(command):
    code, _, err = command("quantize", "", "--listing")
    assert code == 2 and "the name is empty" in err
