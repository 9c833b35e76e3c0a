# SPDX-License-Identifier: MIT
import pytest

SAYS_LANES = "--lanes has no effect here: "


@pytest.mark.quick
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("chat sim: --lanes 4", f"{SAYS_LANES}sim: has the lanes it was built with; leave it out"),
        ("bench sim: --lanes 2", f"{SAYS_LANES}sim: has the lanes it was built with"),
        ("generate float: --lanes 4", f"{SAYS_LANES}float: computes without lanes; leave it out"),
        ("verify /dev/ttyUSB7 --lanes 4", f"{SAYS_LANES}/dev/ttyUSB7 has the lanes it was built"),
        ("show sim: --lanes 4", f"{SAYS_LANES}sim: has the lanes it was built with"),
        ("show --lanes 4", f"{SAYS_LANES}models have no lanes; leave it out, or give the port"),
        ("show blink-base --lanes 4", f"{SAYS_LANES}models have no lanes"),
        ("quantize blink-base -o new.glint --lanes 4", f"{SAYS_LANES}an image is the same for all"),
        ("eval blink-base --numerics float --lanes 4", f"{SAYS_LANES}floats have none; leave it"),
        (
            "eval blink-base --numerics float --plan 9",
            "--plan has no effect here: floats have none",
        ),
        ("sim --pty --prompt x", "--prompt has no effect here: without --trace FILE nothing is"),
        ("report here --board tangnano20k", "--board has no effect here: BUILD_DIR says which"),
        ("timing here --board tangnano20k", "--board has no effect here: BUILD_DIR says which"),
    ],
)
def test_an_option_without_effect_is_refused(command, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    code, out, err = command(*arguments.split())
    assert (code, out) == (2, b"")
    (line,) = err.splitlines()
    assert reason in line
    assert not any(tmp_path.iterdir())


def test_a_plan_for_a_shape_without_stages_in_it_is_refused():
    from glintfpga.host.training.recipe import planned
    from glintfpga.quant.errors import InputError
    from glintfpga.train.run.presets import PRESETS

    with pytest.raises(InputError, match="in the chip's numbers: leave out --plan 9"):
        planned(PRESETS["glint"], "9")
    assert planned(PRESETS["glint"], "none") == PRESETS["glint"]


@pytest.mark.parametrize("lanes", ["2", "4", "8"])
def test_lanes_of_the_device_that_ref_imitates(command, lanes):
    said = command("show", "ref:", "--lanes", lanes)[1]
    assert f"device, {lanes} lanes".encode() in said
