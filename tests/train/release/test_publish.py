# SPDX-License-Identifier: MIT
import hashlib
import json
import re
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.image_format import is_for_chat
from glintfpga.quant.blink.checkpoint import read_checkpoint, write_checkpoint
from glintfpga.quant.blink.spec import ModelSpec
from glintfpga.quant.errors import InputError
from glintfpga.quant.evaluation.rows import Score
from glintfpga.train.data.manifest import write_manifest
from glintfpga.train.engine.parameters import checkpoint_of, initial
from glintfpga.train.release.card import UNREVIEWED, model_card
from glintfpga.train.release.publish import champion_of, image_of_release, release
from glintfpga.train.release.samples import QUESTIONS
from glintfpga.train.run.config import Stage, TrainConfig
from glintfpga.train.run.run_log import write_sources
from glintfpga.train.run.worker import Sources

SPEC = ModelSpec(loops=2, window=4)
RELEASES = Path(str(resources.files("glintfpga.train"))) / "release"
ROW = Score(
    benchmark="wikitext2-test",
    form="256-byte windows",
    numerics="fixed",
    metric="byte perplexity",
    value=14.2345678,
    stderr=0.0123456,
    n=654321,
    protocol="first byte of a window not scored",
)


@pytest.fixture
def run(tmp_path):
    """A run folder as a training leaves it, with a random checkpoint; and its config."""
    config = TrainConfig(
        spec=SPEC,
        stages=(Stage(lineages=5, tokens=1234, rate=0.0125), Stage(lineages=1, tokens=777, rate=1)),
        seed=97,
        unreviewed=True,
    )
    folder = tmp_path / "run"
    (folder / "state").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config.to_json()))
    (folder / "machine.json").write_text(
        json.dumps({"processor": "Abacus 9000", "workers": 3, "seconds": 372.0})
    )
    (folder / "scores.json").write_text(json.dumps({"0": {"0": 2.5}}))
    line = {"stage": 0, "stage_tokens": 512, "tokens": 512, "loss": 3.25}
    (folder / "state" / "00.log").write_text(json.dumps(line) + "\n")
    (folder / "loss.svg").write_text("<svg/>")
    note = json.dumps({"tokens": 2011, "config": config.to_json()})
    vector = initial(SPEC, np.random.default_rng(6))
    write_checkpoint(folder / "best.safetensors", checkpoint_of(SPEC, vector, note=note))
    return folder, config


@pytest.fixture
def released(run, tmp_path):
    """The folder of a release."""
    folder, config = run
    path = champion_of(folder)
    release(
        folder,
        tmp_path / "out",
        name="tiny",
        checkpoint=path,
        image=image_of_release(path, config)[0],
        rows=[ROW],
        pictures=[folder / "loss.svg", folder / "missing.svg"],
    )
    return tmp_path / "out"


def test_a_release_is_whole(run, released):
    assert {path.name for path in released.iterdir()} == {
        "model.safetensors", "model.glint", "infer.py", "loss.svg", "train-log.json", "eval.json",
        "README.md",
    }  # fmt: skip
    image = Image.read(released / "model.glint")
    assert image == image_of_release(released / "model.safetensors", run[1])[0]
    assert read_checkpoint(released / "model.safetensors").spec == SPEC
    log = json.loads((released / "train-log.json").read_text())
    assert log["curves"]["0"][0]["loss"] == 3.25
    assert log["scores"] == {"0": {"0": 2.5}}


def test_the_card_is_made_of_eval_json_alone(released):
    facts = json.loads((released / "eval.json").read_text())
    assert model_card(facts) == (released / "README.md").read_text()
    assert facts["rows"] == [ROW.to_json()]
    card = model_card(facts)
    assert card.splitlines()[0] == UNREVIEWED
    for number in ("14.2346", "0.0123", "654,321", "2,011", "6,947", "6.2 minutes", "0.0125", "97"):
        assert number in card
    assert "Abacus 9000" in card and "3 processes" in card
    assert f"{SPEC.param_count:,} parameters" in card
    facts["rows"][0]["value"] = 99.125
    assert "99.1250" in model_card(facts)
    facts["config"]["unreviewed"] = False
    assert model_card(facts).splitlines()[0] == "# tiny"


def test_the_card_names_the_text_and_its_licenses(run, corpus_of, tmp_path):
    folder, config = run
    path, manifest = corpus_of(one=["A text."], two=["Another."])
    odd = replace(manifest.sources[1], origin="a|b\n<i>", reviewer="")
    write_manifest(path, replace(manifest, sources=(manifest.sources[0], odd)))
    write_sources(folder, Sources(manifest=path, folder=None, cache=tmp_path))
    image, _ = image_of_release(champion_of(folder), config)
    path = champion_of(folder)
    release(folder, tmp_path / "out", name="x", checkpoint=path, image=image, rows=[])
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| one.txt | 7 | CC0 | generated | Ben |" in card
    assert "| two.txt | 8 | CC0 | a&#124;b &lt;i&gt; | nobody |" in card
    facts = json.loads((tmp_path / "out" / "eval.json").read_text())
    assert [source["sha256"] for source in facts["sources"]] == [
        source.sha256 for source in manifest.sources
    ]


