# SPDX-License-Identifier: MIT
import pytest

from glintfpga.quant.errors import DeviceError, EnvironmentProblem, GlintError, InputError


@pytest.mark.quick
@pytest.mark.parametrize(
    ("error", "code"), [(DeviceError, 1), (InputError, 2), (EnvironmentProblem, 3)]
)
def test_exit_codes(error, code):
    assert issubclass(error, GlintError)
    assert error("why").exit_code == code
    assert str(error("why")) == "why"
