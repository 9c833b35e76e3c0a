# SPDX-License-Identifier: MIT
"""XOR networks: a bit matrix times a vector in few four-input LUTs.

Each row of the matrix alone costs a third of a LUT per term. Rows of a CRC matrix are dense and
look random, so many of them share terms: four inputs that n rows have in common become one node,
which costs a LUT and saves n of them. Taking the best such node again and again (greedily; the
search extends the pairs of inputs that most rows share) halves the network of a wide CRC.

On the board every LUT is an instance, because technology mapping undoes part of the sharing. All
of `LogitCrc` with 4 lanes is 311 LUTs that way, 361 from expressions (519 with wide LUTs
allowed), and 621 without sharing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from operator import xor
from typing import Any

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value
from amaranth.vendor import GowinPlatform

__all__ = ["XorNetwork"]

_LUT_INPUTS = 4
_BEAM = 32
"""Pairs that are extended; more find little: 181 for 185 LUTs with 100 for 10 (CRC, 4 lanes)."""


@dataclass(frozen=True)
class XorNetwork:
    """Rows of XORs over shared nodes. Terms are inputs by number, then nodes by number."""

    inputs: int
    nodes: tuple[tuple[int, ...], ...]
    """Terms of each node: inputs, or nodes before it."""
    rows: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, columns: Sequence[int], height: int) -> "XorNetwork":
        """Build the network of a matrix: bit i of ``columns[j]`` puts input j into row i."""
        terms = list(columns)
        nodes = []
        while node := _best_node(terms):
            shared = _common(terms, node)
            for term in node:
                terms[term] &= ~shared
            terms.append(shared)
            nodes.append(node)
        rows = tuple(
            tuple(term for term, column in enumerate(terms) if column >> row & 1)
            for row in range(height)
        )
        return cls(len(columns), tuple(nodes), rows)

    @property
    def luts(self) -> int:
        """Four-input LUTs: one per node, and a third of one for each further term of a row."""
        return len(self.nodes) + sum(-(-(len(row) - 1) // (_LUT_INPUTS - 1)) for row in self.rows)

    def build(self, m: Module, platform: Any, name: str, inputs: Value) -> Value:
        """Add the network to ``m`` and return its rows, row 0 in bit 0. Combinational."""
        assert len(inputs) == self.inputs
        luts = _Luts(m, platform, name)
        terms = [(0, bit) for bit in inputs]
        for node in self.nodes:
            terms.append(luts.tree([terms[term] for term in node]))
        return Cat(luts.tree([terms[term] for term in row])[1] for row in self.rows)


class _Luts:
    """Adds LUTs to a module; bits are pairs of depth (LUTs before them) and value."""

    def __init__(self, m: Module, platform: Any, name: str) -> None:
        self._m = m
        self._instances = isinstance(platform, GowinPlatform)
        self._name = name
        self._count = 0

    def tree(self, bits: Sequence[tuple[int, Value]]) -> tuple[int, Value]:
        """XOR of any number of bits, the shallow ones first."""
        left = sorted(bits, key=lambda bit: bit[0])
        while len(left) > 1:
            # A short first LUT leaves full ones for the rest.
            count = (len(left) - 2) % (_LUT_INPUTS - 1) + 2
            depth = max(depth for depth, _ in left[:count]) + 1
            output = self._lut([value for _, value in left[:count]])
            left = sorted([*left[count:], (depth, output)], key=lambda bit: bit[0])
        return left[0] if left else (0, Const(0))

    def _lut(self, inputs: Sequence[Value]) -> Value:
        name = f"{self._name}_{self._count}"
        self._count += 1
        output = Signal(name=name)
        if not self._instances:
            self._m.d.comb += output.eq(reduce(xor, inputs))
            return output
        size = len(inputs)
        parity = sum((i.bit_count() & 1) << i for i in range(1 << size))
        ports = {f"i_I{i}": bit for i, bit in enumerate(inputs)}
        self._m.submodules[name] = Instance(
            f"LUT{size}", p_INIT=Const(parity, 1 << size), **ports, o_F=output
        )
        return output


def _common(columns: Sequence[int], terms: Sequence[int]) -> int:
    common = -1
    for term in terms:
        common &= columns[term]
    return common


def _best_node(columns: Sequence[int]) -> tuple[int, ...]:
    """Return the terms of the node that saves most LUTs, or none if no node saves any."""
    several = [term for term, column in enumerate(columns) if column.bit_count() > 1]
    pairs = sorted(combinations(several, 2), key=lambda pair: -_common(columns, pair).bit_count())
    best: tuple[int, ...] = ()
    # Thirds of a LUT: a node of k terms takes k - 1 terms out of each row and costs one LUT.
    most = 0
    for pair in pairs[:_BEAM]:
        node: tuple[int, ...] = pair
        while True:
            common = _common(columns, node)
            saved = common.bit_count() * (len(node) - 1) - (_LUT_INPUTS - 1)
            if saved > most:
                best, most = node, saved
            rest = [term for term in several if term not in node]
            if len(node) == _LUT_INPUTS or not rest:
                break
            node = (*node, max(rest, key=lambda term: (columns[term] & common).bit_count()))
    return best
