# SPDX-License-Identifier: MIT
"""One file per command of ``glintfpga``; each has a click command named ``command``.

Begin with `timing`, the shortest, then `generate`. `options` has the options that several commands
share. To use a device: `chat`, `generate`, `bench`, `verify`, `load`, `sim`, `show`. To make one:
`build`, `timing`, `report`, `flash`, `tune`, `export`, `prove`. To make a model: `data`, `train`,
`merge`, `quantize`, `evaluate` (``eval``), `release`. `doctor` checks the machine.

A command parses its options and prints; the work is in the folders it imports. Imports ``boards``,
``firmware``, ``host``, ``quant``, ``sim`` and ``train``; inside its function what is slow, as the
help of all commands must not wait for NumPy.
"""
