# SPDX-License-Identifier: MIT
"""What a build does for Gowin chips and the open tools, and nowhere else.

`steps` is the list of steps, in order; read it first. Before routing: `pll`, `bram_signatures` (in
place of memory contents), `resources` (declared against found), `lut4`; `router_delays` tells the
router of multipliers. After routing: `losses`
compares what went into the router with what came out, with `pins`, `constraints` and `untimed`;
``timing`` is static timing over the names of `wires`; `bram_patch` puts the contents in; `carry`
repairs carry chains. `tool_warnings` sorts what the tools complain of. `bitstream_file` checks
every field of a .fs file, and writes one.

Imports the general parts of ``boards``, and ``quant``; no gateware of ours by name.
"""
