# SPDX-License-Identifier: MIT
"""Proves on the placed netlist that no byte of the link's rings is used before it is written.

For one arbitrary byte of a ring, from power-up on:

    written   the byte has been written
    stale     the output of the read port is the byte's value from before it was written
    idle      the output of the read port is not used         to prove: stale -> idle

So the power-up contents of the ring never matter, for any input. The proof is 1-induction:
invariants about the pointers are true at power-up, and if all are true in a cycle, all are true in
the next. The invariants name registers of the source; the build's cache tells their nets. An error
in that mapping cannot make the proof wrong: whatever nets the invariants are about, they are
proved. The same and more is proved for the source: ``tests/support/formal/hdl/stream_receiver.py``,
``tests/support/formal/hdl/stream_sender.py``.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from glintfpga.firmware.wire.protocol import (
    CRC_BYTES,
    DATA_HEADER,
    TO_DEVICE_PAYLOAD,
    TO_DEVICE_RING,
    TO_HOST_RING,
)
from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.equivalence.bitvector import BitVector, BitVectorLogic
from glintfpga.sim.gowin.equivalence.cnf import Formula, Frame
from glintfpga.sim.gowin.equivalence.fault_equivalence import Equivalence
from glintfpga.sim.gowin.netlist.flat_netlist import ADDRESS_BITS, FlatNetlist
from glintfpga.sim.gowin.netlist.netlist import LOW, Cell

__all__ = ["Registers", "never_read_before_write"]

Registers = Mapping[str, Sequence[int]]
"""Nets of registers by their names in the source, lowest bit first."""

BLOCK_BYTES = 1 << ADDRESS_BITS

WRITER_IDLE, _, _, WRITER_FETCH, WRITER_LATCH = range(5)
"""States of `glintfpga.hdl.link.frame_writer`, in the order in which its source names them."""


class _Cycle:
    """One cycle: registers as bit vectors, by the ends of their names."""

    def __init__(self, frame: Frame, logic: BitVectorLogic, registers: Registers):
        self.frame, self.logic, self._registers = frame, logic, registers

    def __getitem__(self, name: str) -> BitVector:
        return [self.frame[net] for net in _register(self._registers, name)]

    def bit(self, name: str) -> int:
        (literal,) = self[name]
        return literal


class _NoSuchRegister(Exception):
    """No register, or more than one, has this name."""


def _register(registers: Registers, name: str) -> Sequence[int]:
    """The register of this name, to which Amaranth may have appended a number."""
    wanted = re.compile(rf"(.*\.)?{re.escape(name)}(\$\d+)?")
    found = [nets for full, nets in registers.items() if wanted.fullmatch(full)]
    if len(found) != 1:
        raise _NoSuchRegister(name)
    return found[0]


@dataclass(frozen=True)
class _Ring:
    read_address: str
    size: int
    """Bytes, in block RAMs of `BLOCK_BYTES`."""
    idle: Callable[[_Cycle, int], int]
    """The output of the block RAM of this number is not used."""
    invariants: Callable[[_Cycle, int, BitVector], Iterator[int]]
    """Invariants, given a cycle, the literal ``written`` and the byte's address."""


def _receiver_idle(now: _Cycle, block: int) -> int:
    return -now.bit("link.receiver.reading")


