# SPDX-License-Identifier: MIT
"""From a bitstream to the netlist that it configures; every fuse is accounted for.

`bitstream` is the entry: `decode`, and what it offers. In reading order behind it: `chip` (the
chip database: tiles, wires, sites), `fuse_kinds` (which fuse belongs to what), `tiles` (the fuses
of one tile), `routing` (from an input to its driver), `circuit` and `extract` (the walk back from
the output pads), `hard_cells` and `ram_ports` (block RAM, multipliers, PLL), with `blocks`, `pll`
and `contents` for their fuses, on `attributes`. `pads`, `constants` and `settings` compare pads,
banks and configuration. `account` refuses what nothing explains; `fuses` lists the fuses that
matter, for `glintfpga.sim.gowin.faults`; `retime` gives a bitstream another clock.

Imports ``boards``, ``quant`` and ``sim.gowin.netlist``.
"""
