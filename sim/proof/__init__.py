# SPDX-License-Identifier: MIT
"""What the proof of a bitstream knows of our build and our gateware.

`build_steps` follows a bitstream back to its synthesized netlist through the cache of the build.
`uninitialized_reads` proves that no byte of the link's rings is used before it is written; it names
registers of ``hdl/link``.

Imports ``sim.gowin``, ``boards`` for the build's files, ``firmware.wire`` for sizes of frames, and
``quant``.
"""
