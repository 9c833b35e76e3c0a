# SPDX-License-Identifier: MIT
"""The JSON netlist of yosys, as a `Netlist`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from glintfpga.quant.errors import InputError
from glintfpga.sim.gowin.netlist.netlist import HIGH, LOW, Cell, Netlist

__all__ = ["read_synthesis"]

_FIRST = 3
"""Yosys numbers its nets from 2, ours begin after `FLOATING`."""
_CONSTANTS = {"0": LOW, "1": HIGH, "x": LOW, "z": LOW}

# What a slice computes for (I0, I1) = 00, 10, 01, 11 in each mode of the ALU: propagate without
# I3, propagate with it, and the carry where nothing propagates. The netlist's own four bits.
_XOR, _XNOR, _I0, _I1, _NOT_I0, _AND, _NAND, _NONE, _ALL = 6, 9, 10, 12, 5, 8, 7, 0, 15
_ALU = {
    0: (_XOR, _XOR, _I0),
    1: (_XNOR, _XNOR, _I0),
    2: (_XNOR, _XOR, _I0),
    3: (_XNOR, _XNOR, _ALL),
    4: (_XNOR, _XNOR, _I0),
    5: (_XNOR, _XNOR, _I1),
    6: (_I0, _I0, _NONE),
    7: (_NOT_I0, _NOT_I0, _ALL),
    8: (_NOT_I0, _I0, _I0),
    9: (_AND, _NAND, _AND),
}
_MULT = 9
_DFF = re.compile(r"DFF(N?)([SRPC]?)(E?)")
_BSRAM = re.compile(r"(SP|DP|SDP)(X9)?B?")


def read_synthesis(document: Mapping[str, Any], top: str = "top") -> Netlist:
    """The flat module ``top`` of a JSON netlist.

    Cells and wires have the names that synthesis gave. Raises ``InputError`` for a cell
    of an unknown kind, or one that is used in a way that `Netlist` cannot express.
    """
    try:
        module = document["modules"][top]
        return _Reader(module).netlist()
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise InputError(
            f"the synthesized netlist lacks {error}: it is damaged, build it again"
        ) from None


class _Reader:
    def __init__(self, module: Mapping[str, Any]):
        self.module = module
        self.nets: dict[int, int] = {}
        for cell in module["cells"].values():
            if cell["type"] in ("GND", "VCC"):
                (bits,) = cell["connections"].values()
                self.nets[bits[0]] = LOW if cell["type"] == "GND" else HIGH

    def netlist(self) -> Netlist:
        buffers = {"IBUF", "OBUF", "TBUF", "GND", "VCC", "GSR"}
        pads = {name: tuple(port["bits"]) for name, port in self.module["ports"].items()}
        inputs, outputs = dict[str, tuple[int, ...]](), dict[str, tuple[int, ...]]()
        cells: list[Cell] = []
        for name, cell in self.module["cells"].items():
            kind = cell["type"]
            if kind not in buffers:
                cells.extend(self._cell(name, cell))
                continue
            wires = cell["connections"]
            if kind == "IBUF":
                inputs[_pad(pads, wires["I"][0])] = self._of(wires["O"])
            elif kind in ("OBUF", "TBUF"):
                outputs[_pad(pads, wires["O"][0])] = self._of(wires["I"])
        wires = {
            name: self._of(wire["bits"])
            for name, wire in self.module["netnames"].items()
            if not wire.get("hide_name", 0)
        }
        return Netlist(cells=tuple(cells), inputs=inputs, outputs=outputs, wires=wires)

    def _net(self, bit: int | str) -> int:
        if isinstance(bit, str):
            return _CONSTANTS[bit]
        return self.nets.get(bit, bit - 2 + _FIRST)

    def _of(self, bits: list[int | str]) -> tuple[int, ...]:
        return tuple(self._net(bit) for bit in bits)

    def _cell(self, name: str, cell: Mapping[str, Any]) -> Iterator[Cell]:
        kind = cell["type"]
        ports = {port: self._of(bits) for port, bits in cell["connections"].items()}
        values = {key: _value(text) for key, text in cell["parameters"].items()}
        if kind.startswith("LUT") and kind[3:] in "1234":
            yield _lut(name, ports, values["INIT"], int(kind[3:]))
        elif kind == "ALU":
            yield _alu(name, ports, values["ALU_MODE"])
        elif kind.startswith("MUX2"):
            yield Cell("MUX2", name, ports, {})
        elif match := _DFF.fullmatch(kind):
            yield _dff(name, ports, *match.groups())
        elif match := _BSRAM.fullmatch(kind):
            yield _bsram(name, ports, values, dual=match[1], nine=bool(match[2]))
        elif kind in ("MULT9X9", "MULT18X18"):
            yield _multiplier(name, ports, values, 9 if kind == "MULT9X9" else 18)
        elif kind.startswith("RAM16SDP"):
            yield _ram16(name, ports, values)
        elif kind == "rPLL":
            hz = int(float(cell["parameters"]["FCLKIN"]) * 1e6)
            hz = hz * (values["FBDIV_SEL"] + 1) // (values["IDIV_SEL"] + 1)
            kept = {port: ports[port] for port in ("CLKIN", "CLKOUT", "LOCK")}
            yield Cell("PLL", name, kept, {"FREQUENCY_HZ": hz})
        else:
            raise InputError(f"cell {name!r} is a {kind!r}, which the proof does not know")


def _pad(pads: Mapping[str, tuple[int, ...]], bit: int) -> str:
    return next(name for name, bits in pads.items() if bit in bits)


def _value(text: str) -> int:
    return int(text.replace("x", "0"), 2) if re.fullmatch("[01x]+", text) else 0


def _lut(name: str, ports: Mapping[str, tuple[int, ...]], table: int, size: int) -> Cell:
    nets = {f"I{i}": ports[f"I{i}"] if i < size else (LOW,) for i in range(4)}
    return Cell("LUT4", name, nets | {"F": ports["F"]}, {"INIT": table})


def _alu(name: str, ports: Mapping[str, tuple[int, ...]], mode: int) -> Cell:
    """A carry cell; C is tied high, so that the lowest four bits of the table are the carry alone.

    In mode MULT, a high I3 inverts the propagate term in yosys and in the packer's fuses, while
    the vendor's model ignores I3. So I3 must be low there.
    """
    if mode == _MULT and ports["I3"] != (LOW,):
        raise InputError(
            f"carry cell {name!r} multiplies with an I3 that is not low: the vendor's model takes "
            "no notice of it, the fuses invert"
        )
    without, with_i3, carry = _ALU[mode]
    nets = {"A": ports["I0"], "B": ports["I1"], "C": (HIGH,), "D": ports["I3"]}
    nets |= {port: ports[port] for port in ("CIN", "SUM", "COUT") if port in ports}
    return Cell("ALU", name, nets, {"INIT": with_i3 << 12 | without << 4 | carry})


def _dff(
    name: str, ports: Mapping[str, tuple[int, ...]], falling: str, control: str, enable: str
) -> Cell:
    port = {"S": "SET", "R": "RESET", "P": "PRESET", "C": "CLEAR", "": ""}[control]
    nets = {
        "D": ports["D"],
        "CLK": ports["CLK"],
        "CE": ports["CE"] if enable else (HIGH,),
        "SR": ports[port] if port else (LOW,),
        "Q": ports["Q"],
    }
    values = {
        "VALUE": control in ("S", "P") and control != "",
        "ASYNC": control in ("P", "C") and control != "",
        "NEGEDGE": bool(falling),
    }
    return Cell("DFF", name, nets, {key: int(value) for key, value in values.items()})


def _multiplier(
    name: str, ports: Mapping[str, tuple[int, ...]], values: Mapping[str, int], width: int
) -> Cell:
    _demand(name, ports, LOW, "ASEL", "BSEL")
    if values.get("ASIGN_REG") or values.get("BSIGN_REG"):
        raise InputError(f"multiplier {name!r} registers its signs, which the proof does not know")
    kept = ("A", "B", "ASIGN", "BSIGN", "CLK", "CE", "RESET", "DOUT")
    registers = {key: values[key] for key in ("AREG", "BREG", "PIPE_REG", "OUT_REG")}
    # MULT_RESET_MODE is a word: _value gives 0 for it, so that a reset in use is refused.
    _demand(name, ports, LOW, "RESET")
    nets = {port: ports[port] for port in kept}
    if not any(registers.values()):
        nets["CLK"] = (LOW,)  # it drives nothing, and no fuse connects it
    return Cell("MULT", name, nets, {"WIDTH": width, **registers, "ASYNC": 0})


def _ram16(name: str, ports: Mapping[str, tuple[int, ...]], values: Mapping[str, int]) -> Cell:
    nets = {port: ports[port] + (LOW,) * (4 - len(ports[port])) for port in ("DI", "WAD", "RAD")}
    nets |= {port: ports[port] for port in ("WRE", "CLK", "DO")}
    tables = {f"INIT_{i}": values.get(f"INIT_{i}", 0) for i in range(4)}
    return Cell("RAM16", name, nets, tables)


def _bsram(
    name: str,
    ports: Mapping[str, tuple[int, ...]],
    values: Mapping[str, int],
    *,
    dual: str,
    nine: bool,
) -> Cell:
    """SP uses port A alone; SDP writes by A and reads by B."""
    sides = "A" if dual == "SP" else "AB"
    nets: dict[str, tuple[int, ...]] = {}
    parameters = {"WIDTH_B": 0, "MODE_B": 0}
    if dual == "SP":
        ports = {f"{port}A" if port != "BLKSEL" else "BLKSELA": net for port, net in ports.items()}
    for number, side in enumerate(sides):
        width = values["BIT_WIDTH" if dual == "SP" else f"BIT_WIDTH_{number}"]
        suffix = {"SP": "", "SDP": None, "DP": str(number)}[dual]
        _demand(name, ports, LOW, f"BLKSEL{side}", f"RESET{side}")
        if values.get(f"READ_MODE{suffix or ''}"):
            raise InputError(f"block RAM {name!r} has an output register, which no build uses")
        parameters[f"WIDTH_{side}"] = width
        parameters[f"MODE_{side}"] = 0 if suffix is None else values[f"WRITE_MODE{suffix}"]
        nets |= _bsram_port(name, ports, side, width, dual)
    return Cell("BSRAM", name, nets, parameters | {"INIT": _contents(values, nine)})


def _bsram_port(
    name: str, ports: Mapping[str, tuple[int, ...]], side: str, width: int, dual: str
) -> dict[str, tuple[int, ...]]:
    writes = {"SP": ports.get(f"WRE{side}"), "DP": ports.get(f"WRE{side}")}.get(
        dual, (HIGH,) if side == "A" else (LOW,)
    )
    assert writes is not None
    skip = {8: 3, 9: 3, 16: 4, 18: 4, 32: 5, 36: 5}[width]
    address = ports[f"AD{side}"]
    # The lowest address bits of a wide port are its byte enables: all bytes must be enabled
    # together.
    enabled = {*writes, *ports[f"CE{side}"], HIGH, LOW}
    if writes != (LOW,) and width > 9 and not set(address[: width // 8]) <= enabled:
        raise InputError(f"block RAM {name!r} writes single bytes, which no build does")
    nets = {f"CLK{side}": ports[f"CLK{side}"], f"CE{side}": ports[f"CE{side}"]}
    nets |= {f"WRE{side}": writes, f"AD{side}": address[skip:]}
    if writes != (LOW,):
        data = ports["DI" if dual == "SDP" else f"DI{side}"]
        nets[f"DI{side}"] = data[:width]
    if dual != "SDP" or side == "B":
        nets[f"DO{side}"] = ports["DO" if dual == "SDP" else f"DO{side}"][:width]
    return nets


def _contents(values: Mapping[str, int], nine: bool) -> int:
    """INIT_RAM_00 to 3F, 288 bits each (256 without ninth bits), as bytes of nine bits."""
    rows = [values[f"INIT_RAM_{row:02X}"] for row in range(64)]
    width = 288 if nine else 256
    whole = sum(row << at * width for at, row in enumerate(rows))
    if nine:
        return whole
    return sum((whole >> 8 * byte & 255) << 9 * byte for byte in range(2048))


def _demand(name: str, ports: Mapping[str, tuple[int, ...]], wanted: int, *pins: str) -> None:
    for pin in pins:
        if set(ports.get(pin, ())) - {wanted}:
            raise InputError(f"cell {name!r} uses its pin {pin}, which the proof does not know")
