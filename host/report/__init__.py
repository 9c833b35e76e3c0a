# SPDX-License-Identifier: MIT
"""The page of a build: one HTML file with inline SVG, as ``glintfpga report`` writes it.

Read in this order: `fields` reads untrusted JSON field by field; `inputs` and `clock` check the
files that a build left; `subject` finds the model inside; `markup` builds HTML that escapes itself;
`page` puts the page together (styles in ``page.css``). One module per picture: `bars` (use of the
chip, cycles per token), `pass_chart`, `floorplan`, `timing` (the slowest path), `attention`,
`ranges` (number formats); `palette` has the colors of the blocks.

Imports ``boards`` for the files of a build, ``firmware`` and ``quant`` for the model,
``host.files`` and ``host.models``.
"""
