# SPDX-License-Identifier: MIT
"""Command executor of the software device, as one chain of generators.

Each yields `StepOutcome.WORKED` after a unit of work (a token entered or sampled) and
`StepOutcome.BLOCKED` where it cannot go on before something arrives or leaves, so that between two
tokens the link is served and a HELLO or an ABORT is honored. The rules are those of
`glintfpga.firmware.wire.protocol`.
"""

from collections.abc import Callable, Generator
from dataclasses import replace
from enum import Enum

from glintfpga.firmware.device.loaded_model import LoadedModel
from glintfpga.firmware.device.message_buffer import MessageBuffer
from glintfpga.firmware.wire.endpoint import Endpoint
from glintfpga.firmware.wire.messages import (
    GENERATE_BYTES,
    Counters,
    Done,
    Generate,
    message,
    token_bytes,
)
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    MAX_TEMPERATURE,
    MESSAGE_HEADER,
    NEWLINE,
    GenerateFlag,
    Op,
    Reason,
    ScoreFlag,
    SelfTest,
    Status,
)
from glintfpga.quant.errors import InputError
from glintfpga.quant.numbers.logit_crc import logit_crc
from glintfpga.quant.numbers.sampler import Sampler

__all__ = ["CommandExecutor", "StepOutcome", "Task"]

_NEED_MODEL = frozenset({Op.RESET, Op.PROMPT, Op.GENERATE, Op.SCORE, Op.ABORT})
_COMMANDS = frozenset(op for op in Op if op < Op.TOKENS)
_MAX_IMAGE = 1 << 26
"""Bytes of the longest image that a software device keeps while it comes."""
_FIXED_LENGTH = {
    Op.RESET: 0,
    Op.ABORT: 0,
    Op.COUNTERS: 0,
    Op.LOAD: 4,
    Op.LOAD_END: 0,
    Op.GENERATE: GENERATE_BYTES,
    Op.SET_BAUD: 1,
}


class StepOutcome(Enum):
    """What a generator reports when it yields."""

    WORKED = "did something that takes time"
    BLOCKED = "needs bytes, room or an ack"


Task = Generator[StepOutcome, None, None]


