# SPDX-License-Identifier: MIT
"""From the word that a user types for a device to an open line of bytes.

    open_port      sim:, ref:, float: or a serial port: chosen, found, opened
    serial_line    a serial port, and what it means when it fails
    usb            the boards that are plugged in
    user_groups    who may open a port, and how to let a user in
    port_probe     what answers at a port where no device does

Imports ``boards``, ``firmware``, ``quant``, ``sim``, ``host.models`` and ``host.tuning``; sim and
the software device only once one is opened. The protocol is spoken by ``host.device``.
"""
