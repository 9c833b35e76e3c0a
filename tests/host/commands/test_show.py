# SPDX-License-Identifier: MIT
import hashlib
import json
from dataclasses import replace

import pytest

from glintfpga.firmware.blink.image import Image
from glintfpga.host.device.describe import device_facts, lines
from glintfpga.host.models import find_model, image_of, read_float_model
from glintfpga.host.ports.open_port import is_port
from glintfpga.quant.blink.checkpoint import write_checkpoint
from glintfpga.quant.errors import DeviceError


def shown(command, *arguments, stdin=b""):
    code, out, err = command("show", *arguments, "--json", stdin=stdin)
    assert (code, err) == (0, "")
    return json.loads(out)


def test_what_ships(command):
    facts = shown(command)
    assert [model["title"] for model in facts["models"]] == [
        *("blink-base", "blink-instruct", "blink-two-loop"),
    ]
    assert [model["chat"] for model in facts["models"]] == [False, True, False]
    (bitstream,) = facts["bitstreams"]
    assert (bitstream["board"], bitstream["model"]) == ("tangnano20k", "blink-base")
    text = command("show")[1].decode()
    assert "  blink-base       1,087 parameters, goes on with a text" in text


def test_a_checkpoint_and_its_image(command, tmp_path):
    source = find_model(None).read_bytes()
    facts = shown(command, "blink-base")
    image = image_of(None)
    assert (facts["kind"], facts["parameters"], facts["chat"]) == ("checkpoint", 1087, False)
    assert facts["file_sha256"] == hashlib.sha256(source).hexdigest()
    assert facts["image"]["model_id"] == image.model_id
    assert facts["image"]["golden"] == {
        str(lanes): f"{value:08x}" for lanes, value in zip((2, 4, 8), image.golden, strict=True)
    }
    # As the listing counts them.
    rows = facts["image"]["memory_rows"]
    listing = command("quantize", "blink-base", "--listing")[1].decode()
    assert f"Rows: {rows} of 4096 used" in listing
    path = tmp_path / "m.glint"
    path.write_bytes(image.data)
    piped = shown(command, "-", stdin=path.read_bytes())
    assert piped == shown(command, path) | {"file": "-", "title": "stdin"}
    assert piped["kind"] == "image" and piped["image"] == facts["image"]


def test_a_folder(command, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    base = read_float_model(None)
    spec = replace(base.spec, chat=True)
    write_checkpoint(folder / "best.safetensors", replace(base, spec=spec))
    code, out, err = command("show", folder)
    assert (code, err) == (0, f"{folder}: taking its best.safetensors\n")
    assert out.decode().startswith(f"run: checkpoint {folder / 'best.safetensors'}\n")
    assert "for chat: yes" in out.decode()


def test_a_device(command, world, image, new_world):
    facts = shown(command, "ref:")
    assert (facts["kind"], facts["lanes"], facts["clock_hz"]) == ("device", 4, None)
    assert facts["model"]["title"] == "blink-base"
    assert facts["self_test"] == "passed"
    assert b"ref: device, 2 lanes" in command("show", "ref:", "--lanes", 2)[1]
    facts = device_facts(world.client())
    model = facts["model"]
    assert model["title"] == f"model {image.model_id[:16]}"
    assert model["shape"]["hidden"] == image.model.spec.hidden
    assert model["image"]["crc32"] == f"{image.crc:08x}"
    assert "  no model" in lines(device_facts(new_world(None).client()))


@pytest.mark.quick
def test_a_device_that_tells_nonsense_of_its_model(world):
    client = world.client()
    info = client.info
    client.link._info = replace(info, self_test=9, image_header=b"\xff" * len(info.image_header))
    with pytest.raises(DeviceError, match="says of its model is wrong: not a .glint image"):
        device_facts(client)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("sim:", True), ("ref:", True), ("ref", True), ("COM12", True), ("/dev/ttyUSB1", True),
        ("/dev/null", True), ("rfc2217://x:1", True), ("blink-base", False), ("-", False),
        ("runs/x", False), ("COMx.glint", False), ("", False), ("a\0", False), ("x" * 5000, False),
    ],
)  # fmt: skip
def test_a_port_by_its_form(name, wanted):
    assert is_port(name) == wanted


def test_what_is_neither(command, tmp_path):
    code, _, err = command("show", "ref")
    assert (code, err) == (2, "error: port 'ref' lacks its colon; write ref:\n")
    code, _, err = command("show", "nothing")
    assert (code, err.startswith("error: there is no model 'nothing'")) == (2, True)
    (tmp_path / "rubbish").write_bytes(b"GLNT")
    assert command("show", tmp_path / "rubbish")[0] == 2


def test_images_of_other_shapes(command, tmp_path, new_image):
    path = tmp_path / "other.glint"
    other = new_image(plan=9, vocab=300, eos=None, loops=3, prelude=1)
    path.write_bytes(other.data)
    facts = shown(command, path)
    assert facts["image"]["plan"] == 9 and facts["shape"]["eos"] is None
    assert Image.read(path).model_id == facts["image"]["model_id"]
    assert "prelude 1" in command("show", path)[1].decode()
