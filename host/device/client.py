# SPDX-License-Identifier: MIT
"""What a device can do, as methods; the same for a board, a simulation and software."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from glintfpga.firmware.wire.hello import HelloInfo
from glintfpga.firmware.wire.messages import (
    Counters,
    Done,
    generate,
    load,
    message,
    prompt,
    score,
    token_bytes,
)
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    MAX_MESSAGE,
    MAX_TEMPERATURE,
    MESSAGE_HEADER,
    TO_HOST_RING,
    HelloFlag,
    Op,
    Reason,
    SelfTest,
    Status,
)
from glintfpga.host.device.families import (
    Machine,
    is_for_chat,
    machine_of,
    model_id_of,
    vocab_of,
)
from glintfpga.host.device.link import Link
from glintfpga.quant.errors import DeviceError, InputError

__all__ = ["Answer", "Client", "Score", "Token"]

UNDERWAY = TO_HOST_RING + MAX_MESSAGE
"""Tokens that may still come behind an ABORT: more than rings and a message hold."""

WORDS = {
    Status.NO_MODEL: "it holds no model; load one: glintfpga load PORT MODEL",
    Status.BAD_TOKEN: "a token lies outside its vocabulary; load the model the prompt is meant for",
    Status.BAD_LENGTH: "the length is wrong; update host and bitstream to the same release",
    Status.BAD_IMAGE: "the image is damaged or does not fit; the device now holds no model",
    Status.UNKNOWN_OP: "it does not know the command; flash the bitstream of this release",
    Status.BAD_ARGUMENT: "an argument is out of range; update host and bitstream",
    Status.NO_LOAD: "it has no image to go on with; load it again",
    Status.SELF_TEST: "the model failed its self-test; load it again, or flash the bitstream again",
    Status.UNSUPPORTED: "it cannot do that; use ref: or sim:",
}
"""What a status means for the user."""

FAILED_TESTS = {
    SelfTest.MEMORY_FAILED: "its memory does not hold the model as it was loaded; "
    "load it again: glintfpga load PORT MODEL, or flash the bitstream again",
    SelfTest.TOKEN_FAILED: "it computes other logits than its model should; "
    "flash the bitstream again, then run: glintfpga verify PORT",
}
"""What a failed self-test means for the user."""


@dataclass(frozen=True)
class Token:
    """A sampled token and, if asked for, the CRC-32 of the logits it was drawn from."""

    id: int
    crc: int | None = None


@dataclass(frozen=True)
class Score:
    """CRC-32 of one position's logits and, if asked for, the logits, with 8 fractional bits."""

    crc: int
    logits: tuple[int, ...] | None = None


