# SPDX-License-Identifier: MIT
"""Facts about models, devices and what ships, for people and as JSON."""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glintfpga.firmware.blink.golden import GOLDEN_LANES
from glintfpga.firmware.blink.image_format import HEADER_BYTES, model_id_of, unpack_header
from glintfpga.firmware.blink.layout import ROWS
from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.protocol import SelfTest
from glintfpga.host.console.text import one_line
from glintfpga.host.models import image_of, named, read_model, shipped_models, title_of
from glintfpga.quant.errors import DeviceError, InputError

if TYPE_CHECKING:
    from glintfpga.host.device.client import Client

__all__ = ["device_facts", "lines", "model_facts", "shipped_facts"]

Facts = dict[str, Any]


def model_facts(name: Path | None) -> Facts:
    """Of a checkpoint or image, and of the image that it is or becomes."""
    path, data = read_model(name)
    image = image_of(name)
    model, layout = image.model, image.layout
    is_image = data == image.data
    return {
        "kind": "image" if is_image else "checkpoint",
        "title": title_of(name),
        "file": str(path),
        "file_bytes": len(data),
        "file_sha256": hashlib.sha256(data).hexdigest(),
        **_shape(image.header),
        "parameters": model.spec.param_count,
        "image": {
            **_image(image.header),
            "bytes": len(image.data),
            "sha256": hashlib.sha256(image.data).hexdigest(),
            "crc32": f"{image.crc:08x}",
            "plan": model.plan.code,
            "weight_bits": model.plan.weight_width,
            "memory_rows": layout.passes[0].kv + layout.ring_rows * len(model.passes),
            "of_memory_rows": ROWS,
        },
    }


def device_facts(client: "Client") -> Facts:
    """Of what answered on a port, as its hello tells, and of the model it holds."""
    info, machine = client.info, client.machine
    tests = {int(test): test.name.lower() for test in SelfTest}
    return {
        "kind": "device",
        "port": client.link.line.name,
        "lanes": machine.lanes,
        "plan": machine.plan.code,
        "clock_hz": info.clock_hz or None,
        "build_id": info.build_id.hex(),
        "self_test": tests.get(info.self_test, f"unknown ({info.self_test})"),
        "limits": {
            "window": machine.limits.window,
            "vocab": machine.limits.vocab,
            "hidden": machine.limits.hidden,
            "passes": machine.limits.passes,
            "memory_rows": machine.limits.rows,
        },
        "model": _held(info) if client.has_model else {"title": None},
    }


def _held(info: HelloInfo) -> Facts:
    header = info.image_header[:HEADER_BYTES]
    image_crc = {"crc32": f"{info.image_crc:08x}"}
    try:
        facts = {**_shape(header), "image": {**_image(header), **image_crc}}
    except InputError as error:
        raise DeviceError(f"what the device says of its model is wrong: {error}") from error
    return {"title": named(facts["image"]["model_id"]), **facts}


def shipped_facts() -> Facts:
    """Of the models and bitstreams that come with the package."""
    from glintfpga.boards.catalog import BOARDS
    from glintfpga.boards.manifest import MANIFEST, read_manifest
    from glintfpga.boards.shipped import release_folder

    manifests = {board: release_folder() / board / MANIFEST for board in BOARDS}
    return {
        "kind": "shipped",
        "models": [model_facts(Path(name)) for name in shipped_models()],
        "bitstreams": [
            asdict(read_manifest(path)) for path in manifests.values() if path.is_file()
        ],
    }


def _shape(header: bytes) -> Facts:
    """What the header of an image tells of its model."""
    spec = unpack_header(header).spec
    return {"chat": spec.chat, "shape": {k: v for k, v in spec.to_json().items() if k != "chat"}}


def _image(header: bytes) -> Facts:
    found = unpack_header(header)
    values = zip(GOLDEN_LANES, found.golden, strict=True)
    return {
        "model_id": model_id_of(header),
        "plan": found.plan.code,
        "golden": {str(lanes): f"{value:08x}" for lanes, value in values},
    }


def lines(facts: Facts) -> list[str]:
    """The same for people."""
    if facts["kind"] == "shipped":
        return _shipped_lines(facts)
    if facts["kind"] == "device":
        return _device_lines(facts)
    image = facts["image"]
    rows = f"{image['memory_rows']} of {image['of_memory_rows']} memory rows"
    return [
        one_line(f"{facts['title']}: {facts['kind']} {facts['file']}"),
        f"  {facts['file_bytes']:,} bytes, sha256 {facts['file_sha256']}",
        f"  {facts['parameters']:,} parameters",
        *_model_lines(facts),
        f"  image: {image['bytes']:,} bytes, {rows}, weights of {image['weight_bits']} bits",
        *_image_lines(image),
    ]


def _device_lines(facts: Facts) -> list[str]:
    clock = f"{facts['clock_hz'] / 1e6:g} MHz" if facts["clock_hz"] else "no clock"
    limits = ", ".join(f"{name.replace('_', ' ')} {most}" for name, most in facts["limits"].items())
    held = facts["model"]
    port = facts["port"].removesuffix(":")
    head = [
        f"{port}: device, {facts['lanes']} lanes, {facts['plan']}-bit numbers, {clock}",
        f"  build {facts['build_id']}, self-test {facts['self_test'].replace('_', ' ')}",
        f"  at most: {limits}",
    ]
    if held["title"] is None:
        return [*head, "  no model"]
    return [*head, f"  holds {held['title']}", *_model_lines(held), *_image_lines(held["image"])]


def _shipped_lines(facts: Facts) -> list[str]:
    found = ["models"]
    for model in facts["models"]:
        does = "answers" if model["chat"] else "goes on with a text"
        found.append(
            f"  {model['title']:<16} {model['parameters']:,} parameters, {does}, "
            f"model {model['image']['model_id'][:16]}"
        )
    found.append("bitstreams")
    for one in facts["bitstreams"]:
        found.append(
            f"  {one['board']:<16} {one['model'] or 'no model'}, {one['clock_mhz']:g} MHz, "
            f"{one['lanes']} lanes, {one['plan']}-bit numbers, build {one['build_id']}"
        )
    return found


def _model_lines(facts: Facts) -> list[str]:
    shape = facts["shape"]
    parts = [f"{shape['loops']} loops", f"window {shape['window']}", f"hidden {shape['hidden']}"]
    parts += [f"vocabulary {shape['vocab']}"]
    parts += [f"{name} {shape[name]}" for name in ("prelude", "coda", "thinking") if shape[name]]
    lora = ", ".join(shape["lora_targets"])
    parts += [f"LoRA rank {shape['lora_rank']} on {lora}" if lora else "no LoRA"]
    does = "yes, it answers" if facts["chat"] else "no, it goes on with a text"
    return [f"  {'; '.join(parts)}", f"  for chat: {does}"]


def _image_lines(image: Facts) -> list[str]:
    golden = ", ".join(f"{value} with {lanes} lanes" for lanes, value in image["golden"].items())
    return [
        f"  model {image['model_id']}, CRC-32 {image['crc32']}, {image['plan']}-bit numbers",
        f"  golden values of the self-test: {golden}",
    ]