class CommandExecutor:
    """Takes messages from an endpoint, executes them, and writes the answers into it.

    Attributes:
        model: what is loaded, or None.
        self_test: how the test of the last model ended.
        baud_index: into ``BAUDS``; changes when the DONE of a SET_BAUD is acked.
        switch: the index it will change to, or None.
        counters: the part of them that the link does not count.
        now: the time; whoever advances `run` sets it.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        model: LoadedModel | None,
        load: Callable[[bytes], LoadedModel] | None,
        sampler: Sampler,
    ) -> None:
        self.baud_index = 0
        self.switch: int | None = None
        self.counters = Counters()
        self.now = 0.0
        self._endpoint = endpoint
        self._load = load
        self._sampler = sampler
        self._left = 0
        """Bytes of the current message not read yet."""
        self._install(model)

    def run(self) -> Task:
        """Execute commands for ever. A new session abandons the generator and takes a new one."""
        self.switch = None
        self._drop_load()
        while True:
            head = yield from self._receive(MESSAGE_HEADER)
            self._left = int.from_bytes(head[1:], "little")
            done = Done(op=head[0], status=self._check(head[0]))
            if done.status == Status.OK:
                done = yield from self._command(Op(head[0]))
            while self._left:
                yield from self._receive_available()
            yield from self._send(message(Op.DONE, done.encode()))
            yield from self._change_baud()

    @property
    def totals(self) -> Counters:
        """All counters, as COUNTERS reports them."""
        link = self._endpoint
        return replace(
            self.counters, dropped=link.dropped, crc_errors=link.crc_errors, retries=link.retries
        )

    def _check(self, op: int) -> Status:
        if op not in _COMMANDS:
            return Status.UNKNOWN_OP
        model = self.model
        if op in _NEED_MODEL and model is None:
            return Status.NO_MODEL
        if self._left != _FIXED_LENGTH.get(Op(op), self._left):
            return Status.BAD_LENGTH
        tokens = self._left - (op == Op.SCORE)
        if op in (Op.PROMPT, Op.SCORE) and model is not None:
            if tokens < 0 or tokens % token_bytes(model.vocab):
                return Status.BAD_LENGTH
        return Status.OK

    def _command(self, op: Op) -> Generator[StepOutcome, None, Done]:
        done = Done(op=op)
        match op:
            case Op.RESET:
                self._clear()
            case Op.PROMPT:
                done = yield from self._enter_all(done, None, 0)
            case Op.SCORE:
                done = yield from self._score(done)
            case Op.GENERATE:
                done = yield from self._generate(done)
            case Op.LOAD:
                done = yield from self._begin_load(done)
            case Op.LOAD_PART:
                done = yield from self._load_part(done)
            case Op.LOAD_END:
                done = self._end_load(done)
            case Op.COUNTERS:
                yield from self._send(message(Op.COUNTED, self.totals.encode()))
            case Op.SET_BAUD:
                (index,) = yield from self._receive(1)
                if index < len(BAUDS):
                    self.switch = index
                else:
                    done = replace(done, status=Status.BAD_ARGUMENT)
        return done

    def _receive(self, size: int) -> Generator[StepOutcome, None, bytes]:
        while self._endpoint.readable < size:
            yield StepOutcome.BLOCKED
        self._left -= size
        return self._endpoint.read(size)

    def _change_baud(self) -> Task:
        while self.switch is not None and self._endpoint.unacked:
            yield StepOutcome.BLOCKED
        if self.switch is not None:
            self.baud_index, self.switch = self.switch, None

    def _receive_available(self) -> Generator[StepOutcome, None, bytes]:
        """What there is of the current body."""
        return (yield from self._receive(min(self._left, max(1, self._endpoint.readable))))

    def _send(self, data: bytes) -> Task:
        while self._endpoint.room < len(data):
            yield StepOutcome.BLOCKED
        self._endpoint.write(data)

    # Commands with work in them.

    def _clear(self) -> None:
        self._pending: int | None = None
        self._empty = True
        if self.model is not None:
            self.model.numerics.clear()

    def _install(self, model: LoadedModel | None) -> None:
        """Take a model, unless it fails the self-test; the context is empty afterward."""
        self.model, self.self_test = model, _self_test(model)
        if self.self_test == SelfTest.TOKEN_FAILED:
            self.model = None
        self._clear()

    def _enter(self, token: int) -> None:
        assert self.model is not None
        self.model.numerics.enter(token)
        self._empty = False

    def _flush_pending(self) -> None:
        if self._pending is not None:
            self._enter(self._pending)
            self._pending = None

    def _count(self, **steps: int) -> None:
        sums = {name: getattr(self.counters, name) + step for name, step in steps.items()}
        self.counters = replace(self.counters, **{k: v & 0xFFFFFFFF for k, v in sums.items()})

    def _score(self, done: Done) -> Generator[StepOutcome, None, Done]:
        (flags,) = yield from self._receive(1)
        if flags & ~int(ScoreFlag.LOGITS):
            return replace(done, status=Status.BAD_ARGUMENT)
        buffer = MessageBuffer(Op.SCORES, 4, self._endpoint.payload_limit)
        return (yield from self._enter_all(done, buffer, flags))

    def _enter_all(
        self, done: Done, buffer: MessageBuffer | None, flags: int
    ) -> Generator[StepOutcome, None, Done]:
        """Enter the tokens of the body; with a buffer, report each one's logits."""
        assert self.model is not None
        size = token_bytes(self.model.vocab)
        count = 0
        while self._left:
            while self._endpoint.readable < size:
                if buffer is not None:
                    yield from self._flush(buffer)
                yield StepOutcome.BLOCKED
            token = int.from_bytes((yield from self._receive(size)), "little")
            if token >= self.model.vocab:
                done = replace(done, status=Status.BAD_TOKEN)
                break
            self._flush_pending()
            self._enter(token)
            count += 1
            self._count(prefill_tokens=1)
            if buffer is not None:
                logits = self.model.numerics.logits()
                data = logit_crc(logits).to_bytes(4, "little")
                if flags & ScoreFlag.LOGITS:
                    data += logits.astype("<i4").tobytes()
                buffer.add(data, self.now)
                yield from self._flush(buffer)
            yield StepOutcome.WORKED
        if buffer is not None:
            yield from self._send(buffer.close())
        return replace(done, count=count)

    def _generate(self, done: Done) -> Generator[StepOutcome, None, Done]:
        assert self.model is not None
        request = Generate.decode((yield from self._receive(GENERATE_BYTES)))
        if request.temperature > MAX_TEMPERATURE or request.flags & ~sum(GenerateFlag):
            return replace(done, status=Status.BAD_ARGUMENT)
        if request.flags & GenerateFlag.SEED:
            self._sampler.reseed(request.seed)
        size = token_bytes(self.model.vocab)
        with_crc = bool(request.flags & GenerateFlag.CRC)
        buffer = MessageBuffer(Op.TOKENS, size + 4 * with_crc, self._endpoint.payload_limit)
        count = newlines = 0
        reason = Reason.COUNT
        while count < request.count:
            if self._endpoint.peek() == Op.ABORT:
                reason = Reason.ABORT
                break
            token, crc = self._sample(request.temperature)
            yield StepOutcome.WORKED
            yield from self._flush(buffer)
            if token == self.model.eos:
                reason = Reason.EOS
                break
            data = (token % 256**size).to_bytes(size, "little") + crc.to_bytes(
                4, "little"
            ) * with_crc
            buffer.add(data, self.now)
            count += 1
            newlines = newlines + 1 if token == NEWLINE else 0
            if newlines == 2 and request.flags & GenerateFlag.BLANK_LINE:
                reason = Reason.BLANK_LINE
                break
        yield from self._send(buffer.close())
        return replace(done, reason=reason, count=count)

    def _sample(self, temperature: int) -> tuple[int, int]:
        """One token and the CRC of the logits it was drawn from."""
        assert self.model is not None
        self._flush_pending()
        if self._empty:
            self._enter(self.model.eos or 0)
        logits = self.model.numerics.logits()
        self._pending = self._sampler.sample(logits, temperature)
        self._count(tokens=1)
        return self._pending, logit_crc(logits)

    def _drop_load(self) -> None:
        self._image: bytearray | None = None
        self._next_model: LoadedModel | None = None

    def _begin_load(self, done: Done) -> Generator[StepOutcome, None, Done]:
        self._image_size = int.from_bytes((yield from self._receive(4)), "little")
        if self._load is None:
            return replace(done, status=Status.UNSUPPORTED)
        self._install(None)
        self._drop_load()
        if self._image_size:  # no image is empty: such a load has failed already
            self._image = bytearray()
        return done

    def _load_part(self, done: Done) -> Generator[StepOutcome, None, Done]:
        """Take bytes of the image; the last one shows whether it is one."""
        if self._image is None:
            return replace(done, status=Status.NO_LOAD)
        if self._image_size > _MAX_IMAGE:
            self._drop_load()
            return replace(done, status=Status.BAD_IMAGE)
        while self._left and len(self._image) < self._image_size:
            rest = min(self._left, self._image_size - len(self._image))
            self._image += yield from self._receive(min(rest, max(1, self._endpoint.readable)))
        if len(self._image) < self._image_size:
            return done
        assert self._load is not None
        data = bytes(self._image)
        self._drop_load()
        try:
            model = self._load(data)
        except InputError:
            return replace(done, status=Status.BAD_IMAGE)
        if self._left:
            return replace(done, status=Status.BAD_LENGTH)
        self._next_model = model
        return done

    def _end_load(self, done: Done) -> Done:
        model, is_short = self._next_model, self._image is not None
        self._drop_load()
        if model is None:
            return replace(done, status=Status.BAD_LENGTH if is_short else Status.NO_LOAD)
        self._install(model)
        return done if self.model else replace(done, status=Status.SELF_TEST)

    def _flush(self, buffer: MessageBuffer) -> Task:
        """Send what is full or old of an open buffer."""
        for closed in buffer.take(self.now):
            yield from self._send(closed)


def _self_test(model: LoadedModel | None) -> SelfTest:
    """Replay the golden tokens. The bytes of the image were checked when it was read."""
    if model is None:
        return SelfTest.NO_MODEL
    if model.is_golden is None:
        return SelfTest.NOT_RUN
    model.numerics.clear()
    return SelfTest.PASSED if model.is_golden(model.numerics) else SelfTest.TOKEN_FAILED
