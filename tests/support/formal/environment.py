# SPDX-License-Identifier: MIT
"""What statements about a component are made of: its inside, and an environment that may do all.

The statements themselves are in ``support/formal/hdl``, one file per module of hdl; they add
nothing to the gateware. `support.formal.proofs` lists them, `support.formal.solve` proves them.
"""

from typing import Any

from amaranth.asserts import AnySeq
from amaranth.hdl import Assert, Assume, Fragment, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In

__all__ = ["Inside", "always", "assume", "before", "leave_free", "stream_keeps"]


class Inside:
    """Registers and states of an elaborated component, by name.

    ``memories`` can still be given ports; the first look at ``fragment`` closes the component.
    """

    def __init__(self, component: wiring.Component) -> None:
        component._MustUse__used = True  # it is a submodule only by way of `fragment`
        self._module: Module = component.elaborate(None)
        self._fragment: Fragment | None = None
        self._signals: dict[str, list[Signal]] = {}

    def memory(self, name: str) -> Memory:
        """A memory of the component, to add a read port to."""
        found, _ = self._module._named_submodules[name]
        assert isinstance(found, Memory)
        return found

    @property
    def fragment(self) -> Fragment:
        """The component, to be made a submodule."""
        if self._fragment is None:
            self._fragment = Fragment.get(self._module, None)
            for statements in self._fragment.statements.values():
                for signal in statements._lhs_signals():
                    self._signals.setdefault(signal.name, []).append(signal)
        return self._fragment

    def __getitem__(self, name: str) -> Signal:
        assert self.fragment
        (signal,) = self._signals[name]
        return signal

    def state(self, *names: str, fsm: str = "fsm") -> Value:
        """High in one of the named states."""
        assert self.fragment
        machine = self._module._generated[fsm]
        value = machine.state
        result: Value = value == machine.encoding[names[0]]
        for name in names[1:]:
            result |= value == machine.encoding[name]
        return result

    def states(self, fsm: str = "fsm") -> list[str]:
        """Names of all states."""
        assert self.fragment
        return list(self._module._generated[fsm].encoding)


def leave_free(m: Module, component: wiring.Component) -> None:
    """Let every input of the component have any value in any cycle."""
    for _path, member, port in component.signature.flatten(component):
        if member.flow == In:
            value = Value.cast(port)
            m.d.comb += value.eq(AnySeq(len(value)))


def always(m: Module, what: str, test: Any) -> None:
    """State that ``test`` holds in every cycle."""
    m.d.comb += Assert(test, what)


def assume(m: Module, test: Any) -> None:
    """Look only at runs in which ``test`` holds in every cycle."""
    m.d.comb += Assume(test)


def before(m: Module, value: Any, *, init: int = 0) -> Signal:
    """The value one cycle ago; ``init`` in the first cycle."""
    now = Value.cast(value)
    past = Signal(now.shape(), init=init)
    m.d.sync += past.eq(now)
    return past


def stream_keeps(m: Module, stream: Any, *, unless: Any = 0) -> None:
    """State the rule of streams: what is valid and not ready stays, and does not change."""
    waits = before(m, stream.valid & ~stream.ready & ~Value.cast(unless))
    payload = Value.cast(stream.payload)
    always(m, "what a stream offers stays", ~waits | stream.valid)
    always(m, "and does not change", ~waits | (payload == before(m, payload)))
