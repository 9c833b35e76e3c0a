# SPDX-License-Identifier: MIT
"""Reading, writing and executing files that others may have made, or that a crash may cut off.

``bounded`` reads at most so many bytes, ``strict_json`` parses an object without surprises and
``text`` reads training texts, packed ones too. ``atomic`` writes files and folders wholly or not
at all, and ``lock`` keeps a folder for one process. ``cache_folder`` says whether a folder is safe
to execute from, and ``native`` compiles code once and keeps it there.

Imports ``quant.errors`` and the standard library.
"""
