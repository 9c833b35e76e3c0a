# SPDX-License-Identifier: MIT
"""A small design with every primitive that a build of ours can use, and its bitstream."""

import json
import lzma
import random
from itertools import count
from pathlib import Path

import pytest
from amaranth.hdl import (
    Array,
    Cat,
    ClockDomain,
    ClockSignal,
    Elaboratable,
    Module,
    Mux,
    ResetSignal,
    Signal,
)
from amaranth.lib import io, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from glintfpga.boards.gowin import carry
from glintfpga.boards.gowin.pll import ClockGenerator
from glintfpga.boards.tangnano20k.board import TANGNANO20K
from glintfpga.boards.toolchain import GOWIN_PACK, NEXTPNR, YOSYS
from glintfpga.hdl.primitives.multiplier import Multiplier
from glintfpga.sim.gowin.decode.bitstream import decode
from glintfpga.sim.gowin.netlist.bitparallel import BitParallelSim

OUTPUTS = ("luts", "carries", "flip_flops", "lut_ram", "narrow", "wide", "mult18", "mult9")
CLOCK_MHZ = 54.0


class Everything(wiring.Component):
    """One output for each family: a digest of all that it has done so far."""

    def __init__(self):
        super().__init__({"inputs": In(3)} | {name: Out(1) for name in OUTPUTS})

    def elaborate(self, platform):
        m = Module()
        state = Signal(96, init=0x123456789ABCDEF011223344)
        taps = state[95] ^ state[93] ^ state[48] ^ state[46] ^ self.inputs[0]
        m.d.sync += state.eq(Cat(taps, state) ^ (self.inputs[1] << 40) ^ (self.inputs[2] << 77))
        results = {
            "luts": self._luts(m, state),
            "carries": self._carries(m, state),
            "flip_flops": self._flip_flops(m, state),
            "lut_ram": Cat(self._ram(m, state, 4, 16, "comb"), self._ram(m, state, 6, 16, "comb")),
            "narrow": Cat(
                self._ram(m, state, 8, 1024, "sync"),
                self._ram(m, state, 9, 256, "sync", writes=False),
                self._ram(m, state, 18, 512, "sync", readers=2),
                self._single(m, state),
            ),
            "wide": Cat(self._ram(m, state, 36, 512, "sync"), self._ram(m, state, 32, 64, "sync")),
            "mult18": self._product(m, state, 18, 13),
            "mult9": self._product(m, state, 9, 8),
        }
        # What comes out first is from before and during the reset, which a multiplier has not.
        warm = Signal(4)
        m.d.sync += warm.eq(warm + ~warm.all())
        for name, bits in results.items():
            digest = Signal(len(bits), name=f"digest_{name}")
            with m.If(warm.all()):
                m.d.sync += digest.eq(digest.rotate_left(1) ^ bits)
            m.d.comb += getattr(self, name).eq(digest.xor())
        return m

    def _luts(self, m, state):
        generator = random.Random(1)
        found = []
        for size, first in ((1, 3), (2, 5), (3, 17), (4, 21), (5, 30), (6, 34), (7, 50), (8, 60)):
            table = Array([generator.getrandbits(1) for _ in range(1 << size)])
            found.append(table[state[first : first + size]])
        # A wide mux of signals, which no table can hold.
        found.append(Array(list(state[20:52]))[state[70:75]])
        return Cat(found)

    def _carries(self, m, state):
        a, b, bit = state[:17], state[20:37], state[50]
        total, counter = Signal(18), Signal(9)
        m.d.sync += counter.eq(counter + bit)
        m.d.comb += total.eq(Mux(state[51], a - b, a + b))
        signed = a[:8].as_signed() >= b[:8].as_signed()
        return Cat(total, a + b + bit, a < b, a[:9] == counter, signed)

    def _flip_flops(self, m, state):
        found = []
        clear = Signal()
        m.d.sync += clear.eq(state[:3].all())
        m.d.comb += ResetSignal("cleared").eq(clear)
        for domain, init in (("sync", 0), ("sync", 1), ("cleared", 0), ("cleared", 1)):
            for at in range(3):
                flop = Signal(name=f"{domain}_{init}_{at}", init=init)
                with m.If(state[at] if at else 1):
                    m.d[domain] += flop.eq(state[5 * at + 7 * init])
                if at == 2:
                    with m.If(state[80]):
                        m.d[domain] += flop.eq(init)
                found.append(flop)
        falling = Signal(2)
        m.d.falling += falling.eq(falling + state[33])
        return Cat(found, falling)

    def _ram(self, m, state, width, depth, domain, *, readers=1, writes=True):
        generator = random.Random(width)
        words = [generator.getrandbits(width) for _ in range(depth)]
        store = memory.Memory(shape=width, depth=depth, init=words)
        m.submodules[f"ram_{width}_{depth}"] = store
        found = []
        for at in range(readers):
            read = store.read_port(domain=domain)
            m.d.comb += read.addr.eq(Cat(state[88], state[width + at :]))
            if domain == "sync":
                m.d.comb += read.en.eq(state[60 + at])
            found.append(read.data)
        if writes:
            write = store.write_port()
            # Never the address that is read: the lowest bit differs.
            m.d.comb += write.addr.eq(Cat(~state[88], state[width + 2 :]))
            m.d.comb += [write.data.eq(state[30:]), write.en.eq(state[44] & state[58])]
        return Cat(found)

    def _single(self, m, state):
        """One port, which either reads or writes."""
        m.submodules.single = store = memory.Memory(shape=8, depth=256, init=range(256))
        read, write = store.read_port(), store.write_port()
        m.d.comb += [read.addr.eq(state[70:]), write.addr.eq(state[70:])]
        m.d.comb += [read.en.eq(~state[11]), write.en.eq(state[11]), write.data.eq(state[23:])]
        return read.data

    def _product(self, m, state, a, b):
        m.submodules[f"multiplier_{a}"] = multiplier = Multiplier(a_width=a, b_width=b)
        m.d.comb += [multiplier.a.eq(state[3:]), multiplier.b.eq(state[41:])]
        return multiplier.p


