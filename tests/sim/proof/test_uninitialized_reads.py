# SPDX-License-Identifier: MIT
"""The rings of the real link, synthesized: shown for the good one, not for one with a fault."""

import json
import re
from functools import partial

import pytest
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring

from glintfpga.boards.toolchain import YOSYS
from glintfpga.hdl.link import link, message_writer
from glintfpga.sim.gowin.equivalence.bitvector import BitVectorLogic
from glintfpga.sim.gowin.equivalence.cnf import Formula
from glintfpga.sim.gowin.faults.patches import SetState
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Cell, Netlist
from glintfpga.sim.gowin.netlist.synthesis import read_synthesis
from glintfpga.sim.proof import uninitialized_reads
from glintfpga.sim.proof.uninitialized_reads import never_read_before_write
from support.formal.planted_fault import with_fault

SCRIPT = (
    "read_rtlil top.il; proc; flatten; opt_clean -purge; "
    "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:CLK_ENABLE=1 %i; "
    "synth_gowin -family gw2a -nowidelut -top top -json top.json"
)
INPUTS = ("tx_idle", "block_hello", "core_busy")
OUTPUTS = ("baud", "hello_active", "retry", "dropped")


def ends(parts, masked=True):
    """The link and the writer of answers, joined as in `glintfpga.hdl.service.service`; and its
    ports."""
    m = Module()
    m.domains.sync = domain = ClockDomain(reset_less=True)
    m.submodules.link = ends = link.Link(clk_hz=54_000_000)
    writer = parts.get("MessageWriter", message_writer.MessageWriter)()
    m.submodules.message_writer = ResetInserter(ends.hello)(writer)
    wiring.connect(m, writer.ring, ends.ring)
    m.d.comb += [writer.tick_ms.eq(ends.tick_ms), writer.long.eq(ends.long)]
    # A reader takes the byte only when it is valid, if ``masked``. No register is a port itself:
    # it would lose its name.
    veil = Signal()
    byte = Mux(ends.o.valid | (not masked), ends.o.payload, 0)
    said = [
        byte,
        ends.o.valid,
        ends.tx.valid,
        ends.tx.payload,
        ends.switch.ready,
        writer.message.body.ready,
    ]
    said += [ends.info.address, ends.info.enable, *(getattr(ends, name) for name in OUTPUTS)]
    seen = [Signal(len(value), name=f"out{at}") for at, value in enumerate(said)]
    m.d.comb += [port.eq(Mux(veil, ~value, value)) for port, value in zip(seen, said, strict=True)]
    heard = [ends.o.ready, ends.tx.ready, ends.switch.valid, ends.switch.payload]
    heard += [writer.message.body.valid, writer.message.body.payload.as_value()]
    heard += [writer.message.op, writer.close]
    heard += [ends.rx.valid, ends.rx.data, ends.rx.error, ends.info.data, ends.info_length]
    return m, [domain.clk, veil, *heard, *(getattr(ends, name) for name in INPUTS), *seen]


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """Names of the rings of which it is shown, given what replaces parts of the design."""

    def show(masked=True, **parts):
        for name in parts.keys() - {"MessageWriter"}:
            monkeypatch.setattr(link, name, parts[name])
        module, ports = ends(parts, masked)
        text = rtlil.convert(module, ports=ports, name="top", emit_src=False)
        (tmp_path / "top.il").write_text(text)
        (tmp_path / "top.ys").write_text(SCRIPT)
        YOSYS.run(["top.ys"], folder=tmp_path, log=tmp_path / "log")
        netlist = read_synthesis(json.loads((tmp_path / "top.json").read_text()))
        sim = BitParallelSim(netlist, clk_hz=54e6)
        sim.reset()
        held = {net for cell in netlist.cells for net in cell.ports.get("Q", ())} | {LOW}
        wires = {name: nets for name, nets in netlist.wires.items() if held >= set(nets)}
        power_up = dict(enumerate(sim.values().tolist()))
        return never_read_before_write(sim.flat, power_up, registers=wires)

    return show


class Named:
    """A cycle in which every register of the gateware has any value."""

    def __init__(self, text):
        self.logic = BitVectorLogic(Formula())
        self.registers = {}
        for module, body in re.findall(r"^module \\top\.(\S+)$(.*?)^end$", text, re.M | re.S):
            # Of all signals, registers alone have an initial value.
            for width, name in re.findall(r"\\init .*\n  wire width (\d+) .*\\(\S+)$", body, re.M):
                self.registers[f"{module}.{name}"] = range(int(width))

    def __getitem__(self, name):
        return self.logic.free(len(uninitialized_reads._register(self.registers, name)))

    def bit(self, name):
        (literal,) = self[name]
        return literal


def test_the_gateware_has_all_registers_that_are_named():
    """Else nothing would be shown of a ring, without a word."""
    module, ports = ends({})
    now = Named(rtlil.convert(module, ports=ports, name="top", emit_src=False))
    for ring in uninitialized_reads.RINGS:
        assert now[ring.read_address] and ring.idle(now, 0)
        assert list(ring.invariants(now, now.logic.free(1)[0], now.logic.free(13)))


def test_the_good_link(shown):
    assert shown() == RECEIVER | SENDER


