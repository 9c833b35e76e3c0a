# SPDX-License-Identifier: MIT
"""Simulations of the device, and what proves that a bitstream is the device.

    shipped     sim.wasm, the cycle-exact simulation, and what it was made of: begin here
    compiled    a compiled design: clock, registers, UART; module_cache keeps its machine code
    line        the simulated board as a line of bytes
    idle        skips the time in which the device only waits
    host        the smallest host that can ask it something
    trace, pty  a waveform of an answer; the board behind a pseudo-terminal

``gowin`` decodes and simulates bitstreams of the chip family and knows nothing of our protocol;
``stimulus`` has the conversations it is driven with; ``proof`` joins both. Imports ``boards``,
``firmware`` and ``quant``.
"""
