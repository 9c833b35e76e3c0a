# SPDX-License-Identifier: MIT
"""Writes the bytes that the fuzzer begins with: ``python tests/fuzz/seeds.py``.

For each target one that it takes, named ``good``. Other files of the corpus stay: what the fuzzer
found and what is to be kept.
"""

import json
import lzma
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from glintfpga.boards.gowin.bitstream_file import footer, header
from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.frames import Data
from glintfpga.firmware.wire.messages import Counters, Done, generate, load, message, prompt, score
from glintfpga.firmware.wire.protocol import DataFlag, HelloFlag, Op
from glintfpga.host.models import image_of
from glintfpga.quant.blink.checkpoint import Checkpoint, write_checkpoint
from glintfpga.quant.blink.spec import ModelSpec
from support.damage import sealed
from support.fuzz_targets import SESSION
from support.models import random_image
from support.tuned_record import RECORD

CORPUS = Path(__file__).parent / "corpus"
SPEC = ModelSpec(loops=1, hidden=1, vocab=2, window=1, eos=None)


def image():
    return random_image(SPEC).data


def checkpoint():
    rng = np.random.default_rng(2)
    tensors = {name: rng.normal(size=shape) for name, shape in SPEC.tensor_shapes().items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        write_checkpoint(path, Checkpoint(spec=SPEC, tensors=tensors, note="a"))
        return path.read_bytes()


def bitstream():
    frame = bytes(range(16))
    return sealed(header(TANGNANO20K, 1), [frame], footer([frame]))


MANIFEST = {
    "bitstream": "blink.fs",
    "board": "tangnano20k",
    "clock_mhz": 54.0,
    "seed": 1,
    "lanes": 4,
    "plan": 12,
    "build_id": "0123456789abcdef",
    "model": None,
    **{f"{name}_sha256": "1" * 64 for name in ("bitstream", "image", "gateware", "contents")},
}
FLOORPLAN = {
    "columns": 56,
    "rows": 55,
    "slots": {"BSRAM": {"width": 3, "at": [[4, 9]]}},
    "kinds": ["LUT"],
    "blocks": ["norm"],
    "cells": [[3, 3, 0, 0, 6]],
    "path": {
        "delay_ns": 1.5,
        "from": "register",
        "to": "memory",
        "steps": [
            {"kind": "logic", "delay_ns": 0.5, "cell": "a", "type": "LUT4", "bel": "b"}
            | {"x": 3, "y": 3, "net": "n"}
        ],
    },
}
ROWS = (
    {"page": "a b", "text": "a b"},
    {"page": "c", "text": "c"},
)
PAIRS = ({"sentence_good": "a", "sentence_bad": "b", "UID": "c"},)
QUESTIONS = (
    {"question": "a", "choices": {"text": ["b", "c"], "label": ["A", "B"]}, "answerKey": "A"},
)


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def data(payload, **fields):
    fields = {"session": SESSION, "offset": 0, "ack": 0, "credit": 64, **fields}
    return Data(payload=payload, **fields).encode()


TUNED = replace(RECORD, tokens=1000, warmth="22 C")


def info():
    return RowFacts().hello(flags=HelloFlag.MODEL, image_header=image_of(None).header).encode()


def answer():
    tokens = b"".join(bytes([at]) + bytes(4) for at in range(3))
    done = Done(op=Op.GENERATE, count=3).encode()
    return message(Op.TOKENS, tokens) + message(Op.DONE, done)


def scores():
    """All logits of two positions, zeros, in parts of whole words."""
    size = 2 * (4 + 4 * image_of(None).model.vocab)
    parts = [min(188, size - at) for at in range(0, size, 188)]
    done = message(Op.DONE, Done(op=Op.SCORE, count=2).encode())
    return b"".join(message(Op.SCORES, bytes(part)) for part in parts) + done


def seeds():
    """Bytes by target and name."""
    stream = prompt(b"to be", 257) + generate(4, seed=1, temperature=205, crc=True)
    stream += score(b"or", 257, logits=True) + message(Op.COUNTERS) + message(Op.RESET)
    chat = data(stream) + data(b"", offset=0, ack=5, flags=DataFlag.POLL)
    return {
        "image": {"good": image()},
        "sealed-image": {"good": image()},
        "checkpoint": {"good": checkpoint()},
        "bitstream": {"good": bitstream()},
        "json": {"good": b'{"a": [1, 2.5, "b", null, {"c": true}]}'},
        "manifest": {"good": json.dumps(MANIFEST).encode()},
        "tuned-boards": {"good": json.dumps({"boards": {"S1": asdict(TUNED)}}).encode()},
        "floorplan": {"good": json.dumps(FLOORPLAN).encode()},
        "record": {"good": json.dumps({"files": {"a/b.v": "1" * 64}}).encode()},
        "text": {"good": lzma.compress(b"to be or not to be ")},
        "rows": {"good": lines(ROWS), "pairs": lines(PAIRS), "questions": lines(QUESTIONS)},
        "frame": {"good": chat[:-1].split(b"\0")[0]},
        "sealed-frame": {
            "good": b"\x22\x07\0\0\0\0\0\x40abc",
            "greeting": b"\x11\x07\0\0\0",
            "hello": b"\x21\x07\0\0\0" + info(),
            "hello-with-a-spare-byte": b"\x21\x07\0\0\0" + info()[:3] + b"+" + info()[4:],
            "hello-with-an-unknown-field": b"\x21\x07\0\0\0" + info() + b"\xc8\3new",
        },
        "line-of-a-host": {"good": chat},
        "line-of-a-device": {"good": chat, "long": data(bytes(2000))},
        "hello": {"good": info()},
        "messages": {
            "good": answer() + message(Op.COUNTED, Counters().encode()) + stream,
        },
        "commands": {"good": stream, "load": b"".join(load(image(), part=300))},
        "answer": {"good": answer()},
        "scores": {"good": scores()},
    }


def main():
    for target, files in seeds().items():
        for name, content in files.items():
            path = CORPUS / target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


if __name__ == "__main__":
    main()
