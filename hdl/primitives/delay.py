# SPDX-License-Identifier: MIT
"""Delay lines: control that follows its data through the pipeline."""

from amaranth.hdl import Module, Signal, Value, ValueLike

__all__ = ["delay"]


def delay(m: Module, value: ValueLike, cycles: int, name: str) -> Value:
    """``value`` as it was ``cycles`` ago (0 after reset)."""
    value = Value.cast(value)
    for cycle in range(cycles):
        late = Signal(value.shape(), name=f"{name}_{cycle + 1}")
        m.d.sync += late.eq(value)
        value = late
    return value
