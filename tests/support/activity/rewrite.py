# SPDX-License-Identifier: MIT
"""Rewrites the C++ of a flat design so that it evaluates only what changed.

Statements are put into groups, and a bit says whether a group is awake: something that it reads
has changed since it ran last. ``eval`` runs the groups that are awake, in order. A group wakes
later ones when a value that they read comes out different; ``commit`` wakes those that read a
register or memory whose content became different. Nothing else can change what a group computes,
so a cycle ends in the same state as if all had run:

    eval     inputs that changed wake groups; each awake group: values, then (at the rising edge)
             ``next`` of registers and writes of memories; at the edge all then sleep
    commit   of groups that ran: registers and memories take what is new, which wakes groups;
             outputs that are functions of registers alone follow at once

Where no clock rises, awake groups run and stay awake, as their registers are still to be clocked.
Whoever writes to a register or memory from outside has to call ``wake()``.
"""

import re

from support.activity.groups import find_groups
from support.activity.statements import FlatDesign, Statement, in_order, read_design

__all__ = ["rewritten"]

_WORD = 64
_HELPER = """
// Most cycles write nothing: that need not be queued.
template<size_t Width>
inline void write_enabled(memory<Width> &to, size_t index,
        const std::enable_if_t<true, value<Width>> &data,
        const std::enable_if_t<true, value<Width>> &mask, int priority) {
	if (!mask.is_zero())
		to.update(index, data, mask, priority);
}
"""


def rewritten(text: str) -> str:
    """The C++ of ``write_cxxrtl``, with the same interface and ``void wake()``.

    Raises ``ValueError`` for a design that is not flat or has another clock than ``clk``.
    """
    return _Writer(read_design(text)).text()


