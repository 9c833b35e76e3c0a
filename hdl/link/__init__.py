# SPDX-License-Identifier: MIT
"""Reliable byte streams over a UART: frames with CRC, sessions, acks and retries.

The protocol itself is described in ``firmware/wire/protocol.py``; start there. Then, from the line
inwards: `uart` (bits to bytes), `framing` (bytes to checked frames and back), `stream_receiver` and
`stream_sender` (the two rings), `frame_writer` (what is sent next), and `link`, which joins them
and keeps the session and the baud rate. `message_writer` cuts what the device answers into
messages.

Imports ``hdl.hello_layout``, ``hdl.link_sizes``, ``hdl.primitives`` and ``firmware.wire``; has
nothing of models or commands.
"""
