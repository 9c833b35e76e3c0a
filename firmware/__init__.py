# SPDX-License-Identifier: MIT
"""What both ends of the wire agree on; nothing here runs on a processor of the device.

`device_config` says what a device is, apart from its model. ``wire`` has the protocol as formats
and state machines without I/O, ``device`` a device in software that follows it, ``blink`` what a
machine for that family is given: its image, and the schedule that it plays.

All folders above import this. Imports ``quant``, and no Amaranth.
"""
