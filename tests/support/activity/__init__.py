# SPDX-License-Identifier: MIT
"""Simulates only what changed: rewrites the C++ that CXXRTL writes for a flat design.

    statements  the C++ of CXXRTL, read as statements with what each reads and writes: begin here
    groups      statements that change together
    rewrite     C++ in which a group runs only when something that it reads has changed

Imports nothing of ours.
"""
