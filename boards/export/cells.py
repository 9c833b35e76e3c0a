# SPDX-License-Identifier: MIT
"""The chip's primitives as empty Verilog modules, so that lint and other readers know their ports.

Names, widths and parameters are those that the netlist uses; what a primitive does stands in the
vendor's documents and in the libraries of the tools.
"""

import re

__all__ = ["black_boxes"]

_OUTPUTS = frozenset({"CLKOUT", "DOUT", "F", "LOCK", "O"})
"""Ports that drive; a primitive's other ports are inputs."""

_LINE = re.compile(
    # Modules of the gateware have a dot in their names.
    r"(?P<module>module )|  wire (?:.*?width (?P<width>\d+) )?.*?(?P<wire>\\\S+)$"
    r"|  cell \\(?P<cell>\w+) |    parameter \\(?P<parameter>\w+) "
    r"|    connect \\(?P<port>\w+) (?P<signal>.*)$"
)
_PART = re.compile(r"(\d+)'[01xz-]+|(\\\S+)(?: \[(\d+)(?::(\d+))?\])?")


def black_boxes(rtlil: str) -> str:
    """Verilog text with a module for each primitive that the RTLIL has an instance of."""
    ports: dict[str, dict[str, int]] = {}
    parameters: dict[str, dict[str, None]] = {}
    wires: dict[str, int] = {}
    cell: str | None = None
    for line in rtlil.splitlines():
        if line == "  end":
            cell = None
        elif (found := _LINE.match(line)) is None:
            continue
        elif found["module"]:
            wires = {}
        elif found["wire"]:
            wires[found["wire"]] = int(found["width"] or 1)
        elif found["cell"]:
            cell = found["cell"]
            ports.setdefault(cell, {})
            parameters.setdefault(cell, {})
        elif cell and found["parameter"]:
            parameters[cell][found["parameter"]] = None
        elif cell and found["port"]:
            ports[cell][found["port"]] = _width(found["signal"], wires)
    modules = [_module(name, ports[name], list(parameters[name])) for name in sorted(ports)]
    return _TITLE + "\n".join(modules)


_TITLE = """\
// The chip's primitives that top.v has instances of, without what they do: their outputs are 0.
// For lint, not for synthesis or simulation, whose tools bring their own.

"""


def _width(signal: str, wires: dict[str, int]) -> int:
    """Bits of a signal: constants, wires and parts of them, one or many in braces."""
    total = 0
    for constant, wire, first, last in _PART.findall(signal):
        if constant:
            total += int(constant)
        elif first:
            total += 1 + (int(first) - int(last) if last else 0)
        else:
            total += wires[wire]
    return total


def _module(name: str, ports: dict[str, int], parameters: list[str]) -> str:
    declared = [
        f"{'output' if port in _OUTPUTS else 'input'} "
        f"{f'[{width - 1}:0] ' if width > 1 else ''}{port}"
        for port, width in ports.items()
    ]
    given = [f"parameter {parameter} = 0" for parameter in parameters]
    head = f"module {name} {f'#({_listed(given)}) ' if given else ''}({_listed(declared)});"
    # Icarus warns of an output that nothing drives.
    driven = [f"  assign {port} = 0;\n" for port in ports if port in _OUTPUTS]
    return f"(* blackbox *)\n{head}\n{''.join(driven)}endmodule\n"


def _listed(parts: list[str]) -> str:
    return "\n  " + ",\n  ".join(parts) + "\n"
