# SPDX-License-Identifier: MIT
"""The seam between a service and a machine: the ports of its core and of its image loader.

Token ids have 16 bits and logits 32; a machine uses as many of them as its models have.

The service implements the wire protocol and is independent of the arithmetic; a machine computes
tokens and is independent of the line. The service can drive any machine with these ports.
"""

from dataclasses import dataclass
from typing import Protocol

from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.protocol import MAX_TEMPERATURE
from glintfpga.hdl.hello_layout import MAX_INFO
from glintfpga.hdl.link_sizes import LinkSizes
from glintfpga.hdl.primitives.memory import WritePort

__all__ = [
    "ID_BITS",
    "LOGIT_BITS",
    "TEMPERATURE_BITS",
    "CorePort",
    "GoldenRun",
    "LoaderPort",
    "LogitPort",
    "Machine",
    "MachinePort",
    "ModelFacts",
    "Operation",
    "OperationPort",
    "Result",
]

ID_BITS = 16
LOGIT_BITS = 32
TEMPERATURE_BITS = MAX_TEMPERATURE.bit_length()

Operation = data.StructLayout({"id": ID_BITS, "enter": 1, "logits": 1, "sample": 1})
"""``enter``: run token ``id`` through all passes. ``logits``: then think, and compute the logits of
the current x. ``sample``: choose the token with noise."""

Result = data.StructLayout({"id": ID_BITS, "crc": 32})
"""Sampled (or best) token and the CRC-32 of the logits."""

OperationPort = wiring.Signature(
    {
        "i": Out(stream.Signature(Operation)),
        "o": In(stream.Signature(Result)),
        "idle": In(1),
    }
)
"""Operations and their results, seen from the service.

Members
-------
i : Out(stream of Operation)
    Accepted when the operation before is done.
o : In(stream of Result)
    One for each operation with ``logits``, in order.
idle : In(1)
    Nothing runs and no result waits.
"""

LogitPort = wiring.Signature({"id": Out(ID_BITS), "value": In(signed(LOGIT_BITS))})
"""Read port for the logits of the last result, seen from the reader.

``value`` is the logit of ``id`` one cycle earlier, valid until the next operation. This is a memory
port with a memory's timing: a valid/ready pair would cost a flip-flop that only duplicates the
reader's state.
"""

ModelFacts = wiring.Signature({"eos": Out(16), "vocab": Out(16)})
"""What the service uses of the loaded model: its end token (bit 15 set: none) and its number of
tokens."""

CorePort = wiring.Signature(
    {
        **OperationPort.members,
        "clear": Out(1),
        "temperature": Out(TEMPERATURE_BITS),
        "seed": Out(stream.Signature(64)),
        "logits": Out(LogitPort),
        "facts": In(ModelFacts),
    }
)
"""All ports of a core, seen from the service.

Members
-------
i, o, idle
    As in `OperationPort`.
clear : Out(1)
    Strobe while ``idle``: empty the context and read the model's tables again. Follows the end of
    an image.
temperature : Out(10)
    T * 256; constant during an answer.
seed : Out(stream of 64)
    Keys the noise generator; ready when it is done.
logits : Out(LogitPort)
facts : In(ModelFacts)
"""

LoaderPort = wiring.Signature(
    {
        "start": Out(1),
        "i": Out(stream.Signature(8)),
        "end": Out(1),
        "check": Out(1),
        "stop": Out(1),
        "done": In(1),
        "ok": In(1),
        "golden": In(32),
        "info": In(WritePort(MAX_INFO)),
        "info_stored": Out(8),
    }
)
"""All ports of a machine's image loader, seen from the service.

Members
-------
start : Out(1)
    Strobe while the core is idle: an image follows.
i : Out(stream of 8)
    Its bytes.
end : Out(1)
    All of them have come; constant 1 from then to the next ``start``.
check : Out(1)
    Read the memories back instead, and compare; constant from ``start`` to ``done``.
stop : Out(1)
    Strobe: give up.
done, ok : In(1)
    Strobe: the load has ended, with ``ok`` when these bytes are a good image.
golden : In(32)
    Expected CRC-32 of the logits in the self-test, from the image.
info : In(WritePort)
    Header and CRC of the image into the bytes of HELLO.
info_stored : Out(8)
    With ``check``: the byte at the address of ``info``, one cycle later.
"""


MachinePort = wiring.Signature({"core": Out(CorePort), "loader": Out(LoaderPort)})
"""A whole machine, seen from the service."""


@dataclass(frozen=True)
class GoldenRun:
    """What a machine computes in a self-test: the logits after so many tokens, ids 0, 1, 0, 1..."""

    tokens: int
    limit_ms: int
    """A core without a result for so long has failed."""


class Machine(Protocol):
    """A component with the ports ``MachinePort.flip()``, and what a device needs to build it in."""

    core: wiring.PureInterface
    loader: wiring.PureInterface
    golden_run: GoldenRun
    link_sizes: LinkSizes

    @property
    def clk_hz(self) -> int:
        """Clock of the domain ``sync``."""

    @property
    def bauds(self) -> tuple[int, ...]:
        """Rates of the line."""

    @property
    def info(self) -> HelloInfo:
        """The answer to HELLO at power-up; without the flag MODEL its header is only room."""
