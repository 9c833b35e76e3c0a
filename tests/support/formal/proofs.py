# SPDX-License-Identifier: MIT
"""What is proved: components, their statements, how far, and faults that the statements find.

All components have their real sizes. ``reach`` bounds the search for the covers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from support.formal.planted_fault import with_fault

__all__ = ["PROOFS", "Fault", "Proof"]


@dataclass(frozen=True)
class Fault:
    """Source text, what replaces it, and the statement that is the first to fail then.

    ``cycles``: it fails within so many cycles from power-up. 0: it takes too long to get there, but
    induction fails, at whatever statement.
    """

    right: str
    wrong: str
    statement: str
    cycles: int


@dataclass(frozen=True)
class Proof:
    """``component`` of ``hdl.<module>``, and its statements in ``support.formal.hdl``."""

    module: str
    component: str
    faults: tuple[Fault, ...]
    make: Callable[[Any], Any] = lambda component: component()
    k: int = 2
    bounded: int = 8
    reach: int = 18

    def harness(self, fault: Fault | None = None) -> Any:
        """The component, good or with a fault, and the statements about it."""
        name = f"glintfpga.hdl.{self.module}"
        module: ModuleType = import_module(name)
        if fault is not None:
            module = with_fault(name, fault.right, fault.wrong)
        statements = self.module.rpartition(".")[2]
        properties = import_module(f"support.formal.hdl.{statements}")
        component = self.make(getattr(module, self.component))
        return getattr(properties, f"{self.component}Properties")(component)


_SLOWEST_CLOCK_HZ = 24_000_000
"""Eight cycles per bit at 3 Mbaud: bytes come as close as they can."""


def _sequencer(lanes: int, *faults: Fault) -> Proof:
    return Proof(
        "row.sequencer", "Sequencer", faults, make=lambda component: component(lanes=lanes)
    )


def _uart(component: str, fault: Fault, bounded: int) -> Proof:
    return Proof(
        "link.uart",
        component,
        (fault,),
        make=lambda component: component(clk_hz=_SLOWEST_CLOCK_HZ),
        k=3,
        bounded=bounded,
    )


PROOFS = {
    "sequencer, P = 2": _sequencer(2),
    "sequencer, P = 4": _sequencer(
        4,
        Fault(
            "(word.loop == Loop.SELF) & more",
            "(word.loop == Loop.SELF)",
            "work gets less in every cycle",
            30,
        ),
        Fault(
            "self.operation.logits | word.end",
            "self.operation.logits",
            "so does the address of the next word",
            18,
        ),
    ),
    "sequencer, P = 8": _sequencer(8),
    "frame receiver": Proof(
        "link.framing",
        "FrameReceiver",
        (
            Fault(
                "                left.eq(0),\n",
                "",
                "two cycles after a delimiter all is as at power-up",
                12,
            ),
            Fault(
                "m.d.sync += ending.eq(raw != 0)",
                "m.d.sync += ending.eq(raw > 1)",
                "an end is an end",
                12,
            ),
        ),
    ),
    "frame transmitter": Proof(
        "link.framing",
        "FrameTransmitter",
        (
            Fault(
                'm.d.comb += writing.eq(1)\n                m.next = "DELIMIT"',
                'm.next = "DELIMIT"',
                "nor in half 0 while it is filled",
                14,
            ),
            Fault("self.i.ready.eq(~full[filling])", "self.i.ready.eq(1)", "", 0),
        ),
    ),
    "frame writer": Proof(
        "link.frame_writer",
        "FrameWriter",
        (
            Fault(
                "self.flight < left",
                "left == 0",
                "the ring is read only for bytes in flight",
                14,
            ),
        ),
    ),
    "stream receiver": Proof(
        "link.stream_receiver",
        "StreamReceiver",
        (
            Fault(
                "with m.If(held != 0):", "with m.If(1):", "nothing is read from an empty ring", 4
            ),
            Fault("Mux(free[8:].any(), 255, free)", "255", "", 0),
        ),
        k=1,
    ),
    "stream sender": Proof(
        "link.stream_sender",
        "StreamSender",
        (
            Fault("known.eq(step <= held)", "known.eq(1)", "a known ack is kept", 8),
            Fault(
                "self.settled.eq(quiet.all() & ~stages.any())",
                "self.settled.eq(1)",
                "no frame is begun while credits change",
                10,
            ),
        ),
    ),
    "message writer": Proof(
        "link.message_writer",
        "MessageWriter",
        (
            Fault(
                "self.ring.committed.eq(place)",
                "self.ring.committed.eq(place + 1)",
                "what is committed lies in it",
                14,
            ),
            Fault("room.eq(~(used[-1] | used[SPARE_BITS:-1].all()))", "room.eq(1)", "", 0),
        ),
    ),
    "command parser": Proof(
        "service.command_parser",
        "CommandParser",
        (
            Fault(
                "with m.If(loops.done):",
                "with m.If(loops.done & self.body_end):",
                "a command goes on unless it waits",
                12,
            ),
        ),
        make=lambda component: component(has_model=True),
    ),
    "token loops": Proof(
        "service.token_loops",
        "TokenLoops",
        (
            Fault(
                "with m.If(self.stop | halt):",
                "with m.If(halt):",
                "a new session ends any of them",
                6,
            ),
            Fault(
                "with m.Elif(last):\n",
                "with m.Elif(0):\n",
                "",
                0,
            ),
        ),
    ),
    "line receiver": _uart(
        "UARTReceiver",
        Fault("left.eq(9)]", "left.eq(10)]", "a byte has ten bits", 8),
        bounded=20,
    ),
    "line transmitter": _uart(
        "UARTTransmitter",
        Fault("Const(0b11, 2)", "Const(0b01, 2)", "a stop bit stands before the marker", 16),
        bounded=20,
    ),
}
