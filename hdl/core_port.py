# SPDX-License-Identifier: MIT
"""The seam between a service and a machine: the ports of its core and of its image loader.

The service implements the wire protocol and is independent of the arithmetic; a machine computes
tokens and is independent of the line. The service can drive any machine with these ports.
"""

from typing import Protocol

from amaranth.hdl import signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from glintfpga.firmware.device_config import DeviceConfig
from glintfpga.firmware.wire.protocol import HELLO_INFO, MAX_TEMPERATURE, HelloInfo
from glintfpga.hdl.primitives.memory import WritePort

__all__ = [
    "READ_CYCLES",
    "CorePort",
    "LoadPort",
    "LoaderPort",
    "LogitPort",
    "Machine",
    "ModelFacts",
    "Operation",
    "OperationPort",
    "Result",
]

TEMPERATURE_BITS = MAX_TEMPERATURE.bit_length()

Operation = data.StructLayout({"id": 9, "enter": 1, "logits": 1, "sample": 1})
"""``enter``: run token ``id`` through all passes. ``logits``: then think, and compute the logits of
the current x. ``sample``: choose the token with noise."""

Result = data.StructLayout({"id": 9, "crc": 32})
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

LogitPort = wiring.Signature({"id": Out(9), "value": In(signed(20))})
"""Read port for the logits of the last result, seen from the reader.

``value`` is the logit of ``id`` one cycle earlier, valid until the next operation. This is a memory
port with a memory's timing: a valid/ready pair would cost a flip-flop that only duplicates the
reader's state.
"""

ModelFacts = wiring.Signature({"eos": Out(16), "vocab": Out(16)})
"""What the service uses of the loaded model: its end token (bit 15 set: none) and its number of
tokens."""

LoadPort = wiring.Signature(
    {
        "valid": Out(1),
        "read": Out(1),
        "target": Out(3),
        "index": Out(12),
        "data": Out(48),
        "stored": In(48),
    }
)
"""Rows of an image into the core's memories, and out of them again; seen from the loader.

Members
-------
valid : Out(1)
    Write ``data`` (three int16, first lowest) as row ``index`` of section ``target``. One row per
    cycle.
read : Out(1)
    While it is high, ``stored`` is the row at ``target`` and ``index``, `READ_CYCLES` after both.
target, index, data, stored
    The sections are those of the machine's image format.
"""

READ_CYCLES = 8
"""Of the row machine: dot address, four cycles to the sum address, memory, lane, section."""

CorePort = wiring.Signature(
    {
        **OperationPort.members,
        "clear": Out(1),
        "temperature": Out(TEMPERATURE_BITS),
        "seed": Out(stream.Signature(64)),
        "logits": Out(LogitPort),
        "facts": In(ModelFacts),
        "load": Out(LoadPort),
    }
)
"""All ports of a core, seen from the service.

Members
-------
i, o, idle
    As in `OperationPort`.
clear : Out(1)
    Strobe while ``idle``: empty the context and read the model's tables again. Follows the last
    row of an image.
temperature : Out(10)
    T * 256; constant during an answer.
seed : Out(stream of 64)
    Keys the noise generator; ready when it is done.
logits : Out(LogitPort)
facts : In(ModelFacts)
load : Out(LoadPort)
    Only while ``idle``.
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
        "load": In(LoadPort),
        "info": In(WritePort(HELLO_INFO)),
        "info_stored": Out(8),
    }
)
"""All ports of a machine's image loader, seen from the service.

Members
-------
start : Out(1)
    Strobe: an image follows.
i : Out(stream of 8)
    Body of the LOAD message.
end : Out(1)
    The body is over (while ``i`` is not valid).
check : Out(1)
    Read the memories back instead, and compare; constant from ``start`` to ``done``.
stop : Out(1)
    Strobe: give up.
done, ok : In(1)
    Strobe: the load has ended, with ``ok`` when the whole body was a good image.
golden : In(32)
    Expected CRC-32 of the logits in the self-test, from the image.
load : In(LoadPort)
    To the core.
info : In(WritePort)
    Header and CRC of the image into the bytes of HELLO.
info_stored : Out(8)
    With ``check``: the byte at the address of ``info``, one cycle later.
"""


class Machine(Protocol):
    """Makes the two components of a machine for a device."""

    @property
    def config(self) -> DeviceConfig:
        """Clock, line rates and build of the device."""

    def core(self) -> wiring.Component:
        """The core; its signature is ``CorePort.flip()``."""

    def loader(self) -> wiring.Component:
        """The image loader; its signature is ``LoaderPort.flip()``."""

    def hello(self) -> HelloInfo:
        """The answer to HELLO at power-up; its MODEL flag is set if there is a model."""
