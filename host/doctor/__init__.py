# SPDX-License-Identifier: MIT
"""The checks of ``glintfpga doctor``: what is installed, plugged in and permitted.

Read in this order: `check` is the result of a check, `machine` the machine that is examined,
`checkup` runs all checks in order. The checks: `packages` (Python and the extras), `tools` (those
beside this Python), `path` (those on PATH), `storage` (caches and free space), `board` (boards and
ports, by `sysfs` on Linux), `rights` (udev rule and groups on Linux).

Imports ``boards`` for tools and advice, ``host.ports`` and ``quant``; a check changes nothing.
"""
