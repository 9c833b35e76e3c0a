# SPDX-License-Identifier: MIT
"""USB devices as the Linux kernel lists them, with or without a driver."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["UsbDevice", "usb_devices"]


@dataclass(frozen=True, kw_only=True)
class UsbDevice:
    """One device; ``ident`` is (vendor, product)."""

    ident: tuple[int, int]
    node: Path
    """What libusb opens: /dev/bus/usb/BUS/DEVICE."""


def usb_devices(root: Path) -> Iterator[UsbDevice]:
    """The devices under ``root``/sys/bus/usb; none on systems without it."""
    for folder in sorted((root / "sys/bus/usb/devices").glob("*")):
        try:
            vendor, product = (_read(folder, name, 16) for name in ("idVendor", "idProduct"))
            bus, number = (_read(folder, name, 10) for name in ("busnum", "devnum"))
        except (OSError, ValueError):
            continue  # the interfaces of a device are listed beside it, without these files
        node = root / f"dev/bus/usb/{bus:03}/{number:03}"
        yield UsbDevice(ident=(vendor, product), node=node)


def _read(folder: Path, name: str, base: int) -> int:
    return int((folder / name).read_text(encoding="ascii"), base)