class Bench(Elaboratable):
    """The design as RTL: three clock domains with one clock, given from outside."""

    def __init__(self):
        self.dut = Everything()
        self.domain = ClockDomain("sync")

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self.domain
        m.domains.cleared = ClockDomain(async_reset=True)
        m.domains.falling = ClockDomain(clk_edge="neg", reset_less=True)
        m.submodules.dut = self.dut
        return m


class Top(Elaboratable):
    """The design on the board's pins, with the PLL."""

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain()
        m.domains.cleared = ClockDomain(async_reset=True)
        m.domains.falling = ClockDomain(clk_edge="neg", reset_less=True)
        m.submodules.dut = dut = Everything()
        numbers = count()

        def buffer(direction, port):
            made = io.Buffer(direction, port)
            m.submodules[f"{direction}{next(numbers)}"] = made
            return made

        oscillator = buffer("i", platform.request("clk27", 0, dir="-"))
        m.submodules.clocks = ClockGenerator(
            oscillator=oscillator.i,
            input_hz=TANGNANO20K.clock_hz,
            output_hz=round(CLOCK_MHZ * 1e6),
            device=TANGNANO20K.chip_database,
        )
        for domain in ("cleared", "falling"):
            m.d.comb += ClockSignal(domain).eq(ClockSignal("sync"))
        uart = platform.request("uart", 0, dir={"rx": "-", "tx": "-"})
        pins = [uart.rx, *(platform.request("button", at, dir="-") for at in range(2))]
        m.d.comb += dut.inputs.eq(Cat(buffer("i", pin).i for pin in pins))
        leds = [platform.request("led", at, dir="-") for at in range(6)]
        for name, pin in zip(OUTPUTS, [*leds, uart.tx, platform.request("ws2812", 0, dir="-")]):
            m.d.comb += buffer("o", pin).o.eq(getattr(dut, name))
        return m


