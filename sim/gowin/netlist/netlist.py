# SPDX-License-Identifier: MIT
"""A circuit of the chip's primitives, read from synthesis or from a bitstream.

Both readers translate their cells into the few kinds below, so that one simulator serves both.

========  ===============================  ==========================  =========================
kind      inputs                           outputs                     parameters
========  ===============================  ==========================  =========================
LUT4      I0 I1 I2 I3                      F                           INIT (16 bits)
MUX2      I0 I1 S0                         O
ALU       A B C D CIN                      SUM COUT                    INIT (16 bits)
DFF       D CLK CE SR                      Q                           VALUE ASYNC NEGEDGE
RAM16     DI[4] WAD[4] WRE CLK RAD[4]      DO[4]                       INIT_0 .. INIT_3 (16 bits)
BSRAM     ports A and B: CLK_ CE_ WRE_     DO_[WIDTH_]                 WIDTH_A WIDTH_B MODE_A
          AD_ DI_[WIDTH_]                                              MODE_B INIT (18,432 bits)
MULT      A[W] B[W] ASIGN BSIGN            DOUT[2W]                    WIDTH AREG BREG PIPE_REG
          CLK CE RESET                                                 OUT_REG ASYNC
PLL       CLKIN                            CLKOUT LOCK                 FREQUENCY_HZ
========  ===============================  ==========================  =========================

- LUT4: ``F = INIT[I3 I2 I1 I0]``. MUX2: ``O = I1 if S0 else I0``.
- ALU, as in the hardware: with L4 = ``INIT[D C B A]`` and L2 = ``INIT[0 0 B A]``,
  ``SUM = L4 ^ CIN`` and ``COUT = CIN if L4 else L2``.
- DFF: at the edge of CLK, Q becomes VALUE if SR, else D if CE: SR does not need CE, as in the cell
  models of synthesis. ASYNC: SR is asynchronous. Power-up value is VALUE (of a kind without set or
  reset: 0).
- BSRAM: ``_`` is A or B, as in ADA. A port is WIDTH_ = 8, 9, 16, 18, 32 or 36 columns wide, or 0:
  unused, without nets. It has 11, 11, 10, 10, 9 or 9 bits of address AD_, which count words. The
  memory is 2,048 bytes of 9 bits, bit `i` of byte `b` at ``INIT[9 b + i]``. With n = WIDTH_ // 8
  (1, 2 or 4) bytes in a word, word `a` is the bytes ``n a`` to ``n a + n - 1``, the lowest first,
  without their ninth bits where WIDTH_ is 8, 16 or 32. At the edge of CLK_, if CE_: if WRE_, the
  whole word at AD_ becomes DI_; and DO_ becomes the word as it was before if not WRE_ or MODE_ is 2
  (read before write), DI_ if WRE_ and MODE_ is 1 (write through), and keeps its value if WRE_ and
  MODE_ is 0. DO_ is 0 at power-up. One word read by one port and written by the other at the same
  edge: undefined on the chip. A port that never writes has WRE_ = `LOW` and no DI_ nets; one that
  is never read has no DO_ nets. A 36-bit word is written by A and read by B.
- MULT: ``DOUT = A * B``, W = WIDTH = 9 or 18; A is signed if ASIGN, B if BSIGN (both constant).
  AREG, BREG, PIPE_REG and OUT_REG (0 or 1) put registers into A, B, the product, and the product
  again, with CLK, CE, and RESET to 0: at the edge, without CE too, or at once if ASYNC.
"""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FLOATING", "HIGH", "LOW", "Cell", "Netlist"]

LOW = 0
HIGH = 1
FLOATING = 2
"""The net of undriven inputs, such as some carry inputs: the proof runs it at 0 and at 1."""


@dataclass(frozen=True)
class Cell:
    """One primitive. ``ports`` maps a port's name to its nets, least significant bit first."""

    kind: str
    name: str
    """Its place, such as ``X12Y7_LUT3``, or its name in synthesis."""
    ports: Mapping[str, tuple[int, ...]]
    parameters: Mapping[str, int]


@dataclass(frozen=True)
class Netlist:
    """Cells joined by nets; nets are numbers, the first three are `LOW`, `HIGH`, `FLOATING`."""

    cells: tuple[Cell, ...]
    inputs: Mapping[str, tuple[int, ...]]
    """Pads (and nets that stand in for a PLL's output) that drive nets."""
    outputs: Mapping[str, tuple[int, ...]]
    wires: Mapping[str, tuple[int, ...]]
    """Nets of each wire that has a name, lowest bit first."""
