# SPDX-License-Identifier: MIT
import json
import shutil
from dataclasses import asdict
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.wire.messages import generate, load, message, prompt, score
from glintfpga.firmware.wire.protocol import BAUDS, Op
from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.sim import shipped
from glintfpga.sim.host import SimHost
from glintfpga.sim.line import SimLine
from glintfpga.sim.trace import record_trace
from support.damage import attempt, damaged, damaged_json
from support.shipping.rebuild_sim import CONFIG, default_image, is_stale
from support.virtual_uart import reference_line

VOCAB = 257
GOOD = shipped.shipped_manifest()


def dumped(facts):
    return json.dumps(facts).encode()


@pytest.fixture(scope="module")
def image():
    return default_image()


@pytest.fixture
def host():
    return SimHost(SimLine(shipped.shipped_sim()))


def text_of(replies):
    """Bodies of one kind joined: where answers are cut is up to the device."""
    joined = {}
    for op, body in replies:
        joined[op] = joined.get(op, b"") + body
    return joined


def test_is_of_this_source():
    assert not is_stale(), "run make sim"


def test_same_answers_as_the_software_device(host, image):
    oracle = SimHost(reference_line(image, lanes=CONFIG.lanes))
    assert host.info.image_header == image.header
    host.set_baud(len(BAUDS) - 1)
    other = Image.from_model(image.model)
    for messages in (
        [prompt(list(b"Once upon a time"), VOCAB), generate(60, crc=True)],
        [generate(60, temperature=205, seed=7, crc=True)],
        [generate(30, temperature=1000, crc=True), message(Op.RESET), generate(9)],
        [score(list(b"abc"), VOCAB), score([5], VOCAB, logits=True)],
        [*load(other.data, part=1000), generate(9, crc=True)],
    ):
        assert text_of(host.ask(*messages)) == text_of(oracle.ask(*messages))


def test_starts_at_115200_and_in_time(host):
    host.ask(prompt(list(b"Hello"), VOCAB), generate(8))
    assert host.line.clock() < 0.05


def test_trace(tmp_path):
    path = tmp_path / "trace.vcd"
    assert 0 < record_trace(path, text=b"a", tokens=1) < 20_000
    head = path.read_text().partition("$enddefinitions")[0]
    names = {line.split()[4] for line in head.splitlines() if line.startswith("$var")}
    assert {"rx", "tx", "clk"} <= names
    with pytest.raises(EnvironmentProblem, match="cannot write"):
        record_trace(tmp_path / "no folder" / "trace.vcd", text=b"a", tokens=1)


class TestFiles:
    @pytest.fixture
    def copy(self, tmp_path, monkeypatch):
        source = Path(str(resources.files("glintfpga.sim")))
        for name in ("sim.wasm", "sim.json"):
            shutil.copy(source / name, tmp_path)
        monkeypatch.setattr(shipped, "_file", lambda name: tmp_path / name)
        return tmp_path

    def test_damaged_wasm(self, copy):
        code = (copy / "sim.wasm").read_bytes()
        (copy / "sim.wasm").write_bytes(code[:-1] + bytes([code[-1] ^ 1]))
        with pytest.raises(EnvironmentProblem, match="sim.json says .*; run make sim"):
            shipped.shipped_sim()

    @pytest.mark.parametrize("text", ["", "[1]", '{"wasm": 1}'])
    def test_damaged_manifest(self, copy, text):
        (copy / "sim.json").write_text(text)
        with pytest.raises(EnvironmentProblem, match="sim.json cannot be read"):
            shipped.shipped_sim()

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.randoms(use_true_random=False))
    def test_any_manifest(self, copy, rng):
        """Refused, or hashes that are hashes and counts that are counts."""
        good = asdict(GOOD)
        data = damaged_json(rng, good) if rng.random() < 0.8 else damaged(rng, dumped(good))
        (copy / "sim.json").write_bytes(data)
        found = attempt(shipped.shipped_manifest, what="sim.json", size=len(data))
        if found is not None:
            assert {type(value) for value in asdict(found).values()} == {str, int}
            assert min(found.lanes, found.plan, found.clk_hz) > 0

    @pytest.mark.quick
    @pytest.mark.parametrize("name", ["sim.wasm", "sim.json"])
    def test_missing(self, copy, name):
        (copy / name).unlink()
        with pytest.raises(EnvironmentProblem, match=f"{name} cannot be read"):
            shipped.shipped_sim()

    def test_other_gateware_is_stale(self, copy):
        manifest = json.loads((copy / "sim.json").read_text())
        (copy / "sim.json").write_text(json.dumps({**manifest, "rtlil": "0" * 64}))
        assert is_stale()
