# SPDX-License-Identifier: MIT
"""What is proved: components, their statements, how far, and faults that the statements find.

All components have their real sizes. ``reach`` bounds the search for the covers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from glintfpga.firmware.blink.device_config import DeviceConfig
from glintfpga.hdl.link_sizes import SMALL
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
    """``component`` of ``hdl.<module>``, and its statements in ``support.formal.hdl``.

    It may be a function that adds something to a module, too.
    """

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
        words = self.component.split("_")
        camel = "".join(word[0].upper() + word[1:] for word in words)
        return getattr(properties, f"{camel}Properties")(component)


IMAGE_AT = 60
"""Where the field of the image may lie in the info."""
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


def _small(module: str, component: str) -> Proof:
    return Proof(module, component, (), make=lambda component: component(sizes=SMALL))


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
        Fault(
            "self.last.eq(~more)", "self.last.eq(more)", "a repeated word stays until its last", 20
        ),
        Fault("self.last.eq(~more)", "self.last.eq(remaining < 2)", "but no longer", 20),
    ),
    "sequencer, P = 8": _sequencer(8),
    "byte RAM": Proof(
        "primitives.memory",
        "byte_ram",
        (
            Fault(
                "write.enable & (write.address[at_bits:] == block)",
                "write.enable",
                "a byte stays until the next is written there",
                4,
            ),
            Fault(
                "with m.If(read.enable):",
                "with m.If(1):",
                "",
                0,
            ),
        ),
        make=lambda byte_ram: byte_ram,
        k=1,
        bounded=2,
        reach=5,
    ),
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
                "m.d.sync += ending.eq(count != 0)",
                "m.d.sync += ending.eq(count > 1)",
                "an end is an end",
                12,
            ),
            Fault(" & ~((left == 0) & after_full)", "", "", 0),
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
            Fault(
                "with m.If(split):\n            m.d.sync += [code.eq(1), code_place.eq(place)]",
                "with m.If(split):\n            m.d.sync += code.eq(1)",
                "",
                0,
            ),
            Fault("self.i.ready.eq(~full[filling] & ", "self.i.ready.eq(", "", 0),
            Fault(
                "self.i.ready.eq(~full[filling] & (code != FULL_CODE))",
                "self.i.ready.eq(~full[filling])",
                "",
                0,
            ),
            Fault(
                "with m.If(code == FULL_CODE):",
                "with m.If(0):",
                "",
                0,
            ),
        ),
    ),
    "frame transmitter, small": _small("link.framing", "FrameTransmitter"),
    "frame writer": Proof(
        "link.frame_writer",
        "FrameWriter",
        (
            Fault(
                "self.flight < left",
                "left == 0",
                "the ring is read only for bytes in flight",
                26,
            ),
        ),
        reach=28,
    ),
    "stream receiver": Proof(
        "link.stream_receiver",
        "StreamReceiver",
        (
            Fault(
                "with m.If(held != 0):", "with m.If(1):", "nothing is read from an empty ring", 4
            ),
            Fault("room.eq(free)", "room.eq(TO_DEVICE_RING)", "", 0),
        ),
        k=1,
    ),
    "stream sender": Proof(
        "link.stream_sender",
        "StreamSender",
        (
            Fault("known.eq(step <= held)", "known.eq(1)", "a known ack is kept", 8),
            Fault(
                "Mux(rest > payload, payload, rest)",
                "Mux(rest > self.sizes.payload, self.sizes.payload, rest)",
                "nor than the rate allows",
                10,
            ),
            Fault(
                "self.settled.eq(quiet.all() & ~stages.any())",
                "self.settled.eq(1)",
                "no frame is begun while credits change",
                10,
            ),
        ),
    ),
    "stream sender, small": _small("link.stream_sender", "StreamSender"),
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
            Fault(
                "m.d.sync += length_place.eq(length_place + 1)",
                "",
                "byte 2 of the header tells it",
                12,
            ),
            Fault("Mux(self.long, long_body, short_body)", "long_body", "", 0),
        ),
    ),
    "message writer, small": _small("link.message_writer", "MessageWriter"),
    "image loader": Proof(
        "row.image_loader",
        "ImageLoader",
        (
            Fault(
                "self.ok.eq((self.end | self.check) & ~self.stop & crc.match)",
                "self.ok.eq((self.end | self.check) & crc.match)",
                "",
                0,
            ),
            Fault(
                "with m.Elif(self.end & ~self.check):",
                "with m.Elif(self.end):",
                "a check only behind a byte",
                6,
            ),
        ),
        make=lambda component: component(DeviceConfig(), image_at=IMAGE_AT),
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
            Fault(
                "pass_body(self.body_end | self.image_end)",
                "pass_body(self.body_end)",
                "",
                0,
            ),
            Fault(
                "[status.eq(Status.BAD_LENGTH), whole.eq(0)]",
                "status.eq(Status.BAD_LENGTH)",
                "",
                0,
            ),
            Fault(
                "with m.If(self.load_take | self.load_stop | self.stop):",
                "with m.If(self.load_take | self.load_stop):",
                "no load outlives a stop",
                20,
            ),
        ),
        make=lambda component: component(has_model=True),
        reach=27,
    ),
    "token loops": Proof(
        "service.token_loops",
        "TokenLoops",
        (
            Fault(
                "with m.If(self.stop | self._halt):",
                "with m.If(self._halt):",
                "a new session ends any of them",
                6,
            ),
            Fault(
                "with m.Elif(self._last):\n",
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
