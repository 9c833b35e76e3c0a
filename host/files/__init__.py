# SPDX-License-Identifier: MIT
"""Files that a user names on the command line.

Read in this order: `named` reads and writes one file, stdin or stdout; `outputs` refuses to
overwrite inputs, folders and what a command did not write itself; `output_folder` fills a folder
again without touching the user's own files in it.

Imports ``quant.errors``, ``quant.files`` and ``host.console``.
"""