def _receiver(now: _Cycle, written: int, place: BitVector) -> Iterator[int]:
    """Invariants of `glintfpga.hdl.link.stream_receiver` and `glintfpga.hdl.link.framing`."""
    logic = now.logic
    any_of, number, equal, ule = logic.any_of, logic.constant, logic.equal, logic.ule
    expected, position = now["link.receiver.expected"], now["link.receiver.position"]
    writes_at, over = now["link.receiver.place"], now["link.receiver.over"]
    count, pending = now["link.frames.count"], now["link.frames.payload_valid"]
    take, clear = now.bit("link.frames.data_frame"), now.bit("link.frames.hello")
    start = now.bit("link.frames.start")

    # Until the byte is written no pointer is past it, so none has wrapped.
    yield any_of([written, ule(expected, place)])
    yield any_of([written, ule(writes_at, place)])
    yield any_of([written, ule(position, expected)])
    for one in ("reading", "o__valid"):
        shows = now.bit(f"link.receiver.{one}")
        yield any_of([written, -shows, -ule(expected, position)])
    yield any_of([-now.bit("link.receiver.reading"), -now.bit("link.receiver.o__valid")])

    # All bytes of a frame after its header are stored from ``expected`` on, except ``over`` bytes
    # without room. If these are more than the CRC, the frame is not accepted.
    lost = ule(number(CRC_BYTES + 1), over)
    behind = logic.plus(writes_at, over)
    has_body = ule(number(1 + DATA_HEADER), count)
    came = logic.plus(expected, logic.masked(has_body, count))
    stored = logic.plus(behind, pending, logic.masked(has_body, number(1 + DATA_HEADER)))
    yield any_of([written, ule(count, number(1)), start, lost, equal(stored, came)])
    end = logic.plus(expected, now["link.frames.length"], number(CRC_BYTES))
    yield any_of([written, -take, lost, ule(end, behind)])

    # The frame's verdict comes with its end, which clears ``count``.
    yield ule(count, number(1 + DATA_HEADER + TO_DEVICE_PAYLOAD + CRC_BYTES))
    yield any_of([-start, equal(count, number(2)), equal(count, number(0))])
    yield any_of([-take, equal(count, number(0))])
    yield any_of([-clear, equal(count, number(0))])
    yield any_of([-now.bit("link.frames.ending"), -pending[0]])


def _sender_idle(now: _Cycle, block: int) -> int:
    logic = now.logic
    reads = logic.equal(now["link.writer.fsm_state"], logic.constant(WRITER_LATCH))
    shown = logic.equal(now["link.sender.ring_shown"], logic.constant(block))
    return logic.any_of([-reads, -shown, now.bit("link.writer.is_hello")])


def _sender(now: _Cycle, written: int, place: BitVector) -> Iterator[int]:
    """Invariants of `glintfpga.hdl.link.message_writer`, `glintfpga.hdl.link.stream_sender` and
    `glintfpga.hdl.link.frame_writer`.
    """
    logic = now.logic
    any_of, plus, equal, ule = logic.any_of, logic.plus, logic.equal, logic.ule
    committed, oldest = now["message_writer.ring__committed"], now["link.sender.write__oldest"]
    flight, quiet = now["link.sender.flight"], now["link.sender.quiet"]

    # Until the byte is written no pointer is past it, so none has wrapped.
    yield any_of([written, ule(now["message_writer.place"], place)])
    yield any_of([written, ule(committed, now["message_writer.place"])])
    yield any_of([written, ule(plus(oldest, flight), committed)])

    # Limits of the next frame, computed in three pipeline stages.
    held, (*rest, below) = now["link.sender.held"], now["link.sender.rest"]
    yield any_of([written, -quiet[0], ule(plus(oldest, held), committed)])
    yield any_of([written, -quiet[0], equal(now["link.sender.offset"], plus(oldest, flight))])
    yield any_of([written, -quiet[1], ule(plus(oldest, now["link.sender.limit"]), committed)])
    yield any_of([written, -quiet[2], below, ule(plus(oldest, flight, rest), committed)])
    yield any_of([quiet[0], -any_of(quiet[1:])])

    yield from _acks(now, written)

    # The frame in transmission contains committed bytes only.
    state, left = now["link.writer.fsm_state"], now["link.writer.left"]
    end = plus(now["link.writer.address"], left)
    waits = equal(state, logic.constant(WRITER_IDLE))
    yield any_of([written, waits, now.bit("link.writer.is_hello"), ule(end, committed)])
    for reads in (WRITER_FETCH, WRITER_LATCH):
        yield any_of([-equal(state, logic.constant(reads)), any_of(left)])


