# SPDX-License-Identifier: MIT
"""The range of a multiplier's product, as clauses.

A formula (`glintfpga.sim.gowin.equivalence.cnf`) does not model multiplication: the output would be
unconstrained. But two 12-bit numbers, sign-extended to the 18 input pins, have a product from
-2048 * 2047 to 2048 * 2048: the upper 13 bits are equal, and no product is -2 ** 22. Sums of such
products never use some carries and guard bits. No candidate clause from recorded runs expresses
that; these range clauses do.
"""

from collections.abc import Iterator, Sequence

from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH, LOW, Cell

__all__ = ["product_clauses", "range_clauses"]


def product_clauses(cell: Cell) -> Iterator[tuple[int, ...]]:
    """Clauses (nets, negated for "low") that a multiplier's outputs satisfy in every cycle.

    Pipeline registers store an earlier product, or 0, which is in every range. There are no clauses
    for a factor whose sign pin is not constant.
    """
    width = cell.parameters["WIDTH"]
    outs = cell.ports.get("DOUT", ())
    factors = [_range(cell.ports.get(name, ()), cell.ports[f"{name}SIGN"], width) for name in "AB"]
    if None in factors or len(outs) != 2 * width:
        return
    corners = [one * other for one in factors[0] or () for other in factors[1] or ()]
    if max(corners).bit_length() < len(outs):  # else the top bit is no sign
        yield from range_clauses(outs, min(corners), max(corners))


def _range(pins: Sequence[int], sign: Sequence[int], width: int) -> tuple[int, int] | None:
    """Smallest and largest value of a factor; None where the sign pin is not constant."""
    pins = (*pins, *(LOW,) * (width - len(pins)))[:width]
    if tuple(sign) not in ((LOW,), (HIGH,)):
        return None
    if LOW in (sign[0], pins[-1]):
        return 0, sum(1 << at for at, net in enumerate(pins) if net != LOW)
    bits = width
    while bits > 1 and pins[bits - 1] == pins[bits - 2] != FLOATING:
        bits -= 1
    return -1 << (bits - 1), (1 << (bits - 1)) - 1


def range_clauses(nets: Sequence[int], least: int, largest: int) -> Iterator[tuple[int, ...]]:
    """Clauses: ``nets``, a two's complement number with the lowest bit first, is in a range
    around 0.
    """
    *low, sign = nets
    if least == 0:
        yield (-sign,)
    for at, net in enumerate(low):
        higher = list(enumerate(low))[at + 1 :]
        if least >> at & 1:
            # A negative number that equals ``least`` above this bit has this bit, too.
            yield (-sign, net, *(other for bit, other in higher if not least >> bit & 1))
        if not largest >> at & 1:
            yield (sign, -net, *(-other for bit, other in higher if largest >> bit & 1))
