# SPDX-License-Identifier: MIT
"""The terminal: what a command prints besides its result, and how it ends.

Read in this order: `text` makes bytes of a model safe to show; `streams` sets stdout and stderr up
for every system; `progress` draws bars, or lines where there is no terminal; `failure` turns an
error into one line and an exit code; `signals` lets a command that is told to end clean up.

Imports click, rich and ``quant``; no command and no device.
"""
