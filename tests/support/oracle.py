# SPDX-License-Identifier: MIT
"""What a device has to answer, in plain Python on the integer reference: no link, no time.

Written from the rules in `glintfpga.firmware.wire.protocol`, apart from the software device, so
that the two can be compared.
"""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Self

import numpy as np

from glintfpga.firmware.blink.golden import GOLDEN_LANES, golden_crc
from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.wire.messages import Counters, Done, Generate, token_bytes
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    MAX_TEMPERATURE,
    MESSAGE_HEADER,
    NEWLINE,
    GenerateFlag,
    HelloFlag,
    Op,
    Reason,
    ScoreFlag,
    Status,
)
from glintfpga.quant.blink.reference import ReferenceModel
from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.logit_crc import logit_crc
from glintfpga.quant.numbers.sampler import WORDS_ALIGN, Sampler

__all__ = ["Oracle", "Reply"]

Reply = tuple[dict[Op, bytes], Done]
"""Bodies that come before the DONE, joined by op, and the DONE."""


class Oracle:
    """State of a device: model, context, pending token, noise, and two of the counters.

    Members:
        image: what it holds, or None.
        is_default: whether that is the image of power-up.
        context: the ids that entered since the last reset, and -1 where the model thought.
        pending: the id that enters next, or None.
        counters: ``tokens`` and ``prefill_tokens``; the others are 0.
        load: size and bytes so far of an image on its way, or None.
        whole: an image that waits for LOAD_END, or None.
    """

    def __init__(self, image: Image | None, *, lanes: int, plan: int = 12):
        self.lanes = lanes
        self.plan = plan
        self.is_default = image is not None
        self.counters = Counters()
        self._sampler = Sampler()
        self._noise = (0, 0)
        self._hold(image)
        self.new_session()

    @property
    def state(self) -> tuple[object, ...]:
        """Equal for devices that no answer can tell apart."""
        context = tuple(self.context), self.pending
        return self.hello, context, self._noise, self.counters, self.load, self.whole

    def fork(self) -> Self:
        """A device in the same state that goes its own way."""
        images = [image for image in (self.image, self.whole) if image is not None]
        shared = [*images, *(image.model for image in images)]
        return copy.deepcopy(self, {id(part): part for part in shared})

    @property
    def hello(self) -> tuple[int, bytes, int]:
        """Flags, image header and image CRC of its hello."""
        if self.image is None:
            return 0, b"", 0
        flags = HelloFlag.MODEL | HelloFlag.DEFAULT_IMAGE * self.is_default
        return flags, self.image.header, self.image.crc

    def answer(self, message: bytes, most: int | None = None, *, early: bool = False) -> Reply:
        """Execute one message.

        With ``most``, a GENERATE is aborted before it samples more. With ``early``, a part that
        leaves an image incomplete has shown that it is none.
        """
        *_, reply = self._run(message, most, early)
        return reply

    def interrupted(self, *messages: bytes) -> list[Self]:
        """Every state that the session's end can leave, from untouched on; the load is dropped."""
        at, states = self.fork(), [self.fork()]
        for message in messages:
            states += [at.fork() for _ in at._run(message, None, False)]
        for state in states:
            state.new_session()
        return states

    def new_session(self) -> None:
        """A HELLO: an image that is no model yet is dropped."""
        self.load: tuple[int, bytes] | None = None
        self.whole: Image | None = None

    def _hold(self, image: Image | None) -> None:
        self.image = image
        self._model = None if image is None else ReferenceModel(image.model, lanes=self.lanes)
        self.context: list[int] = []
        self.pending: int | None = None

    def _run(self, message: bytes, most: int | None, early: bool) -> Iterator[Reply]:
        """Replies so far, one after each step that can be the last; at least one."""
        op, body = message[0], message[MESSAGE_HEADER:]
        status = self._check(op, body)
        if status != Status.OK:
            yield {}, Done(op=op, status=status)
        elif op == Op.GENERATE:
            yield from self._generate(Generate.decode(body), most)
        elif op in (Op.PROMPT, Op.SCORE):
            yield from self._enter_all(Op(op), body)
        elif op == Op.LOAD:
            self._hold(None)
            self.is_default, self.whole = False, None
            size = int.from_bytes(body, "little")
            self.load = (size, b"") if size else None
            yield {}, Done(op=op)
        elif op == Op.LOAD_PART:
            yield {}, Done(op=op, status=self._take_part(body, early))
        elif op == Op.LOAD_END:
            yield {}, Done(op=op, status=self._end_load())
        else:
            if op == Op.RESET:
                self._hold(self.image)
            bodies = {Op.COUNTED: self.counters.encode()} if op == Op.COUNTERS else {}
            yield bodies, Done(op=op)

    def _check(self, op: int, body: bytes) -> Status:
        """The first that fails: op, model, length, arguments."""
        sizes = {Op.RESET: 0, Op.ABORT: 0, Op.COUNTERS: 0, Op.GENERATE: 15, Op.SET_BAUD: 1}
        sizes |= {Op.LOAD: 4, Op.LOAD_END: 0}
        if not Op.RESET <= op <= Op.SET_BAUD:
            return Status.UNKNOWN_OP
        if self.image is None and op <= Op.ABORT:
            return Status.NO_MODEL
        if len(body) != sizes.get(Op(op), len(body)):
            return Status.BAD_LENGTH
        if op in (Op.PROMPT, Op.SCORE):
            tokens = len(body) - (op == Op.SCORE)
            if tokens < 0 or tokens % self._token_bytes:
                return Status.BAD_LENGTH
            if op == Op.SCORE and body[0] > ScoreFlag.LOGITS:
                return Status.BAD_ARGUMENT
        if op == Op.GENERATE:
            ask = Generate.decode(body)
            if ask.temperature > MAX_TEMPERATURE or ask.flags >= 8:
                return Status.BAD_ARGUMENT
        if op == Op.SET_BAUD and body[0] >= len(BAUDS):
            return Status.BAD_ARGUMENT
        return Status.OK

    def _take_part(self, data: bytes, early: bool) -> Status:
        """Bytes of an image; the last of them shows whether it is one."""
        if self.load is None:
            return Status.NO_LOAD
        size, before = self.load
        held = before + data
        if len(held) < size and not early:
            self.load = size, held
            return Status.OK
        self.load = None
        with contextlib.suppress(InputError):
            image = Image.from_bytes(held[:size])
            if image.model.plan.code == self.plan and not early:
                self.whole = image if len(held) == size else None
                return Status.OK if len(held) == size else Status.BAD_LENGTH
        return Status.BAD_IMAGE

    def _end_load(self) -> Status:
        image, is_short = self.whole, self.load is not None
        self.load = self.whole = None
        if image is None:
            return Status.BAD_LENGTH if is_short else Status.NO_LOAD
        self._hold(image)
        found = golden_crc(self._enter, self._logits)
        right = found == image.golden[GOLDEN_LANES.index(self.lanes)]
        self._hold(image if right else None)
        return Status.OK if right else Status.SELF_TEST

    @property
    def _token_bytes(self) -> int:
        return token_bytes(self._loaded.model.vocab)

    @property
    def _loaded(self) -> ReferenceModel:
        assert self._model is not None
        return self._model

    def _enter(self, token: int) -> None:
        self._loaded.enter(token)
        self.context.append(token)

    def _logits(self) -> np.ndarray:
        if self._loaded.model.thinking:
            self.context.append(-1)
        return self._loaded.logits()[0]

    def _enter_pending(self) -> None:
        if self.pending is not None:
            self._enter(self.pending)
            self.pending = None

    def _count(self, **steps: int) -> None:
        sums = {name: getattr(self.counters, name) + step for name, step in steps.items()}
        self.counters = replace(self.counters, **sums)

    def _enter_all(self, op: Op, body: bytes) -> Iterator[Reply]:
        size, scores = self._token_bytes, b""
        tokens = body[op == Op.SCORE :]
        done = Done(op=op)
        for at in range(0, len(tokens), size):
            token = int.from_bytes(tokens[at : at + size], "little")
            if token >= self._loaded.model.vocab:
                done = Done(op=op, status=Status.BAD_TOKEN, count=done.count)
                break
            self._enter_pending()
            self._enter(token)
            self._count(prefill_tokens=1)
            done = Done(op=op, count=done.count + 1)
            if op == Op.SCORE:
                logits = self._logits()
                scores += logit_crc(logits).to_bytes(4, "little")
                scores += logits.astype("<i4").tobytes() * body[0]
            yield {}, done
        yield {Op.SCORES: scores} if scores else {}, done

    def _generate(self, ask: Generate, most: int | None) -> Iterator[Reply]:
        model, said, count, newlines = self._loaded.model, b"", 0, 0
        reason = Reason.COUNT
        if ask.flags & GenerateFlag.SEED:
            self._sampler.reseed(ask.seed)
            self._noise = (ask.seed, 0)
            yield {}, Done(op=Op.GENERATE)
        while count < ask.count:
            if count == most:
                reason = Reason.ABORT
                break
            self._enter_pending()
            if not self.context:
                self._enter(model.eos or 0)
            logits = self._logits()
            token = self.pending = self._sampler.sample(logits, ask.temperature)
            drawn = -(-model.vocab // WORDS_ALIGN) * (ask.temperature > 0)
            self._noise = (self._noise[0], self._noise[1] + drawn)
            self._count(tokens=1)
            if token == model.eos:
                reason = Reason.EOS
                break
            said += (token % 256**self._token_bytes).to_bytes(self._token_bytes, "little")
            said += logit_crc(logits).to_bytes(4, "little") * bool(ask.flags & GenerateFlag.CRC)
            count += 1
            newlines = newlines + 1 if token == NEWLINE else 0
            if newlines == 2 and ask.flags & GenerateFlag.BLANK_LINE:
                reason = Reason.BLANK_LINE
                break
            yield {}, Done(op=Op.GENERATE)
        yield {Op.TOKENS: said} if said else {}, Done(op=Op.GENERATE, reason=reason, count=count)
