# SPDX-License-Identifier: MIT
"""What both ends of the wire agree on; nothing here runs on a processor of the device.

``wire`` has the protocol as formats and state machines without I/O, ``device`` a device in software
that follows it, for any family of models, ``blink`` what belongs to one: what its machine is given,
what that reports of itself, and the numbers of the software device.

All folders above import this. Imports ``quant``, and no Amaranth.
"""
