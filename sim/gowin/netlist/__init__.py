# SPDX-License-Identifier: MIT
"""Netlists of the chip's primitives, and their simulators.

Read `netlist` first: it defines every kind of cell. `synthesis` reads the JSON of yosys, decoded
bitstreams come from `glintfpga.sim.gowin.decode`. `flat_netlist` turns a netlist into arrays;
`bitparallel` simulates 64 copies of it, in C++: ``chip.h`` is the simulator, ``cells.h`` its data,
``power_up.h``, ``differences.h``, ``collisions.h`` and ``line.h`` its parts, ``bitparallel.cpp``
the C interface. `compare` runs two netlists side by side. The second opinion: `verilog` writes a
netlist for Icarus, `icarus` runs it, `second_opinion` compares, `vendor` takes the vendor's
models.

Imports ``quant``; no other package of ``sim.gowin``.
"""