def _acks(now: _Cycle, written: int) -> Iterator[int]:
    """Invariants of acks: two pipeline stages, and no two frames end that close together."""
    logic = now.logic
    any_of, plus, equal, ule = logic.any_of, logic.plus, logic.equal, logic.ule
    committed, oldest = now["message_writer.ring__committed"], now["link.sender.write__oldest"]
    first, second = now["link.sender.stages"]
    step, count = now["link.sender.step"], now["link.frames.count"]
    ack = now["link.frames.header"][40:56]
    verdict, clear = now.bit("link.frames.data_frame"), now.bit("link.frames.hello")
    yield any_of([written, -first, ule(plus(oldest, now["link.sender.held"]), committed)])
    yield any_of([written, -first, equal(plus(oldest, step)[: len(ack)], ack)])
    known = now.bit("link.sender.known")
    yield any_of([written, -second, -known, ule(plus(oldest, step), committed)])
    yield any_of([-verdict, equal(count, logic.constant(0))])
    yield any_of([-first, ule(count, logic.constant(1))])
    yield any_of([-second, ule(count, logic.constant(2))])
    strobes = (verdict, clear, first, second)
    for at, one in enumerate(strobes):
        for other in strobes[at + 1 :]:
            yield any_of([-one, -other])


RINGS = (
    _Ring("link.receiver.position", TO_DEVICE_RING, _receiver_idle, _receiver),
    _Ring("link.writer.address", TO_HOST_RING, _sender_idle, _sender),
)


def never_read_before_write(
    flat: FlatNetlist, power_up: Mapping[int, bool], *, registers: Registers
) -> frozenset[str]:
    """Names of the block RAMs of which it is proved that no byte is used before it is written.

    ``power_up`` has the values of all nets at power-up.
    """
    found = set()
    for ring in RINGS:
        try:
            blocks = range(-(-ring.size // BLOCK_BYTES))
            for ram in _block_rams(flat, registers, ring):
                # Which of the ring's blocks it is nobody tells; of another one it is not proved.
                if any(_is_proved(flat, registers, power_up, ram, ring, at) for at in blocks):
                    found.add(ram.name)
        except _NoSuchRegister:
            continue
    return frozenset(found)


def _block_rams(flat: FlatNetlist, registers: Registers, ring: _Ring) -> Iterator[Cell]:
    """The block RAMs of a ring: A writes, B reads at the ring's address."""
    address = tuple(_register(registers, ring.read_address))[:ADDRESS_BITS]
    for cell in flat.cells:
        if (
            cell.kind == "BSRAM"
            and cell.ports.get("ADB") == address
            and cell.parameters["WIDTH_A"] == cell.parameters["WIDTH_B"]
            and cell.ports["WREB"] == (LOW,)
            and cell.ports["CLKA"] == cell.ports["CLKB"] == (flat.clock,)
        ):
            yield cell


def _is_proved(
    flat: FlatNetlist,
    registers: Registers,
    power_up: Mapping[int, bool],
    ram: Cell,
    ring: _Ring,
    block: int,
) -> bool:
    """Whether no byte of this RAM is used before it is written, if it is that block of the ring."""
    formula = Formula()
    logic = BitVectorLogic(formula)
    now = Frame(formula, flat)
    place, written, stale = logic.free(ADDRESS_BITS), formula.new(), formula.new()
    byte = [*place, *logic.constant(block)]

    def pin(name: str) -> BitVector:
        return [now[net] for net in ram.ports[name]]

    writes = logic.all_of([*pin("CEA"), *pin("WREA"), logic.equal(pin("ADA"), place)])
    reads = logic.all_of([-written, logic.equal(pin("ADB"), place)])
    (enabled,) = pin("CEB")
    later = logic.any_of([written, writes]), formula.mux(enabled, stale, reads)

    def invariants(frame: Frame, written: int, stale: int) -> list[int]:
        cycle = _Cycle(frame, logic, registers)
        return [
            *ring.invariants(cycle, written, byte),
            logic.any_of([-stale, ring.idle(cycle, block)]),
        ]

    begin = invariants(now, written, stale)
    after = invariants(now.next_frame(), *later)
    first = [*now.in_state(power_up), -written, -stale]
    if not formula.solve(first) or not formula.solve(begin):
        raise InputError("there is no cycle to begin with: anything would follow from that")
    if formula.solve([*first, -logic.all_of(begin)]) or formula.solve(
        [*begin, -logic.all_of(after)]
    ):
        return False
    same = Equivalence(flat)
    idle = ring.idle(_Cycle(same.good, BitVectorLogic(same.formula), registers), block)
    writer, reader = ram.ports.get("DOA", ()), ram.ports["DOB"]
    return same.is_unobservable(writer, []) and same.is_unobservable((*writer, *reader), [idle])
