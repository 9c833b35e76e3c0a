# SPDX-License-Identifier: MIT
"""The device as Verilog, for people with other tools.

`verilog` makes the folder: top level, constraints, facts. `cells` adds empty modules for the
chip's primitives, `tool_commands` the command lines of a build, `readme` the page that explains
them, `apio` a project for apio.

Imports ``boards`` and ``quant``; it prints the options of `boards.build` and the arguments of
`boards.gowin.steps`.
"""