class Client:
    """Commands to one device. Leaving it as a context manager gives the port back.

    All methods wait for the device's answer and raise ``DeviceError`` when it refuses or
    ``LinkLost`` when it is gone. A running `Answer` is aborted when another command is given.
    """

    def __init__(self, link: Link):
        self.link = link
        self._answer: Answer | None = None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception: object) -> None:
        self.link.close()

    @property
    def info(self) -> HelloInfo:
        """The device's last hello."""
        return self.link.info

    @property
    def machine(self) -> Machine:
        """The device's machine, as it was built."""
        return machine_of(self.info)

    @property
    def has_model(self) -> bool:
        return bool(self.info.flags & HelloFlag.MODEL)

    @property
    def vocab(self) -> int:
        """Size of the vocabulary of the loaded model."""
        self._need_model()
        return vocab_of(self.info.image_header)

    @property
    def for_chat(self) -> bool:
        """Whether the loaded model was trained on dialogues, see
        `glintfpga.quant.chat_template`."""
        self._need_model()
        return is_for_chat(self.info.image_header)

    @property
    def model_id(self) -> str:
        """The loaded model: the sha256 in its image, in hexadecimal."""
        self._need_model()
        return model_id_of(self.info.image_header)

    def connect(self) -> HelloInfo:
        """Greet the device, again if the line was lost; a running answer is forgotten."""
        self._answer = None
        return self.link.connect()

    def reset(self) -> None:
        """Empty the context."""
        self._command(message(Op.RESET), Op.RESET)

    def prompt(self, tokens: Sequence[int]) -> None:
        """Append tokens (``bytes`` for byte models) to the context."""
        for part in _parts(tokens, self.vocab):
            self._command(prompt(part, self.vocab), Op.PROMPT)

    def generate(
        self,
        count: int,
        *,
        temperature: float = 0.0,
        seed: int | None = None,
        stop_blank: bool = False,
        crcs: bool = False,
    ) -> "Answer":
        """Sample up to ``count`` tokens; iterate over the result to get them as they come.

        ``temperature`` is rounded to 1/256; 0 is greedy. Without a seed the noise goes on where
        the last answer left it. ``stop_blank`` also ends at two newlines in a row.
        """
        steps = round(temperature * 256) if math.isfinite(temperature) else -1
        if not 0 <= steps <= MAX_TEMPERATURE:
            limit = MAX_TEMPERATURE / 256
            raise InputError(f"temperature must be 0..{limit:.2f}, not {temperature!r}")
        self._need_model()
        self._finish()
        self.link.send(
            generate(count, temperature=steps, seed=seed, blank_line=stop_blank, crc=crcs)
        )
        self._answer = Answer(self.link, count, vocab=self.vocab, crcs=crcs)
        return self._answer

    def score(self, tokens: Sequence[int], *, logits: bool = False) -> list[Score]:
        """Append tokens one by one and report the logits after each."""
        scores: list[Score] = []
        for part in _parts(tokens, self.vocab):
            size = 4 + 4 * self.vocab * logits
            data = self._command(
                score(part, self.vocab, logits=logits), Op.SCORE, Op.SCORES, len(part) * size
            )
            scores += _scores(data, self.vocab if logits else 0)
        return scores

    def load(self, image: bytes, *, progress: Callable[[int], None] = lambda sent: None) -> None:
        """Replace the model by an image; the context is empty afterward.

        ``progress`` is called with the bytes on their way.
        Raises ``DeviceError`` when the device refuses it; it then holds no model.
        """
        begin, *parts, end = load(image)
        self._command(begin, Op.LOAD)
        for number, part in enumerate(parts):
            self._command(part, Op.LOAD_PART, progress=_behind(number * MAX_MESSAGE, progress))
        self._command(end, Op.LOAD_END)
        self.link.greet()  # the hello tells what it now holds

    def counters(self) -> Counters:
        """The device's counters, see `Counters`."""
        request = message(Op.COUNTERS)
        size = len(Counters().encode())
        return Counters.decode(self._command(request, Op.COUNTERS, Op.COUNTED, size))

    def set_baud(self, baud: int) -> bool:
        """Go to one rate of ``BAUDS``; returns whether it works (else 115200 again)."""
        if baud not in BAUDS:
            raise InputError(f"baud must be one of {', '.join(map(str, BAUDS))}, not {baud!r}")
        self._finish()
        return self.link.set_baud(baud)

    def fastest(self, wanted: int = BAUDS[-1]) -> int:
        """Go to the fastest rate up to ``wanted`` that works, and return it."""
        self._finish()
        return self.link.fastest(wanted)

    def _command(
        self,
        request: bytes,
        op: Op,
        answer: Op | None = None,
        size: int = 0,
        *,
        progress: Callable[[int], None] = lambda sent: None,
    ) -> bytes:
        """Send one command; returns the joined bodies of its answer, which must have ``size``."""
        self._finish()
        self.link.send(request, progress=progress)
        data = bytearray()
        while True:
            kind, body = self.link.receive(progress=lambda left: progress(len(request) - left))
            if kind == Op.DONE:
                _check(Done.decode(body), op)
                break
            data += body
            if kind != answer or not body or len(data) > size:
                raise _nonsense(f"{len(body)} bytes of kind {kind:#x}", op)
        if len(data) != size:
            raise _nonsense(f"{len(data)} bytes where {size} were due", op)
        return bytes(data)

    def _finish(self) -> None:
        """End a running answer."""
        if self._answer is not None:
            self._answer.abort()
            before = self._answer.count
            for _ in self._answer:
                if self._answer.count - before > UNDERWAY:
                    raise _nonsense("tokens for ever", Op.ABORT)
            self._answer = None

    def _need_model(self) -> None:
        if (test := self.info.self_test) in FAILED_TESTS:
            raise DeviceError(f"the device failed its self-test: {FAILED_TESTS[SelfTest(test)]}")
        if not self.has_model:
            raise DeviceError(f"the device refused: {WORDS[Status.NO_MODEL]}")


