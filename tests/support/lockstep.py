# SPDX-License-Identifier: MIT
"""A compiled core against the integer reference: every logit, every CRC, every cycle count."""

from dataclasses import dataclass

import numpy as np

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.schedule import token_cycles
from glintfpga.hdl.core_port import ID_BITS, LOGIT_BITS
from glintfpga.quant.blink.model import QuantizedModel
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.errors import DeviceError
from glintfpga.quant.numbers.logit_crc import logit_crc
from glintfpga.sim.compiled import CompiledSim

__all__ = ["CoreBench", "CoreResult", "compare"]

_PATIENCE = 100_000


@dataclass(frozen=True)
class CoreResult:
    """What the core gave for one operation with logits."""

    token: int
    crc: int
    cycles: int
    """From the acceptance of the operation to its result."""


class CoreBench:
    """Drives the ports of a compiled `glintfpga.hdl.row.core.Core`.

    Parameter: the compiled core.
    """

    def __init__(self, sim: CompiledSim):
        self.sim = sim
        self.vocab = 0
        self._ports = {name: sim.item(name) for name in sim.names() if " " not in name}
        self._until_idle()

    def load(self, image: Image) -> None:
        """Write an image through the load port, as the device does."""
        ports = self._ports
        for section, rows in image.sections.items():
            ports["load__target"].poke(section)
            for index, row in enumerate(rows & 0xFFFF):
                a, b, c = row.tolist()
                ports["load__index"].poke(index)
                ports["load__data"].poke(a | b << 16 | c << 32)
                ports["load__valid"].poke(1)
                self.sim.clock()
        ports["load__valid"].poke(0)
        self.vocab = image.model.vocab
        self.clear()

    def clear(self) -> None:
        """Empty the context."""
        self._ports["clear"].poke(1)
        self.sim.clock()
        self._ports["clear"].poke(0)
        self._until_idle()

    def seed(self, seed: int) -> None:
        """Start the noise of ``seed``."""
        self._ports["seed__payload"].poke(seed)
        self._hand_over("seed")
        self._until_idle()

    def enter(self, token: int) -> None:
        """Take a token without asking for logits."""
        self._operate(token | 1 << ID_BITS)
        self._until_idle()

    def step(self, token: int | None, *, temperature: int = 0, sample: bool = False) -> CoreResult:
        """Take a token (or none) and give its logits, and the best or a drawn token."""
        self._ports["temperature"].poke(temperature)
        enter = 0 if token is None else token | 1 << ID_BITS
        self._operate(enter | 1 << (ID_BITS + 1) | sample << (ID_BITS + 2))
        cycles = 1 + self.sim.clock_until(self._ports["o__valid"], 1, limit=_PATIENCE)
        payload = self._ports["o__payload"].peek()
        self._ports["o__ready"].poke(1)
        self.sim.clock()
        self._ports["o__ready"].poke(0)
        return CoreResult(payload & ((1 << ID_BITS) - 1), payload >> ID_BITS, cycles)

    def logits(self) -> np.ndarray:
        """Logits (vocab,) of the last result, int64."""
        read = self.sim.sweep(self._ports["logits__id"], self._ports["logits__value"], self.vocab)
        raw = np.array(read, np.int64) & ((1 << LOGIT_BITS) - 1)
        return raw - (raw >> (LOGIT_BITS - 1) << LOGIT_BITS)

    def _operate(self, operation: int) -> None:
        self._ports["i__payload"].poke(operation)
        self._hand_over("i")

    def _hand_over(self, port: str) -> None:
        self._ports[f"{port}__valid"].poke(1)
        self.sim.clock_until(self._ports[f"{port}__ready"], 1, limit=_PATIENCE)
        self.sim.clock()
        self._ports[f"{port}__valid"].poke(0)

    def _until_idle(self) -> None:
        self.sim.clock_until(self._ports["idle"], 1, limit=_PATIENCE)


def compare(
    bench: CoreBench, model: QuantizedModel, *, lanes: int, tokens: np.ndarray, prefill: int = 0
) -> int:
    """Run sequences through the core and the reference; returns the number of logits compared.

    ``tokens`` is (sequences, length); each sequence starts with an empty context, its first
    ``prefill`` tokens are entered without logits, the logits of the last of them are asked for
    alone. Compares the logits themselves, their CRC, their arg max, and the cycles with the
    schedule's. The model must be in the core already.

    Raises ``DeviceError`` with the place of the first difference.
    """
    reference = ReferenceModel(model, lanes=lanes, batch=len(tokens))
    if prefill:
        reference.prefill(tokens[:, :prefill])
    expected = [reference.logits()] if prefill else []
    expected += [reference.step(column) for column in tokens[:, prefill:].T]
    compared = 0
    for number, sequence in enumerate(tokens.tolist()):
        bench.clear()
        for token in sequence[:prefill]:
            bench.enter(token)
        asked = [None] * bool(prefill) + sequence[prefill:]
        for step, token in enumerate(asked):
            result = bench.step(token)
            wanted = expected[step][number]
            found = bench.logits()
            where = f"sequence {number}, step {step}"
            if not np.array_equal(found, wanted):
                at = int(np.argmax(found != wanted))
                raise DeviceError(f"{where}: logit {at} is {found[at]}, expected {wanted[at]}")
            if (result.token, result.crc) != (int(np.argmax(wanted)), logit_crc(wanted)):
                raise DeviceError(f"{where}: {result} does not belong to its logits")
            compared += len(wanted)
            if token is not None and model.thinking == 0:
                _check_cycles(result, model, lanes, max(prefill, 0) + step + (not prefill), where)
    return compared


def _check_cycles(
    result: CoreResult, model: QuantizedModel, lanes: int, position: int, where: str
) -> None:
    listed = token_cycles(model.spec, lanes, position)
    if result.cycles != listed:
        raise DeviceError(f"{where}: {result.cycles} cycles, the schedule says {listed}")