RECEIVER = {"link.receiver.ring.0.0"}
SENDER = {f"link.sender.ring{block}.0.0" for block in range(4)}
FAULTS = {
    "a frame that found no room is taken": (
        *("stream_receiver", "StreamReceiver", RECEIVER),
        *("expected) & (over <= CRC_BYTES)", "expected) & (over <= CRC_BYTES + 1)"),
    ),
    "a frame is written one place too far": (
        *("stream_receiver", "StreamReceiver", RECEIVER),
        *("place.eq(self.expected)", "place.eq(self.expected + 1)"),
    ),
    "a byte is handed over when there is none": (
        *("stream_receiver", "StreamReceiver", RECEIVER),
        *("with m.If(held != 0):", "with m.If(held < TO_DEVICE_RING):"),
    ),
    "a frame's length counts its CRC": (
        *("framing", "FrameReceiver", RECEIVER),
        *("count - (1 + DATA_HEADER + CRC_BYTES)", "count - (1 + DATA_HEADER)"),
    ),
    "more is sent than was written": (
        *("stream_sender", "StreamSender", SENDER),
        *("limit.eq(Mux(held < window, held, window))", "limit.eq(window)"),
    ),
    "an ack of bytes that are not kept": (
        *("stream_sender", "StreamSender", SENDER),
        *("known.eq(step <= held)", "known.eq(1)"),
    ),
    "a message ends behind its last byte": (
        *("message_writer", "MessageWriter", SENDER),
        *("self.ring.committed.eq(place)", "self.ring.committed.eq(place + 1)"),
    ),
    "a frame is read one place too far": (
        *("frame_writer", "FrameWriter", SENDER),
        *("address.eq(self.offset)", "address.eq(self.offset + 1)"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault(shown, fault):
    """Only the ring that it is about is not shown any more."""
    module, component, lost, right, wrong = FAULTS[fault]
    faulty = with_fault(f"glintfpga.hdl.link.{module}", right, wrong)
    assert shown(**{component: getattr(faulty, component)}) == (RECEIVER | SENDER) - lost


def test_a_reader_that_looks_at_bytes_that_are_none(shown):
    """It sees the byte before it: what the ring shows is latched only where there is one."""
    assert shown(masked=False) == RECEIVER | SENDER


CLK, WRITE, GO = 3, 4, 5
SEEN, READY, TX, OTHER = range(10, 14)
SAID_A, SAID_B = range(20, 29), range(30, 39)


def register(name, data, out, *, value=0):
    ports = {"D": (data,), "CLK": (CLK,), "CE": (HIGH,), "SR": (LOW,), "Q": (out,)}
    return Cell("DFF", name, ports, {"VALUE": value, "ASYNC": 0, "NEGEDGE": 0})


def lut(name, one, other, out, table):
    ports = {"I0": (one,), "I1": (other,), "I2": (LOW,), "I3": (LOW,), "F": (out,)}
    return Cell("LUT4", name, ports, {"INIT": table})


def small(*, ready=SEEN, seen=0, enable=HIGH, shows=SAID_B[0], also=LOW):
    """A memory of one place. ``seen``: it was written; one cycle later p shows it."""
    ports = {"CLKA": (CLK,), "CEA": (HIGH,), "WREA": (WRITE,), "DIA": (LOW,) * 9}
    ports |= {"CLKB": (CLK,), "CEB": (enable,), "WREB": (LOW,), "ADA": (LOW,) * 11}
    ports |= {"ADB": (LOW,) * 11, "DOA": tuple(SAID_A), "DOB": tuple(SAID_B)}
    sizes = {"WIDTH_A": 9, "MODE_A": 0, "WIDTH_B": 9, "MODE_B": 0, "INIT": 0}
    return Netlist(
        (
            Cell("BSRAM", "ram", ports, sizes),
            lut("keep", WRITE, SEEN, OTHER, 0xEEEE),
            register("seen", OTHER, SEEN, value=seen),
            register("ready", ready, READY),
            lut("p", shows, READY, TX, 0x8888),
        ),
        {"clk": (CLK,), "write": (WRITE,), "go": (GO,)},
        {"p": (TX,), "q": (also,)},
        {},
    )


RING = uninitialized_reads._Ring(
    read_address="address",
    size=1,
    idle=lambda now, block: -now.bit("ready"),
    invariants=lambda now, written, place: iter(
        [now.logic.any_of([-now.bit("seen"), written, *place])]  # of the one place there is
    ),
)
WIRES = {"seen": (SEEN,), "ready": (READY,), "address": (LOW,) * 11}


@pytest.mark.parametrize(
    "change, unread",
    [
        ({}, True),
        ({"enable": GO}, False),  # stale from long ago, when it is looked at
        ({"ready": OTHER}, False),  # read in the very cycle in which it is written
        ({"ready": HIGH}, False),
        ({"seen": 1}, False),  # what is stated is not so at power-up
        ({"shows": SAID_A[0]}, False),  # the port that writes shows what it has not written
        ({"also": SAID_B[3]}, False),  # looked at when it is idle
    ],
)
def test_one_place(monkeypatch, change, unread):
    monkeypatch.setattr(uninitialized_reads, "RINGS", (RING,))
    sim = BitParallelSim(small(**change), clk_hz=1e6)
    sim.reset()
    power_up = dict(enumerate(sim.values().tolist()))
    assert never_read_before_write(sim.flat, power_up, registers=WIRES) == (
        {"ram"} if unread else set()
    )


@pytest.mark.parametrize("change, noticed", [({}, False), ({"ready": OTHER}, True)])
def test_a_run_agrees(change, noticed):
    sim = BitParallelSim(small(**change), clk_hz=1e6)
    sim.reset(mutations=[partial(SetState("ram", 0, 1).apply, copy=1)])
    for write in (0, 0, 1, 0, 0):
        sim.poke("write", write)
        sim.clock()
    assert bool(sim.noticed) == noticed


@pytest.mark.quick
def test_without_names_nothing_is_shown():
    sim = BitParallelSim(small(), clk_hz=1e6)
    assert never_read_before_write(sim.flat, {}, registers=WIRES) == set()
