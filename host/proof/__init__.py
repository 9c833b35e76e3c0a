# SPDX-License-Identifier: MIT
"""``glintfpga prove``: the stages of a bitstream's proof, and their order.

`stages` has a function per stage, and says what each one shows: read it first. `run` decodes the
bitstream, runs the stages, adds a fault campaign on request, and returns what proof.json stores.

Imports ``boards``, ``firmware``, ``quant``, ``sim``, ``host.console`` and ``host.device``; sim as
late as possible, as a command's help must not wait for it.
"""
