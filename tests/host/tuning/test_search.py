# SPDX-License-Identifier: MIT
import pytest

from glintfpga.host.tuning.search import search
from glintfpga.quant.errors import DeviceError, EnvironmentProblem

CLOCKS = [54.0, 67.5, 81.0, 94.5, 108.0]


def run(limit):
    told, flashed = [], []

    def verify(clock):
        assert flashed[-1] == clock
        if clock > limit:
            raise DeviceError(f"wrong at {clock:g}")

    def tell(clock, reason):
        told.append((clock, reason))

    found = search(CLOCKS, flash=flashed.append, verify=verify, tell=tell)
    assert flashed == [clock for clock, _ in told]
    return found, told


@pytest.mark.quick
@pytest.mark.parametrize(
    ("limit", "kept", "above", "failed"),
    [
        (54, 54.0, None, 67.5),
        (70, 54.0, 67.5, 81.0),
        (81, 67.5, 81.0, 94.5),
        (100, 81.0, 94.5, 108.0),
        (500, 94.5, 108.0, None),
    ],
)
def test_one_step_of_margin(limit, kept, above, failed):
    found, told = run(limit)
    assert (found.clock_mhz, found.next_clock_mhz, found.failed) == (kept, above, failed)
    assert found.reason == (f"wrong at {failed:g}" if failed else "")
    assert told[-1] == ((failed, found.reason) if failed else (108.0, ""))


def test_the_first_must_pass():
    with pytest.raises(DeviceError, match="fails at 54 MHz, its own clock: wrong at 54"):
        run(1)


@pytest.mark.parametrize("error", [DeviceError("no board"), EnvironmentProblem("no tool")])
def test_a_board_that_cannot_be_flashed_is_no_limit(error):
    def flash(clock):
        if clock > 60:
            raise error

    with pytest.raises(type(error), match="^no "):
        search(CLOCKS, flash=flash, verify=lambda clock: None, tell=lambda clock, reason: None)
