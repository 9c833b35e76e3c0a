# SPDX-License-Identifier: MIT
import os
import types

import pytest

from glintfpga.boards.flash.failures import UDEV_RULE
from glintfpga.host.doctor import rights
from glintfpga.host.doctor.check import Level
from glintfpga.host.doctor.rights import groups, udev
from glintfpga.host.ports import user_groups

LINUX = [("/dev/ttyUSB0", "1-2:1.0"), ("/dev/ttyUSB1", "1-2:1.1")]


@pytest.fixture
def forbid(monkeypatch):
    """Take the rights for all devices away; the tests may run as root."""
    monkeypatch.setattr(rights, "may_use", lambda path: False)


@pytest.fixture
def allow(monkeypatch):
    monkeypatch.setattr(rights, "may_use", lambda path: True)


@pytest.fixture
def join(monkeypatch):
    """Which groups exist, and which of them this process is in."""
    grp = pytest.importorskip("grp")

    def go(exist, mine):
        known = {name: 9000 + index for index, name in enumerate(exist)}
        entries = [types.SimpleNamespace(gr_name=n, gr_gid=i) for n, i in known.items()]
        monkeypatch.setattr(grp, "getgrall", lambda: entries)
        monkeypatch.setattr(os, "getgroups", lambda: [known[name] for name in mine])
        monkeypatch.setattr(os, "getegid", lambda: 1000)

    return go


def only(findings):
    (finding,) = findings
    return finding


def test_rule_is_missing(machine, write):
    write({"etc/udev/rules.d/70-other.rules": '# "0403" and "6010"\nATTR{idVendor}=="1234"\n'})
    found = only(udev(machine()))
    assert found.level is Level.WARNING
    assert UDEV_RULE in found.next_step


@pytest.mark.parametrize(
    "folder", ["etc/udev/rules.d", "lib/udev/rules.d", "usr/lib/udev/rules.d", "run/udev/rules.d"]
)
def test_rule_is_there(machine, write, folder):
    write({f"{folder}/70-tangnano.rules": f"{UDEV_RULE}\n"})
    found = only(udev(machine()))
    assert found.level is Level.OK
    assert f"{folder}/70-tangnano.rules" in found.text


def test_root_needs_no_rule(machine):
    assert only(udev(machine(superuser=True))).level is Level.OK


def test_programmer_may_not_be_used(machine, write, plug_usb, forbid):
    plug_usb()
    found = only(udev(machine()))
    assert found.level is Level.PROBLEM
    assert "dev/bus/usb/001/007" in found.text
    assert UDEV_RULE in found.next_step


@pytest.mark.quick
def test_rule_does_not_help(machine, write, plug_usb, forbid):
    plug_usb()
    write({"etc/udev/rules.d/70-tangnano.rules": UDEV_RULE})
    found = only(udev(machine()))
    assert found.level is Level.PROBLEM
    assert "despite" in found.text
    assert found.next_step.startswith("sudo usermod -aG plugdev $USER")


def test_programmer_may_be_used(machine, plug_usb, allow):
    plug_usb()
    assert only(udev(machine())).level is Level.OK


def test_a_real_device_file(machine, write, plug_usb):
    plug_usb()
    write({"dev/bus/usb/001/007": ""})
    assert only(udev(machine())).level is Level.OK


def test_port_of_a_foreign_group(machine, plug, forbid, tmp_path, monkeypatch):
    port = tmp_path / "ttyUSB1"
    plug((str(port), "1-2:1.1"))
    for module in (rights, user_groups):
        monkeypatch.setattr(module, "group_of", lambda path: "uucp")
    found = only(groups(machine()))
    assert found.level is Level.PROBLEM
    assert found.text == f"no permission for {port}, of group uucp"
    assert found.next_step == "sudo usermod -aG uucp $USER, then log out and in again"


def test_port_may_be_used(machine, plug, allow):
    plug(*LINUX)
    found = only(groups(machine()))
    assert found.level is Level.OK
    assert "/dev/ttyUSB1" in found.text


@pytest.mark.parametrize(
    "exist, mine, wanted",
    [
        (["dialout", "uucp", "plugdev"], [], "dialout,plugdev"),
        (["dialout", "uucp", "plugdev"], ["dialout"], "plugdev"),
        (["uucp"], [], "uucp"),
        (["dialout", "plugdev"], ["dialout", "plugdev"], None),
        ([], [], None),
    ],
)
def test_groups_without_a_board(machine, plug, join, exist, mine, wanted):
    join(exist, mine)
    found = only(groups(machine()))
    if wanted is None:
        assert found.level is Level.OK
    else:
        assert found.level is Level.WARNING
        assert found.next_step == f"sudo usermod -aG {wanted} $USER, then log out and in again"


def test_root_needs_no_group(machine, plug, join):
    join(["dialout"], [])
    assert only(groups(machine(superuser=True))).level is Level.OK


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_only_on_linux(machine, plug, forbid, system):
    plug(*LINUX)
    assert [*udev(machine(system)), *groups(machine(system))] == []
