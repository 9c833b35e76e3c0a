# SPDX-License-Identifier: MIT
"""Permissions on Linux: the udev rule for flashing, the groups for chatting."""

import os
from collections.abc import Iterator
from pathlib import Path

from glintfpga.boards.flash.failures import RULE_STEP
from glintfpga.host.doctor.check import Finding, ok, problem, warning
from glintfpga.host.doctor.machine import Machine
from glintfpga.host.doctor.sysfs import usb_devices
from glintfpga.host.ports.user_groups import access_step, group_of, join_step

__all__ = ["groups", "udev"]

RULES = ("etc/udev/rules.d", "run/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d")
SERIAL_GROUPS = ("dialout", "uucp")
"""Groups that may use serial ports: on Debian and most others; on Arch, which has no dialout."""
USB_GROUP = "plugdev"
"""The group in the udev rule."""


def udev(machine: Machine) -> Iterator[Finding]:
    """Whether the board's programmer may be opened; without a board, whether a rule is there."""
    from glintfpga.host.ports.usb import BRIDGE

    if machine.system != "linux":
        return
    rule = _rule(machine.root)
    nodes = [device.node for device in usb_devices(machine.root) if device.ident == BRIDGE]
    closed = [node for node in nodes if not may_use(node)]
    if closed:
        text = f"no permission for {closed[0]}, the board's programmer"
        if rule is None:
            yield problem("udev", text, RULE_STEP)
        else:
            yield problem("udev", f"{text}, despite {rule}", join_step([USB_GROUP]))
    elif nodes:
        yield ok("udev", f"{', '.join(map(str, nodes))} may be used")
    elif machine.superuser:
        yield ok("udev", "no rule is needed: this is root")
    elif rule is not None:
        yield ok("udev", f"{rule} names the board's programmer")
    else:
        yield warning("udev", "no rule lets users reach the board's programmer", RULE_STEP)


def _rule(root: Path) -> Path | None:
    """The first file of rules that names the programmer's USB id."""
    for folder in RULES:
        for path in sorted((root / folder).glob("*.rules")):
            try:
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                continue
            for line in lines:
                if not line.lstrip().startswith("#") and '"0403"' in line and '"6010"' in line:
                    return path
    return None


def groups(machine: Machine) -> Iterator[Finding]:
    """Whether the ports of the board may be opened; without one, the groups that it takes."""
    from glintfpga.host.ports.usb import bridge_ports

    if machine.system != "linux":
        return
    ports = [Path(port.device) for port in bridge_ports()]
    closed = [port for port in ports if not may_use(port)]
    if closed:
        group = group_of(closed[0])
        text = f"no permission for {closed[0]}{f', of group {group}' if group else ''}"
        yield problem("groups", text, access_step(closed[0]))
    elif ports:
        yield ok("groups", f"{', '.join(map(str, ports))} may be used")
    elif machine.superuser:
        yield ok("groups", "no group is needed: this is root")
    elif missing := _not_joined():
        text = f"this user is not in {' and '.join(missing)}, which may use the board"
        yield warning("groups", text, join_step(missing))
    else:
        yield ok("groups", "this user is in the groups that may use the board")


def may_use(path: Path) -> bool:
    """Whether this process may read and write a device."""
    return os.access(path, os.R_OK | os.W_OK)


def _not_joined() -> list[str]:
    """The groups that exist, give access, and do not have this process."""
    import grp

    mine = {*os.getgroups(), os.getegid()}
    known = {group.gr_name: group.gr_gid for group in grp.getgrall()}
    serial = [name for name in SERIAL_GROUPS if name in known][:1]
    usb = [USB_GROUP] if USB_GROUP in known else []
    return [name for name in serial + usb if known[name] not in mine]
