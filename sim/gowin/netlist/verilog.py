# SPDX-License-Identifier: MIT
"""A `Netlist` as one flat Verilog module, in a form that Icarus elaborates quickly.

Nets are scalars, LUTs are boolean expressions, and the registers of one clock share one ``always``
block. Only multipliers and memories are modules (``models.v``, or ``vendor_models.v``). With a
module ``INIT[{d, c, b, a}]`` for each LUT, Icarus needs time quadratic in their number: 282 s for
the whole chip, 2.5 s in this form. Memory contents come from files, since slices of an 18,432-bit
parameter are slow; the vendor's models have no such option.
"""

from collections.abc import Iterator, Mapping, Sequence

from glintfpga.sim.gowin.netlist.flat_netlist import MEMORY_BITS, FlatNetlist
from glintfpga.sim.gowin.netlist.netlist import FLOATING, HIGH, LOW, Cell, Netlist

__all__ = ["instance", "memory_files", "nets_of", "verilog_text"]

_MODULES = ("MULT", "RAM16", "BSRAM")
_IN_BUS = {"ADA": 11, "ADB": 11, "DIA": 36, "DIB": 36}
_DRIVEN = ("F", "SUM", "COUT", "Q", "DOUT", "DO", "DOA", "DOB")
_NAMES = {LOW: "1'b0", HIGH: "1'b1", FLOATING: "floating"}
_WORD = 64

_TOP = """
module chip(input clock, input [{inputs}:0] given, input floating);
{lines}
task show;
  $display("{format}", {words});
endtask
endmodule
"""


def verilog_text(netlist: Netlist, watched: Sequence[int], *, inline: bool = False) -> str:
    """Module ``chip``, whose task ``show`` prints the nets ``watched``.

    Port ``given`` has the inputs in order, LSB first; ``clock`` drives the common clock net; LOCK
    outputs of PLLs are high. ``show`` prints one line of hexadecimal words of 64 nets; the first
    net is the lowest bit of the first word. With ``inline``, contents of block RAMs are parameters
    instead of the files of `memory_files`.
    """
    flat = FlatNetlist(netlist)
    given = nets_of(netlist.inputs)
    driven = {flat.clock, *flat.locks, *given}
    driven |= {net for cell in flat.cells for pin in _DRIVEN for net in cell.ports.get(pin, ())}
    used = {net for cell in flat.cells for nets in cell.ports.values() for net in nets}
    starts = {
        cell.ports["Q"][0]: cell.parameters["VALUE"] for cell in flat.cells if cell.kind == "DFF"
    }
    lines = [
        f"reg n{net} = {starts[net]};" if net in starts else f"wire n{net};"
        for net in sorted((used | driven | set(watched)) - set(_NAMES))
    ]
    lines += [f"assign n{flat.clock} = clock;", *(f"assign n{net} = 1;" for net in flat.locks)]
    pads = [(at, net) for at, net in enumerate(given) if net != flat.clock]
    lines += [f"assign n{net} = given[{at}];" for at, net in pads]
    undriven = (used | set(watched)) - driven - set(_NAMES)
    lines += [f"assign n{net} = 0;" for net in sorted(undriven)]
    for number, cell in enumerate(flat.cells):
        lines += _combinational(cell) if cell.kind in ("LUT4", "ALU") else ()
        lines += [_module(cell, number, inline)] if cell.kind in _MODULES else ()
    lines += _registers([cell for cell in flat.cells if cell.kind == "DFF"])
    words = [_bus(watched[at : at + _WORD], _WORD) for at in range(0, len(watched), _WORD)]
    lines += [f"wire [{_WORD - 1}:0] word{at} = {word};" for at, word in enumerate(words)]
    return _TOP.format(
        inputs=max(len(given) - 1, 0),
        lines="\n".join(lines),
        format="%h" * len(words),
        words=", ".join(f"word{at}" for at in range(len(words))),
    )


def memory_files(netlist: Netlist) -> dict[str, str]:
    """The files that the block RAMs of `verilog_text` read: one line of hexadecimal per byte."""
    return {
        f"{instance(number)}.hex": "".join(
            f"{cell.parameters['INIT'] >> 9 * byte & 511:03x}\n" for byte in range(2048)
        )
        for number, cell in enumerate(FlatNetlist(netlist).cells)
        if cell.kind == "BSRAM"
    }


def instance(number: int) -> str:
    """Instance name of a cell; `number` is its index in `FlatNetlist.cells`."""
    return f"c{number}"


def nets_of(pads: Mapping[str, tuple[int, ...]]) -> list[int]:
    """The nets of pads, in order."""
    return [net for nets in pads.values() for net in nets]


