# SPDX-License-Identifier: MIT
"""Boards and ports: which are plugged in, what each port is for, and what is wrong with them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from glintfpga.boards.flash.failures import DRIVER_STEP
from glintfpga.host.doctor.check import Finding, ok, problem, warning
from glintfpga.host.doctor.machine import Machine
from glintfpga.host.doctor.sysfs import usb_devices

if TYPE_CHECKING:
    from serial.tools.list_ports_common import ListPortInfo

    from glintfpga.host.ports.usb import BridgePort

__all__ = ["board"]

ABSENT = {
    "win32": "plug it in with a cable that carries data: without a COM port it is charge-only",
    "wsl 1": "update the distribution to WSL 2 with wsl --set-version: WSL 1 has no USB",
    "wsl 2": "attach it in Windows: usbipd attach --wsl --busid ID (ID as of usbipd list)",
}
"""The next step without a board, on systems where it differs."""


def board(machine: Machine) -> Iterator[Finding]:
    """The ports with their roles, and the known troubles of bridges and drivers."""
    from glintfpga.host.ports.usb import NO_FIRMWARE, bridge_ports, serial_ports, warnings_of

    infos = sorted(serial_ports())
    ports = bridge_ports(infos)
    yield from _roles(ports, infos)
    for line in warnings_of(infos):
        text, _, step = line.partition("; ")
        yield problem("firmware", text, step)
    if ports:
        yield from _drivers(machine, ports)
    elif not any((info.vid, info.pid) == NO_FIRMWARE for info in infos):
        yield _absent(machine)


def _roles(ports: Sequence["BridgePort"], infos: Sequence["ListPortInfo"]) -> Iterator[Finding]:
    from glintfpga.host.ports.usb import JTAG_INTERFACE, UART_INTERFACE

    for port in ports:
        who = f"of a board (USB serial number {port.serial_number or 'unknown'})"
        if port.interface == UART_INTERFACE:
            yield ok("port", f"{port.device} is the UART half {who}: glintfpga chat {port.device}")
        elif port.interface == JTAG_INTERFACE:
            yield ok("port", f"{port.device} is the JTAG half {who}, which flashing uses")
        else:
            yield ok("port", f"{port.device} is a half {who}; this system hides which")
    halves = {port.device for port in ports}
    others = [_described(info) for info in infos if info.device not in halves]
    if others:
        yield ok("port", f"of other devices: {', '.join(others)}")


def _described(info: "ListPortInfo") -> str:
    if info.vid is None or info.pid is None:
        return str(info.device)
    return f"{info.device} ({info.vid:04x}:{info.pid:04x} {info.product or ''}".rstrip() + ")"


def _drivers(machine: Machine, ports: Sequence["BridgePort"]) -> Iterator[Finding]:
    """Boards with the wrong driver on one of their halves."""
    from glintfpga.host.ports.usb import JTAG_INTERFACE

    for name in dict.fromkeys(port.board for port in ports):
        halves = [port for port in ports if port.board == name]
        jtag = next((port for port in halves if port.interface == JTAG_INTERFACE), None)
        if len(halves) == 1 and jtag is not None:
            step = "plug the board in again, without a hub"
            if machine.system == "win32":
                step = "undo the driver of interface 1 in the device manager, then plug in again"
            yield problem("driver", f"the board at {jtag.device} shows no UART half", step)
        elif jtag is not None and machine.system == "win32":
            yield problem(
                "driver",
                f"{jtag.device}, the JTAG half, has the driver of a serial port, with which "
                "glintfpga flash cannot reach it",
                DRIVER_STEP,
            )


def _absent(machine: Machine) -> Finding:
    from glintfpga.host.ports.usb import BRIDGE

    if machine.system == "linux" and any(
        device.ident == BRIDGE for device in usb_devices(machine.root)
    ):
        return problem(
            "driver",
            "a board is on the USB bus, but has no serial ports: ftdi_sio is not loaded, or the "
            "vendor's programmer has taken it away",
            "sudo modprobe ftdi_sio, and plug the board in again",
        )
    system = f"wsl {machine.wsl}" if machine.wsl else machine.system
    step = ABSENT.get(system, "plug it in with a cable that carries data, or use sim: for now")
    return warning("board", "no board is plugged in", step)
