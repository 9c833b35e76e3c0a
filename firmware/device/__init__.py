# SPDX-License-Identifier: MIT
"""The device in software: what the gateware does, in Python, byte for byte.

It runs ``ref:`` and ``float:``, and tests compare the gateware with it. Read in this order:

    software_line      the device as a line that a host can open
    software_device    bytes in, bytes out, with time as an argument
    executor           the commands, one after another
    message_buffer     when the tokens of an answer leave as a message
    loaded_model       what it needs of a model, whatever its family

Imports ``firmware.wire``, ``quant.errors`` and ``quant.numbers``.
"""
