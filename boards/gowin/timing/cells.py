# SPDX-License-Identifier: MIT
"""Cells: which pins start a path, which end one, and which pass one on.

Every type of cell that the router can place is listed here or refused, so that nothing is left
out silently. A pin of a cell is on a wire, found as the router found it: by the place of the
cell and the names of its pins there.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from glintfpga.boards.gowin.timing.delays import Assumptions, Delay, Delays
from glintfpga.boards.gowin.timing.nets import wire_at
from glintfpga.boards.gowin.wires import Wire
from glintfpga.quant.errors import InputError

__all__ = ["KINDS", "End", "Pins", "Start", "Through", "ends_of", "kind_of", "starts_of", "through"]

KINDS = ("register", "memory", "multiplier", "pad", "clock generator")
"""Kinds of cells where paths start and end."""

_LUT = re.compile(r"LUT[1-4]")
_REGISTER = re.compile(r"DFF[SRPC]?E?")
_IN_SLICES = re.compile(r"LUT[1-4]|ALU|DFF\w*")
_MEMORY = re.compile(r"SP|SPX9|SDP|SDPX9|SDPB|SDPX9B|DP|DPX9|DPB|DPX9B")
_MULTIPLIER = re.compile(r"MULT(9X9|18X18)")
_PAD = re.compile(r"[IOT]BUF|IOBUF")
# These carry no data: clock buffers, constants, parts of a multiplier that the tool reserves.
_SILENT = re.compile(r"BUFG|GSR|GOWIN_GND|GOWIN_VCC|DUMMY_CELL")
_SET_RESET = {"SET", "RESET"}
_ASYNCHRONOUS = {"PRESET", "CLEAR"}

Cell = Mapping[str, Any]


@dataclass(frozen=True)
class Start:
    """An output that follows the clock."""

    port: str
    delay: Delay


@dataclass(frozen=True)
class End:
    """An input that the clock samples: when it has to be there, and how long it has to stay."""

    port: str
    setup: float
    hold: float | None


@dataclass(frozen=True)
class Through:
    """An output that follows an input."""

    source: str
    target: str
    delay: Delay


def kind_of(cell: Cell) -> str | None:
    """One of KINDS; None for cells without a clock."""
    name = cell["type"]
    if _REGISTER.fullmatch(name):
        return "register"
    if _MEMORY.fullmatch(name) or name == "RAM16SDP4":
        return "memory"
    if _MULTIPLIER.fullmatch(name):
        return "multiplier"
    if _PAD.fullmatch(name):
        return "pad"
    if name == "rPLL":
        return "clock generator"
    if _LUT.fullmatch(name) or _SILENT.fullmatch(name) or name == "ALU":
        return None
    raise InputError(f"static timing has no delays for a cell of type {name!r}")


def _ports(cell: Cell, direction: str) -> Iterator[str]:
    for port, side in cell["port_directions"].items():
        if side == direction and cell["connections"].get(port):
            yield port


def starts_of(cell: Cell, delays: Delays, assumed: Assumptions) -> Iterator[Start]:
    """Outputs of a clocked cell."""
    kind, name = kind_of(cell), cell["type"]
    for port in _ports(cell, "output"):
        if kind == "register":
            yield Start(port, delays.of("dff", "clk_qpos"))
        elif name == "RAM16SDP4":
            yield Start(port, delays.of("sram", "clk_do"))
        elif kind == "memory":
            yield Start(port, delays.of("bram", _memory_output(cell, port)))
        elif kind == "multiplier" and port.startswith("DOUT"):
            if (delay := _product_delay(cell, assumed)) is not None:
                yield Start(port, Delay(delay, 0.0))
        elif kind == "pad" and port == "O" and name in ("IBUF", "IOBUF"):
            yield Start(port, Delay(assumed.pad, 0.0))
        elif kind == "clock generator" and port == "LOCK":
            yield Start(port, Delay(0.0, 0.0))


def _memory_output(cell: Cell, port: str) -> str:
    """Key of the table: with or without the output register, which READ_MODE says."""
    parameters = cell["parameters"]
    side = "0" if port.startswith("DOA") or "READ_MODE" in parameters else "1"
    mode = parameters.get("READ_MODE", parameters.get(f"READ_MODE{side}", "0"))
    if int(mode, 2):
        raise InputError(
            "static timing does not support output registers of block RAM (READ_MODE 1): this "
            "chip's are faulty, use flip-flops"
        )
    single = cell["type"].startswith("SP")
    return (
        "clk_do_bypass"
        if single
        else "clka_doa_bypass"
        if port.startswith("DOA")
        else ("clkb_dob_bypass")
    )


def _registers(cell: Cell, *names: str) -> bool:
    return any(int(cell["parameters"].get(name, "0"), 2) for name in names)


def _product_delay(cell: Cell, assumed: Assumptions) -> float | None:
    """From the clock to the product; None where nothing in the multiplier is clocked."""
    if _registers(cell, "OUT_REG"):
        return assumed.multiplier_clock_to_out
    if _registers(cell, "PIPE_REG", "AREG", "BREG"):
        return assumed.multiplier_clock_to_out + assumed.multiplier
    return None


def ends_of(cell: Cell, delays: Delays, assumed: Assumptions) -> Iterator[End]:
    """Inputs of a clocked cell, without its clocks."""
    kind = kind_of(cell)
    for port in _ports(cell, "input"):
        if kind == "register":
            if (pair := _register_input(port)) is not None:
                yield End(port, *_pair(delays, "dff", *pair))
        elif cell["type"] == "RAM16SDP4":
            if name := _lut_ram_input(port):
                yield End(port, *_pair(delays, "sram", f"{name}_set", f"{name}_hold"))
        elif kind == "memory":
            if memory_pin := _memory_input(cell, port):
                yield End(port, *_pair(delays, "bram", f"{memory_pin}_set", f"{memory_pin}_hold"))
        elif kind == "multiplier" and re.fullmatch(r"[AB]\d+|CE|RESET", port):
            setup = assumed.multiplier_setup
            if not _registers(cell, f"{port[0]}REG", "PIPE_REG"):
                setup += assumed.multiplier
            if _registers(cell, "AREG", "BREG", "PIPE_REG", "OUT_REG"):
                yield End(port, setup, None)
        elif kind == "pad" and port in ("I", "OEN") and cell["type"] != "IBUF":
            yield End(port, assumed.pad, None)


def _pair(delays: Delays, group: str, setup: str, hold: str) -> tuple[float, float]:
    return delays.of(group, setup).longest, delays.of(group, hold).longest


def _register_input(port: str) -> tuple[str, str] | None:
    if port == "D":
        return "di_clksetpos", "di_clkholdpos"
    if port == "CE":
        return "ce_clksetpos", "ce_clkholdpos"
    if port in _SET_RESET:
        return "lsr_clksetpos_syn", "lsr_clkholdpos_syn"
    if port in _ASYNCHRONOUS:
        return "lsr_clksetpos_asyn", "lsr_clkholdpos_asyn"
    return None


def _lut_ram_input(port: str) -> str | None:
    match = re.fullmatch(r"(DI|WRE|WAD|CE)(?:\[(\d)\])?", port)
    if match is None or match[1] == "CE":  # no number for CE, which the tools tie high
        return None
    return f"clk_wad{match[2]}" if match[1] == "WAD" else f"clk_{match[1].lower()}"


def _memory_input(cell: Cell, port: str) -> str | None:
    """Key of the table for an input of a block RAM, such as ``clka_ada``."""
    match = re.fullmatch(r"(AD|DI|BLKSEL|CE|OCE|WRE|RESET)([AB]?)(\d*)", port)
    if match is None:
        return None
    signal, side, _ = match.groups()
    if cell["type"].startswith("SP"):
        return f"clk_{signal.lower()}"
    if not side:  # a simple dual port writes by A and reads by B
        return {"DI": "clka_di", "OCE": "clkb_oce"}.get(signal)
    return (
        f"clk{side.lower()}_{signal.lower()}{side.lower()}"
        if signal != "BLKSEL"
        else (f"clk{side.lower()}_blksel")
    )


_ALU_PINS = {"I0": "a", "I1": "b", "I3": "d", "CIN": "fci"}
_LUT_PINS = {"I0": "a_f", "I1": "b_f", "I2": "c_f", "I3": "d_f"}


def through(cell: Cell, delays: Delays, assumed: Assumptions) -> Iterator[Through]:
    """What a cell passes on without a clock."""
    name = cell["type"]
    inputs, outputs = list(_ports(cell, "input")), list(_ports(cell, "output"))
    for source in inputs:
        for target in outputs:
            if _LUT.fullmatch(name):
                yield Through(source, target, delays.of("lut", _LUT_PINS[source]))
            elif name == "ALU" and source in _ALU_PINS and target in ("SUM", "COUT"):
                yield Through(source, target, delays.of("alu", _alu_arc(source, target)))
            elif name == "RAM16SDP4" and (match := re.fullmatch(r"RAD\[(\d)\]", source)):
                yield Through(source, target, delays.of("sram", f"rad{match[1]}_do"))
            elif _MULTIPLIER.fullmatch(name) and re.fullmatch(r"[AB]\d+", source):
                if target.startswith("DOUT") and not _registers(
                    cell, f"{source[0]}REG", "PIPE_REG", "OUT_REG"
                ):
                    yield Through(source, target, Delay(assumed.multiplier, 0.0))


def _alu_arc(source: str, target: str) -> str:
    pin = _ALU_PINS[source]
    if target == "COUT":
        return "fci_fco" if pin == "fci" else f"{pin}0_fco"
    return "fci_f0" if pin == "fci" else f"{pin}_f"


class Pins:
    """Wires of the pins of cells."""

    def __init__(self, delays: Delays):
        self.delays = delays

    def wire(self, cell: Cell, port: str) -> Wire | None:
        """The node that a pin is on; None for one that the switches do not reach (carries)."""
        place = str(cell["attributes"].get("NEXTPNR_BEL", ""))
        tile, _, bel = place.partition("/")
        number = re.search(r"\d+$", bel)
        name: str | None
        slot = number[0] if number else ""
        if not slot and _IN_SLICES.fullmatch(cell["type"]):
            raise ValueError(f"a {cell['type']} is at {place!r}")
        if _LUT.fullmatch(cell["type"]) or cell["type"] == "ALU":
            letter = {"I0": "A", "I1": "B", "I2": "C", "I3": "D"}.get(port)
            name = f"{letter}{slot}" if letter else None
        elif kind_of(cell) == "register":
            name = self._register_pin(int(slot), port)
        elif cell["type"] == "RAM16SDP4":
            name = self._lut_ram_pin(port)
        else:
            name = self._block_pin(cell, tile, bel, port)
        return None if name is None else wire_at(self.delays, tile, name)

    @staticmethod
    def _register_pin(number: int, port: str) -> str:
        if port == "D":
            return f"XD{number}"
        return f"{ {'CE': 'CE', 'CLK': 'CLK'}.get(port, 'LSR') }{number // 2}"

    @staticmethod
    def _lut_ram_pin(port: str) -> str:
        """It takes a tile; a read address comes to four of its LUTs, of which one is timed."""
        match = re.fullmatch(r"(DI|WAD|RAD)\[(\d)\]", port)
        if match is None:
            return {"WRE": "LSR2", "CE": "CE2"}.get(port, "CLK2")
        return "ABCD"[int(match[2])] + {"DI": "5", "WAD": "4", "RAD": "0"}[match[1]]

    def _block_pin(self, cell: Cell, tile: str, bel: str, port: str) -> str | None:
        match = re.match(r"X(\d+)Y(\d+)$", tile)
        if match is None:
            return None
        if kind_of(cell) == "multiplier" and port in ("CLK", "CE", "RESET"):
            # A macro has four of each; an attribute says which.
            port += str(int(cell["attributes"].get(port, "0"), 2))
        bels = self.delays.database[int(match[2]), int(match[1])].bels
        block = bels.get(bel) or bels.get(bel.rstrip("0123456789"))
        if block is None:
            return None
        ports: Mapping[str, str] = block.portmap
        return ports.get(port) or ports.get({"OEN": "OE"}.get(port, port))
