# SPDX-License-Identifier: MIT
import types

import pytest

from glintfpga.host.ports import user_groups

grp = pytest.importorskip("grp")


@pytest.fixture
def device(monkeypatch):
    """A device of a group and a mode; what root's files are is not for a test to make."""

    def make(number, mode):
        found = types.SimpleNamespace(st_gid=number, st_mode=mode)
        return types.SimpleNamespace(stat=lambda: found, __str__=lambda self: "/dev/ttyUSB1")

    def name(number):
        if number == 986:
            return types.SimpleNamespace(gr_name="uucp")
        raise KeyError(number)

    monkeypatch.setattr(grp, "getgrgid", name)
    return make


@pytest.mark.quick
@pytest.mark.parametrize(
    "number, mode, group",
    [
        (986, 0o020660, "uucp"),
        (987, 0o020660, "987"),
        (986, 0o020640, None),
        (0, 0o020660, None),
    ],
)
def test_who_may_use_a_device(device, number, mode, group):
    assert user_groups.group_of(device(number, mode)) == group


def test_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(user_groups, "group_of", lambda path: "uucp")
    assert user_groups.access_step(tmp_path) == (
        "sudo usermod -aG uucp $USER, then log out and in again"
    )
    monkeypatch.setattr(user_groups, "group_of", lambda path: None)
    assert user_groups.access_step(tmp_path).startswith(f"sudo chmod a+rw {tmp_path}")


def test_a_device_that_is_gone(tmp_path):
    assert "chmod" in user_groups.access_step(tmp_path / "gone")