def test_the_card_says_how_text_was_mixed(released):
    facts = json.loads((released / "eval.json").read_text())
    assert "mixed by hand" not in model_card(facts)
    facts["config"]["mixture"] = {"one.txt": 1, "two.txt": 3}
    assert "mixed by hand: 25% one.txt, 75% two.txt." in model_card(facts)


def test_a_tuned_model_shows_both_flavors(run, released, tmp_path):
    """Of what it went on from, found by its weights, the rows are in the table too."""
    folder, config = run
    base = tmp_path / "base"
    released.rename(base)
    start = hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()
    config = replace(config, start=start, spec=replace(SPEC, chat=True))
    (folder / "config.json").write_text(json.dumps(config.to_json()))
    vector = initial(SPEC, np.random.default_rng(7))
    write_checkpoint(folder / "best.safetensors", checkpoint_of(config.spec, vector))

    def publish():
        path = champion_of(folder)
        rows = [replace(ROW, value=13.5, numerics=numerics) for numerics in ("float", "fixed")]
        image, _ = image_of_release(path, config)
        release(folder, tmp_path / "tuned", name="tuned", checkpoint=path, image=image, rows=rows)
        facts = json.loads((tmp_path / "tuned" / "eval.json").read_text())
        assert model_card(facts) == (tmp_path / "tuned" / "README.md").read_text()
        return facts, model_card(facts)

    facts, card = publish()
    assert facts["base"] == {"name": "base", "rows": [ROW.to_json()]}
    table = [line.split(" | ") for line in card.splitlines() if line.startswith("| wikitext2")]
    assert [(row[2], row[3], row[5]) for row in table] == [
        ("base", "fixed", "14.2346"), ("tuned", "float", "13.5000"), ("tuned", "fixed", "13.5000"),
    ]  # fmt: skip
    assert f"went on from base (weights sha256 `{start}`)" in card
    assert "a question as one line, a newline, the answer" in card
    assert all(f"<code>{question}</code>" in card for question in QUESTIONS)
    assert is_for_chat(Image.read(tmp_path / "tuned" / "model.glint").header)
    (base / "eval.json").unlink()
    assert publish()[0]["base"] == {"name": "base", "rows": []}
    (base / "model.safetensors").write_bytes(b"another")
    facts, card = publish()
    assert facts["base"] is None and "went on from a model (weights" in card


@pytest.mark.quick
def test_samples_cannot_break_the_table(released):
    facts = json.loads((released / "eval.json").read_text())
    facts["samples"][1]["float"] = "a|b`c<img>\n*d*\x1b[0m"
    (row,) = [line for line in model_card(facts).splitlines() if line.startswith("| 2 | <code>")]
    assert row.count("|") == 4
    assert "a&#124;b&#96;c&lt;img&gt;⏎&#42;d&#42;\N{REPLACEMENT CHARACTER}" in row


def test_the_winner_of_a_tournament_comes_first(run, tmp_path):
    folder, _ = run
    (folder / "merge").mkdir()
    assert champion_of(folder).name == "best.safetensors"
    (folder / "merge" / "champion.safetensors").write_bytes(b"x")
    assert champion_of(folder).name == "champion.safetensors"
    with pytest.raises(InputError, match="no finished training"):
        champion_of(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["blink-base", "blink-instruct", "blink-two-loop"])
def test_shipped_cards_are_made_of_their_eval_json(name):
    folder = RELEASES / name
    facts = json.loads((folder / "eval.json").read_text())
    assert (folder / "README.md").read_text() == model_card(facts)
    assert facts["model_id"] == Image.read(folder / "model.glint").model_id


def test_the_card_says_which_part_of_a_set_was_there(released):
    def row(benchmark, form, metric, n):
        names = {"benchmark": benchmark, "form": form, "metric": metric, "n": n}
        return replace(ROW, **names, stderr=None).to_json()

    facts = json.loads((released / "eval.json").read_text())
    facts["rows"] = [
        row("blimp", "sum", "paradigm accuracy, %", 67),
        row("blimp", "sum", "pair accuracy, %", 57_000),
        row("arc-easy-valid", "sum", "accuracy, %", 570),
        row("wikitext2-test", "256-byte windows", "byte perplexity", 646_787),
        row("wikitext2-test", "continuous", "byte perplexity", 649_324),
        row("my-text", "continuous", "byte perplexity", 1_000),
    ]
    card = model_card(facts)
    assert card.count(" of the whole set") == 2
    assert "- blimp: 57,000 of the 67,000 pairs of the whole set. The whole has" in card
    assert "- arc-easy-valid: the whole set, 570 questions.\n" in card
    assert "- wikitext2-test: 649,324 of the 1,292,008 bytes of the whole set.\n" in card
    assert "| 14.2346 | - | 57,000 |" in card
    assert "quoted" not in card
    facts["quoted"] = [facts["rows"][0] | {"value": 51.5}]
    assert "quoted" in model_card(facts)
    assert "| blimp | sum | fixed | paradigm accuracy, % | 51.5 |" in model_card(facts)


def test_every_number_of_the_scores_table_has_its_protocol(released):
    card = (released / "README.md").read_text()
    forms = set(re.findall(r"^- (.*?): first byte", card, re.MULTILINE))
    assert forms == {"256-byte windows"}
