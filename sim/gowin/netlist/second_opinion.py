# SPDX-License-Identifier: MIT
"""`BitParallelSim` against Icarus: register bits and pads in every cycle, memories at the end."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glintfpga.quant.errors import EnvironmentProblem
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim, Recording
from glintfpga.sim.gowin.netlist.compare import Comparison, Difference
from glintfpga.sim.gowin.netlist.flat_netlist import MEMORY_BITS, FlatNetlist
from glintfpga.sim.gowin.netlist.icarus import IcarusRun, icarus_run
from glintfpga.sim.gowin.netlist.netlist import Netlist
from glintfpga.sim.gowin.netlist.verilog import nets_of

__all__ = ["compare_icarus", "hashes_of", "register_bits"]

PART = 1000
"""Cycles that are compared together."""
_REGISTERS = {"DFF": ("Q",), "BSRAM": ("DOA", "DOB"), "MULT": ("DOUT",), "RAM16": ("DO",)}

Progress = Callable[[int], None]


def register_bits(netlist: Netlist) -> list[tuple[str, int]]:
    """Name and net of each output of a register, multiplier or memory, and of each output pad."""
    bits = [
        (f"{cell.name}.{pin}[{bit}]" if len(nets) > 1 else cell.name, net)
        for cell in FlatNetlist(netlist).cells
        for pin in _REGISTERS.get(cell.kind, ())
        for nets in (cell.ports.get(pin, ()),)
        for bit, net in enumerate(nets)
    ]
    return bits + [(name, net) for name, nets in netlist.outputs.items() for net in nets]


def compare_icarus(
    sim: BitParallelSim,
    recording: Recording,
    cycles: int,
    *,
    rx: str,
    netlist: Netlist | None = None,
    library: Path | None = None,
    progress: Progress = lambda cycles: None,
) -> Comparison:
    """Replay the first cycles of a recording to both, from power-up on, with floating inputs at 0.

    ``rx`` is the input pad of the line; ``netlist`` is for Icarus, that of ``sim`` if None;
    ``library`` is the vendor's, see `icarus_run`. Memory contents are compared after the last
    cycle; the result does not count them as registers, but a difference names them.

    Raises ``EnvironmentProblem`` without Icarus.
    """
    netlist = netlist or sim.flat.netlist
    bits = register_bits(netlist)
    sim.replay(recording)
    sim.watch([net for _, net in bits])
    sim.reset()
    try:
        with icarus_run(
            netlist,
            [net for _, net in bits],
            _changes(netlist, rx, recording),
            cycles,
            library=library,
        ) as run:
            difference, done = None, 0
            while difference is None and done < cycles:
                size = min(PART, cycles - done)
                difference = _part(sim, run, bits, done, size)
                done = done + size if difference is None else difference.cycle
                progress(done)
            if difference is None:
                difference = _memories(sim, run, done)
    finally:
        sim.replay(None)
        sim.watch([])
    return Comparison(done, len(bits), difference)


def _changes(netlist: Netlist, rx: str, recording: Recording) -> list[tuple[int, int]]:
    """The line to the chip, which idles high; other pads stay low."""
    bit = 1 << nets_of(netlist.inputs).index(netlist.inputs[rx][0])
    edges = recording.to_chip.tolist()
    return [(0, bit), *((cycle, at % 2 * bit) for at, cycle in enumerate(edges))]


def _part(
    sim: BitParallelSim, run: IcarusRun, bits: list[tuple[str, int]], done: int, size: int
) -> Difference | None:
    lines = run.lines(size)
    if len(lines) < size:
        raise EnvironmentProblem(f"Icarus ended after {done + len(lines)} cycles")
    sim.run(size)
    undefined = ~((lines <= ord("9")) | (lines >= ord("a")) & (lines <= ord("f"))).all(axis=1)
    wrong = np.flatnonzero((sim.take_hashes() != hashes_of(lines)) | undefined)
    if not len(wrong):
        return None
    cycle = done + int(wrong[0]) + 1
    sim.reset()
    sim.run(cycle)
    line = lines[wrong[0]].tobytes()
    return Difference(cycle, tuple(_differing(sim, line, bits)))


def hashes_of(lines: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """`BitParallelSim.take_hashes`, computed from lines of hexadecimal digits without x or z."""
    digits = np.where(lines < ord("a"), lines - ord("0"), lines - ord("a") + 10).astype(np.uint8)
    pairs = digits[:, 0::2] << 4 | digits[:, 1::2]
    words = np.ascontiguousarray(pairs).view(">u8").astype(np.uint64)
    hashes = np.full(len(lines), 14695981039346656037, np.uint64)
    for word in words.T:
        hashes = (hashes ^ word) * np.uint64(1099511628211)
        hashes ^= hashes >> np.uint64(29)
    return hashes


def _differing(sim: BitParallelSim, line: bytes, bits: list[tuple[str, int]]) -> list[str]:
    """Names of the bits in which a line from Icarus differs from the simulation's current state."""
    found = []
    for at, (name, net) in enumerate(bits):
        digit = chr(line[at // 64 * 16 + 15 - at % 64 // 4])
        value = int(digit, 16) >> at % 4 & 1 if digit in "0123456789abcdef" else None
        if value != sim.net(net) & 1:
            found.append(name)
    return found


def _memories(sim: BitParallelSim, run: IcarusRun, cycle: int) -> Difference | None:
    names = []
    for number, cell in enumerate(sim.flat.cells):
        if cell.kind == "BSRAM":
            held = np.packbits(sim.state(number, MEMORY_BITS), bitorder="little").tobytes()
            if run.memory(number) != int.from_bytes(held, "little"):
                names.append(f"{cell.name} (contents)")
    return Difference(cycle, tuple(names)) if names else None
