# SPDX-License-Identifier: MIT
"""Serves a core to the host: messages in, operations of the core, messages out.

`service` joins the parts. `command_parser` reads one message after the other and answers each with
DONE; `token_loops` executes PROMPT, SCORE and GENERATE, over the interface in `loops_port`;
`self_test` checks the model in memory; `counters` counts events; `hello` stores what the device
reports of itself. The messages are described in ``firmware/wire/messages.py``.

Imports ``hdl.core_port``, through which alone it reaches a machine, ``hdl.hello_layout``,
``hdl.link``, ``hdl.link_sizes``, ``hdl.primitives`` and ``firmware.wire``.
"""
