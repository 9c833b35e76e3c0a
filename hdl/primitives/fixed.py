# SPDX-License-Identifier: MIT
"""Fixed-point helpers for gateware: the Amaranth face of ``quant.numbers.qformat``.

``shift_round`` from ``quant.numbers.qformat`` works on Amaranth values as it is.
"""

from amaranth.hdl import Cat, Const, Mux, Value, ValueLike

__all__ = ["bit_length", "saturate", "shift_guarded"]


def saturate(value: ValueLike, width: int) -> Value:
    """Clamp a signed value into ``width`` bits. Depth: the sign-bit check and one mux."""
    value = Value.cast(value)
    assert value.shape().signed, "only signed values saturate"
    if len(value) <= width:
        return value
    sign = value[-1]
    head = value[width - 1 :]
    clamp = Cat((~sign).replicate(width - 1), sign)
    return Mux(head.all() | ~head.any(), value[:width], clamp).as_signed()


def shift_guarded(value: ValueLike, least: int, shift: ValueLike) -> Value:
    """``value / 2**(least + shift)`` with one bit below the point kept, for rounding later.

    ``(result + 1) >> 1`` is ``shift_round``; a sum ``(result + Cat(1, x)) >> 1`` rounds and adds
    in one adder. Bits below the guard never matter.
    """
    value = Value.cast(value)
    if least < 1:
        padded = Cat(Const(0, 1 - least), value).as_signed()
    else:
        padded = value[least - 1 :].as_signed()
    return padded >> shift


def bit_length(value: ValueLike) -> Value:
    """Bits of an unsigned value (0 for 0), as a priority encoder."""
    value = Value.cast(value)
    length: Value = Value.cast(0)
    for index in range(len(value)):
        length = Mux(value[index], index + 1, length)
    return length