class Answer:
    """The tokens of one ``generate``, as they arrive.

    Attributes:
        reason: why it ended, None while it runs.
        count: tokens that came.
    """

    def __init__(self, link: Link, limit: int, *, vocab: int, crcs: bool):
        self.reason: Reason | None = None
        self.count = 0
        self._link = link
        self._limit = limit
        self._vocab = vocab
        self._crcs = crcs
        self._aborts = 0
        self._tokens = self._receive()

    def __iter__(self) -> Iterator[Token]:
        return self._tokens

    def __next__(self) -> Token:
        return next(self._tokens)

    def abort(self) -> None:
        """End it after the current token; tokens on their way still come."""
        if self.reason is None and not self._aborts:
            self._aborts = 1
            self._link.send(message(Op.ABORT))

    def _receive(self) -> Iterator[Token]:
        while True:
            op, body = self._link.receive()
            if op == Op.DONE:
                break
            tokens = self._decode(body) if op == Op.TOKENS else []
            if not 0 < len(tokens) <= self._limit - self.count:
                raise _nonsense(f"{len(body)} bytes of kind {op:#x}", Op.GENERATE)
            for token in tokens:
                self.count += 1
                yield token
        done = _check(Done.decode(body), Op.GENERATE)
        for _ in range(self._aborts):
            _check(Done.decode(self._link.receive()[1]), Op.ABORT)
        if done.count != self.count:
            raise DeviceError(
                f"the device counted {done.count} tokens, {self.count} arrived; reset it"
            )
        if done.reason not in set(Reason):
            raise _nonsense(f"reason {done.reason}", Op.GENERATE)
        self.reason = Reason(done.reason)

    def _decode(self, body: bytes) -> list[Token]:
        """The tokens of a message; none when a part is missing or an id is outside."""
        width = token_bytes(self._vocab)
        size = width + 4 * self._crcs
        entries = [body[start : start + size] for start in range(0, len(body), size)]
        tokens = [
            Token(
                int.from_bytes(entry[:width], "little"),
                int.from_bytes(entry[width:], "little") if self._crcs else None,
            )
            for entry in entries
        ]
        whole = len(body) % size == 0 and all(token.id < self._vocab for token in tokens)
        return tokens if whole else []


def _behind(before: int, progress: Callable[[int], None]) -> Callable[[int], None]:
    """Progress of a part, as that of the whole."""
    return lambda sent: progress(before + max(0, sent - MESSAGE_HEADER))


def _nonsense(what: str, op: Op) -> DeviceError:
    return DeviceError(f"the device answered {what} to {op.name}; reset it")


def _check(done: Done, op: Op) -> Done:
    if done.op != op:
        raise _nonsense(f"DONE of {done.op:#x}", op)
    if done.status != Status.OK:
        text = WORDS.get(Status(done.status)) if done.status in set(Status) else None
        text = text or f"status {done.status}; flash the bitstream of this release"
        raise DeviceError(f"the device refused {op.name.lower().partition('_')[0]}: {text}")
    return done


def _parts(tokens: Sequence[int], vocab: int) -> Iterator[Sequence[int]]:
    """Pieces that fit a message each, SCORE's flags included."""
    step = (MAX_MESSAGE - 1) // token_bytes(vocab)
    for start in range(0, len(tokens), step):
        yield tokens[start : start + step]


def _scores(data: bytes, words: int) -> Iterator[Score]:
    size = 4 + 4 * words
    for start in range(0, len(data), size):
        entry = data[start : start + size]
        numbers = (entry[at : at + 4] for at in range(4, len(entry), 4))
        logits = tuple(int.from_bytes(number, "little", signed=True) for number in numbers)
        yield Score(int.from_bytes(entry[:4], "little"), logits if words else None)