def _combinational(cell: Cell) -> Iterator[str]:
    table = cell.parameters["INIT"]
    if cell.kind == "LUT4":
        inputs = [_pin(cell, f"I{bit}") for bit in range(4)]
        yield f"assign {_pin(cell, 'F')} = {_expression(table, inputs)};"
        return
    inputs = [_pin(cell, name) for name in "ABCD"]
    high, low = _expression(table, inputs), _expression(table & 15, inputs[:2])
    carry = _pin(cell, "CIN")
    if "SUM" in cell.ports:
        yield f"assign {_pin(cell, 'SUM')} = {high} ^ {carry};"
    if "COUT" in cell.ports:
        yield f"assign {_pin(cell, 'COUT')} = {high} ? {carry} : {low};"


def _expression(table: int, inputs: Sequence[str]) -> str:
    """A table of ``2 ** len(inputs)`` bits as an expression (Shannon expansion)."""
    if not inputs:
        return f"1'b{table}"
    half = 1 << (len(inputs) - 1)
    full = (1 << half) - 1
    off, on = table & full, table >> half
    *rest, name = inputs
    if off == on or name == _NAMES[LOW]:
        return _expression(off, rest)
    if name == _NAMES[HIGH]:
        return _expression(on, rest)
    if (off, on) in ((0, full), (full, 0)):
        return name if on else f"~{name}"
    if off == on ^ full:
        return f"({name} ^ {_expression(off, rest)})"
    if off in (0, full):
        other, gate = _expression(on, rest), f"~{name} |" if off else f"{name} &"
        return f"({gate} {other})"
    if on in (0, full):
        other, gate = _expression(off, rest), f"{name} |" if on else f"~{name} &"
        return f"({gate} {other})"
    return f"({name} ? {_expression(on, rest)} : {_expression(off, rest)})"


def _registers(cells: Sequence[Cell]) -> Iterator[str]:
    """An ``always`` block per clock, with a branch for each pair of reset and enable."""
    clocks: dict[str, dict[tuple[str, str], list[Cell]]] = {}
    for cell in cells:
        groups = clocks.setdefault(_event(cell), {})
        groups.setdefault((_pin(cell, "SR"), _pin(cell, "CE", HIGH)), []).append(cell)
    clocks.pop("", None)
    for event, groups in clocks.items():
        # At time 0 a clock changes from x to 0, which is a negedge.
        yield f"always @({event}) if ($time > 0) begin"
        for (reset, enable), members in groups.items():
            pairs = [(_pin(cell, "Q"), cell) for cell in members]
            values = " ".join(f"{q} <= {cell.parameters['VALUE']};" for q, cell in pairs)
            data = " ".join(f"{q} <= {_pin(cell, 'D')};" for q, cell in pairs)
            yield f"if ({reset}) begin {values} end else if ({enable}) begin {data} end"
        yield "end"


def _event(cell: Cell) -> str:
    """The sensitivity list of a register; constants have no edges."""
    edges = []
    if (clock := _pin(cell, "CLK")) not in _NAMES.values():
        edges.append(f"{'negedge' if cell.parameters['NEGEDGE'] else 'posedge'} {clock}")
    if cell.parameters["ASYNC"] and (reset := _pin(cell, "SR")) not in _NAMES.values():
        edges.append(f"posedge {reset}")
    return " or ".join(edges)


def _module(cell: Cell, number: int, inline: bool) -> str:
    own = {"INIT": f'"{instance(number)}.hex"'}
    if inline and cell.kind == "BSRAM":
        own = {"INIT": f"{MEMORY_BITS}'h{cell.parameters['INIT']:x}"}
    facts = {name: own.get(name, value) for name, value in cell.parameters.items()}
    values = ", ".join(f".{name}({value})" for name, value in facts.items() if name != "ASYNC")
    ports = {"CE": (HIGH,)} | dict(cell.ports) if cell.kind == "MULT" else cell.ports
    pins = ", ".join(
        f".{pin}({_bus(nets, _IN_BUS.get(pin, len(nets)))})" for pin, nets in ports.items() if nets
    )
    return f"GLINT_{cell.kind} #({values}) {instance(number)} ({pins});"


def _pin(cell: Cell, name: str, absent: int = LOW) -> str:
    return _net(cell.ports.get(name, (absent,))[0])


def _net(net: int) -> str:
    return _NAMES.get(net, f"n{net}")


def _bus(nets: Sequence[int], width: int) -> str:
    names = ["1'b0"] * (width - len(nets)) + [_net(net) for net in reversed(nets)]
    return "{" + ", ".join(names) + "}"
