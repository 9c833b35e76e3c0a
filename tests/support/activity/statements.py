# SPDX-License-Identifier: MIT
"""The C++ that CXXRTL writes for a flat design, read as statements.

CXXRTL writes one class. Its ``eval`` is a list of statements: combinational ones, which assign
values, and clocked ones, blocks behind ``if (posedge_p_clk)`` that assign the ``next`` of
registers and queue writes to memories. Bits are told apart, as a value may be driven in parts.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

__all__ = ["FlatDesign", "Statement", "in_order", "read_design"]

_CLASS = re.compile(r"struct (p_\w+) : public module \{\n")
_MEMBER = re.compile(
    r"^\t(?:/\*(\w+)\*/ )?(wire|value|memory)<(\d+)> (\w+)(?: \{ \d+u \})?;$", re.M
)
_LOCAL = re.compile(r"\tvalue<(\d+)> (\w+);")
_CLOCKED = "\tif (posedge_p_clk) {\n"
_ASSIGNMENT = re.compile(r"^\s*(?!if\b)(\S.*?) = (.*);$")
_ACCESS = re.compile(
    r"\b([A-Za-z_]\w*)(\.next|\.update\()?(?:\.curr)?(?:\.slice<(\d+)(?:,(\d+))?>)?"
)
_UNFINISHED = re.compile(r"\t(auto tmp|CXXRTL_ASSERT)")
"""Begins a combinational read of a memory, which ends with the next ``if``."""


@dataclass(eq=False)
class Statement:
    """One statement, or several that depend on each other in a circle.

    ``reads`` and ``writes``: bits by name of the value, register or memory (a memory has one bit).
    """

    text: str
    is_clocked: bool = False
    reads: dict[str, int] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)


@dataclass
class FlatDesign:
    """The text of a design in five parts, and what is declared in it, by name and width.

    ``head``, ``members``, ``methods`` and ``tail`` surround the body of ``eval``; ``values`` are
    combinational: ports, locals of ``eval``, and wires that no clock drives.
    """

    name: str
    head: str
    members: str
    methods: str
    tail: str
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    registers: dict[str, int] = field(default_factory=dict)
    memories: dict[str, int] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)
    wires: list[str] = field(default_factory=list)
    """Values for which CXXRTL keeps a ``curr`` and a ``next``: it saw a circle through them."""
    statements: list[Statement] = field(default_factory=list)

    def content(self, name: str) -> str:
        """What a value or a register holds, in C++."""
        return f"{name}.curr" if name in self.registers else name


def read_design(text: str) -> FlatDesign:
    """Read what ``write_cxxrtl`` wrote. Raises ``ValueError`` for what is no flat design with at
    most one clock, ``clk``, that rises."""
    if len(found := _CLASS.findall(text)) != 1:
        raise ValueError(f"the design has {len(found)} modules, not one; flatten it")
    (name,) = found
    begin = text.index(f"struct {name} : public module {{\n")
    end = text.index(f"}}; // struct {name}")
    eval_begin = text.index(f"bool {name}::eval(performer *performer) {{\n")
    eval_end = text.index("\n}\n", eval_begin) + len("\n}\n")
    design = FlatDesign(name, text[:begin], text[begin:end], text[end:eval_begin], text[eval_end:])
    for port, kind, width, member in _MEMBER.findall(design.members):
        kept = {"wire": design.registers, "memory": design.memories, "value": design.values}[kind]
        kept[member] = int(width)
        if port == "input" and member != "p_clk":
            design.inputs.append(member)
        elif port == "output" and kind == "value":
            design.outputs.append(member)
    _read_statements(design, text[eval_begin:eval_end])
    return design


def _read_statements(design: FlatDesign, text: str) -> None:
    found = []
    for part in _split(text.splitlines()[1:-1]):
        if local := _LOCAL.fullmatch(part):
            design.values[local[2]] = int(local[1])
        elif part.startswith(_CLOCKED):
            found.append(Statement(part.removeprefix(_CLOCKED).removesuffix("\n\t}"), True))
        elif not part.startswith(("\tbool ", "\treturn ")):
            found.append(Statement(part))
    for statement in found:
        if re.search(r"\b(pos|neg)edge_", statement.text):
            raise ValueError("the design has a clock that is not clk, or that falls")
    clocked, unclocked = (
        {n for s in found if s.is_clocked == which for n in re.findall(r"(\w+)\.next\b", s.text)}
        for which in (True, False)
    )
    design.wires = sorted(unclocked - clocked)
    for wire in design.wires:
        design.values[wire] = design.registers.pop(wire)
    wires = re.compile(rf"\b({'|'.join(design.wires)})\.(?:curr|next)\b")
    for statement in found:
        if design.wires:
            statement.text = wires.sub(r"\1", statement.text)
        if not statement.is_clocked and ".next" in statement.text:
            # Some bits of a register that no clock drives: they change at once.
            statement.text += "\n" + statement.text.replace(".next", ".curr")
        _find_accesses(statement, design)
    design.statements = found


def _split(lines: Iterable[str]) -> Iterator[str]:
    """The statements of ``eval``, without comments."""
    part: list[str] = []
    depth = 0
    for line in lines:
        if line.lstrip().startswith("//"):
            continue
        part.append(line)
        depth += line.count("{") - line.count("}")
        if depth == 0 and not _UNFINISHED.match(line):
            yield "\n".join(part)
            part = []


def _find_accesses(statement: Statement, design: FlatDesign) -> None:
    widths = design.registers | design.values
    for line in statement.text.splitlines():
        parts = [("", line)]
        if assignment := _ASSIGNMENT.match(line):
            parts = [(assignment[1], assignment[2])]
        for left, right in parts:
            for text, assigned in ((left, True), (right, False)):
                for name, how, high, low in _ACCESS.findall(text):
                    found = statement.writes if how or assigned else statement.reads
                    if name in design.memories:
                        found[name] = 1
                    elif name in widths:
                        first = int(low or high or 0)
                        count = int(high) - first + 1 if high else widths[name]
                        found[name] = found.get(name, 0) | ((1 << count) - 1) << first


def in_order(design: FlatDesign) -> tuple[list[Statement], list[set[int]]]:
    """The statements, each after those whose values it reads; and for each the places of these.

    Statements that depend on each other in a circle become one, which repeats them until they
    settle; so does one that reads bits it drives.
    """
    statements = list(design.statements)
    while True:
        drivers = _drivers(statements)
        circle = next(([i] for i, before in enumerate(drivers) if i in before), [])
        if not circle:
            try:
                order = list(TopologicalSorter(dict(enumerate(drivers))).static_order())
                break
            except CycleError as error:
                circle = sorted(set(error.args[1]))
        joined = _joined([statements[i] for i in circle], design)
        statements = [s for i, s in enumerate(statements) if i not in circle] + [joined]
    place = {old: new for new, old in enumerate(order)}
    return [statements[i] for i in order], [{place[j] for j in drivers[i]} for i in order]


def _drivers(statements: list[Statement]) -> list[set[int]]:
    """For each statement the places of those that drive bits it reads, without a clock."""
    writers: dict[str, list[tuple[int, int]]] = {}
    for i, statement in enumerate(statements):
        for name, bits in statement.writes.items():
            if not statement.is_clocked:
                writers.setdefault(name, []).append((i, bits))
    return [
        {
            i
            for name, bits in statement.reads.items()
            for i, driven in writers.get(name, [])
            if driven & bits
        }
        for statement in statements
    ]


def _joined(circle: list[Statement], design: FlatDesign) -> Statement:
    joined = Statement("")
    for statement in circle:
        for name, bits in statement.reads.items():
            joined.reads[name] = joined.reads.get(name, 0) | bits
        for name, bits in statement.writes.items():
            joined.writes[name] = joined.writes.get(name, 0) | bits
    inner = [name for name, bits in joined.reads.items() if bits & joined.writes.get(name, 0)]
    for name in inner:
        joined.reads[name] &= ~joined.writes[name]
    joined.text = "\n".join(
        [
            "\tfor (bool settled = false; !settled;) {",
            *(f"\tconst auto was_{name} = {design.content(name)};" for name in inner),
            *(statement.text for statement in circle),
            f"\tsettled = {' && '.join(f'was_{n} == {design.content(n)}' for n in inner)};",
            "\t}",
        ]
    )
    return joined