def rtl_trace(stimulus):
    """Outputs of the RTL, in the order of `OUTPUTS`, before each clock edge."""
    bench, trace = Bench(), []

    async def testbench(ctx):
        for cycle, value in enumerate(stimulus):
            # The reset of the board's top lasts two edges after the PLL has locked.
            ctx.set(bench.domain.rst, cycle < 2)
            ctx.set(bench.dut.inputs, value)
            trace.append(tuple(ctx.get(getattr(bench.dut, name)) for name in OUTPUTS))
            await ctx.tick()

    simulator = Simulator(bench)
    for domain in ("sync", "cleared", "falling"):
        simulator.add_clock(1e-6, domain=domain)
    simulator.add_testbench(testbench)
    simulator.run()
    return trace


PADS = (*(f"led_{at}__io" for at in range(6)), "uart_0__tx__io", "ws2812_0__io")
INPUTS = ("uart_0__rx__io", "button_0__io", "button_1__io")


def netlist_trace(netlist, stimulus, *, floating=0):
    """Outputs of a decoded netlist, likewise. LEDs are lit by 0, so those pins are inverted."""
    simulator, trace = BitParallelSim(netlist, clk_hz=CLOCK_MHZ * 1e6), []
    simulator.reset(floating=floating)
    for value in stimulus:
        for at, name in enumerate(INPUTS):
            simulator.poke(name, value >> at & 1)
        simulator.settle()
        trace.append(tuple(simulator.peek(name) ^ (name[:3] == "led") for name in PADS))
        simulator.clock()
    return trace


def build(top, folder, *, synth_opts="-family gw2a -nodsp", repair=True):
    """Synthesize, place and route, pack; returns the bitstream and the routed netlist."""
    plan = TANGNANO20K.platform().prepare(top, "top", emit_src=False, synth_opts=synth_opts)
    for name in ("top.il", "top.ys", "top.cst", "top.sdc"):
        text = plan.files[name]
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    YOSYS.run(["top.ys"], folder=folder, log=folder / "yosys.log")
    routed = folder / "top.pnr.json"
    NEXTPNR.run(
        [
            *("--device", TANGNANO20K.part, "--vopt", f"family={TANGNANO20K.chip_database}"),
            *("--vopt", "cst=top.cst", "--sdc", "top.sdc", "--seed", "1"),
            *("--json", "top.syn.json", "--write", routed.name),
        ],
        folder=folder,
        log=folder / "nextpnr.log",
    )
    netlist = json.loads(routed.read_text())
    if repair:
        carry.repair(netlist)
        routed.write_text(json.dumps(netlist))
    GOWIN_PACK.run(
        ["-d", TANGNANO20K.chip_database, "-o", "top.fs", *TANGNANO20K.pack_options, routed.name],
        folder=folder,
        log=folder / "pack.log",
    )
    return folder / "top.fs", netlist


CYCLES = 10_000


@pytest.fixture(scope="session")
def stimulus():
    generator = random.Random(5)
    return [generator.getrandbits(3) for _ in range(CYCLES)]


@pytest.fixture(scope="session")
def rtl(stimulus):
    """What the design shall do."""
    return rtl_trace(stimulus)


@pytest.fixture(scope="session")
def run_netlist():
    return netlist_trace


@pytest.fixture(scope="session")
def outputs():
    return OUTPUTS


@pytest.fixture(scope="session")
def bitstream(tmp_path_factory):
    """The design's bitstream as `build` made it; test_build.py makes it again."""
    path = tmp_path_factory.mktemp("decode") / "everything.fs"
    path.write_bytes(lzma.decompress(Path(__file__).with_name("everything.fs.xz").read_bytes()))
    return path


@pytest.fixture(scope="session")
def decoded(bitstream):
    return decode(bitstream, board=TANGNANO20K)


@pytest.fixture(scope="session")
def build_everything():
    return lambda folder, **options: build(Top(), folder, **options)
