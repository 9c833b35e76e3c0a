# SPDX-License-Identifier: MIT
"""From the gateware to a bitstream on a board.

Read in this order: `board` says what a board is, `catalog` lists the boards; `top` puts the device
on one, with pins, clock and `lights`; `design` is what is built; `build` runs each
`step`, or takes its result from the `cache`, with the tools of `toolchain`. What a build says of
itself: `report`, `floorplan`, `manifest`; `sources` finds the line of a signal; `shipped` is the
bitstream in ``release/``.

What is particular to a family of chips is in ``gowin``, to a board in ``tangnano20k``. ``flash``
writes a bitstream, ``export`` writes Verilog for other flows. Imports ``hdl``, ``firmware`` and
``quant``; `board`, `catalog` and ``flash`` need no Amaranth.
"""