class _Writer:
    """Members: ``text``, the whole file."""

    def __init__(self, design: FlatDesign):
        self._design = design
        statements, drivers = in_order(design)
        groups = find_groups(statements, drivers, ignored=["p_rst"])
        self._read = {name for statement in statements for name in statement.reads}
        self._driven = {name for s in statements if not s.is_clocked for name in s.writes}
        self._at_once = [s for s in statements if self._is_output_of_registers(s)]
        self._groups = [[s for s in group if s not in self._at_once] for group in groups]
        self._readers: dict[str, set[int]] = {}
        self._writers: dict[str, set[int]] = {}
        for number, group in enumerate(self._groups):
            for statement in group:
                for name in statement.reads:
                    self._readers.setdefault(name, set()).add(number)
                for name in statement.writes:
                    self._writers.setdefault(name, set()).add(number)
        self._words = -(-len(groups) // _WORD)
        ports = {*design.inputs, *design.outputs, "p_clk", "prev_p_clk"}
        self._locals = {
            name
            for name in design.values
            if name not in ports and name not in design.wires and len(self._users(name)) <= 1
        }

    def text(self) -> str:
        """Members and reset, then ``eval`` and ``commit``."""
        design = self._design
        namespace = "namespace cxxrtl_design {\n"
        reset = f"void {design.name}::reset() {{\n"
        methods = design.methods.replace(reset, reset + "\twake();\n", 1)
        for wire in design.wires:
            methods = re.sub(rf"^\t{wire} = .*\n", "", methods, flags=re.M)
        parts = [
            design.head.replace(namespace, namespace + _HELPER, 1),
            self._members(),
            methods,
            *self._eval(),
            *self._commit(),
        ]
        return "\n".join(parts) + design.tail

    def _is_output_of_registers(self, statement: Statement) -> bool:
        outputs = set(self._design.outputs) - self._read
        registers = self._design.registers.keys() - self._driven
        return (
            not statement.is_clocked
            and statement.writes.keys() <= outputs
            and statement.reads.keys() <= registers
        )

    def _users(self, name: str) -> set[int]:
        return self._readers.get(name, set()) | self._writers.get(name, set())

    def _members(self) -> str:
        design = self._design
        members = design.members
        for wire in design.wires:
            members = re.sub(rf"\bwire(<\d+> {wire};)", r"value\1", members)
        kept = [name for name in design.values if name not in self._locals]
        declared = set(re.findall(r"value<\d+> (\w+);", members))
        lines = [f"\tvalue<{design.values[n]}> {n};" for n in kept if n not in declared]
        lines += [f"\tvalue<{design.values[n]}> last_{n};" for n in design.inputs]
        lines.append(f"\tuint64_t awake[{self._words}], ran[{self._words}];")
        lines.append("\tvoid wake() { for (auto &word : awake) word = ~uint64_t(0); }")
        begin = members.index("\ttemplate<class ObserverT>\n\tbool commit(ObserverT &observer) {")
        end = members.index("\tvoid debug_info(")
        return "\n".join([members[:begin], *lines, "\n\tbool commit() override;\n", members[end:]])

    def _wake(self, groups: set[int]) -> str:
        words: dict[int, int] = {}
        for group in groups:
            word, bit = divmod(group, _WORD)
            words[word] = words.get(word, 0) | 1 << bit
        return " ".join(f"awake[{word}] |= {bits:#x}ull;" for word, bits in sorted(words.items()))

    def _eval(self) -> list[str]:
        lines = [
            f"bool {self._design.name}::eval(performer *performer) {{",
            f"\tconst bool rises = {'posedge_p_clk()' if self._has_clock() else 'false'};",
        ]
        for name in self._design.inputs:
            wake = self._wake(self._readers.get(name, set()))
            lines.append(f"\tif ({name} != last_{name}) {{ last_{name} = {name}; {wake} }}")
        for number, group in enumerate(self._groups):
            lines += [f"\tif ({_bit('awake', number)}) {{", *self._run(number, group), "\t}"]
        lines.append(f"\tfor (int i = 0; i < {self._words}; i++) ran[i] = rises ? awake[i] : 0;")
        lines.append("\tif (rises) for (auto &word : awake) word = 0;")
        return [*lines, "\treturn true;", "}", ""]

    def _run(self, number: int, group: list[Statement]) -> list[str]:
        values = [s for s in group if not s.is_clocked]
        written = sorted({name for s in values for name in s.writes})
        later = {n: {g for g in self._readers.get(n, set()) if g > number} for n in written}
        lines = [f"\tvalue<{self._design.values[n]}> {n};" for n in written if n in self._locals]
        watched = {n: self._design.content(n) for n in written if later[n]}
        lines += [f"\tconst auto last_{n} = {content};" for n, content in watched.items()]
        lines += [f"\t{{\n{s.text}\n\t}}" for s in values]
        for n, content in watched.items():
            lines.append(f"\tif ({content} != last_{n}) {{ {self._wake(later[n])} }}")
        clocked = [s.text for s in group if s.is_clocked]
        if clocked:
            text = "\n".join(f"\t{{\n{text}\n\t}}" for text in clocked)
            text = re.sub(r"\b(memory_\w+)\.update\(", r"write_enabled(\1, ", text)
            lines += ["\tif (rises) {", text, "\t}"]
        return lines

    def _commit(self) -> list[str]:
        lines = [f"bool {self._design.name}::commit() {{", "\tobserver observer;"]
        if self._has_clock():
            lines.append("\tprev_p_clk = p_clk;")
        for number, group in enumerate(self._groups):
            names = sorted({name for s in group if s.is_clocked for name in s.writes})
            if names:
                lines += [f"\tif ({_bit('ran', number)}) {{", *map(self._take, names), "\t}"]
        return [*lines, *(s.text for s in self._at_once), "\treturn true;", "}", ""]

    def _take(self, name: str) -> str:
        # The other ports of a memory write once more what they wrote before.
        wake = self._wake(
            self._users(name) if name in self._design.memories else self._readers.get(name, set())
        )
        return f"\t\tif ({name}.commit(observer)) {{ {wake} }}"

    def _has_clock(self) -> bool:
        return "prev_p_clk" in self._design.values


def _bit(words: str, number: int) -> str:
    word, bit = divmod(number, _WORD)
    return f"{words}[{word}] >> {bit} & 1"
