# SPDX-License-Identifier: MIT
"""Any commands in any order over a bad line, on the software device and on the gateware.

After every step the device's answers are those of an `Oracle`. Where a session ends in the middle
of a command, nobody outside knows how far the device got: then there are several oracles, one for
each state the rules allow, and every later answer must be that of at least one of them.
"""

import random
import time

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.messages import (
    Counters,
    Done,
    encode_tokens,
    generate,
    load,
    message,
    score,
    token_bytes,
)
from glintfpga.firmware.wire.protocol import (
    BAUDS,
    MESSAGE_HEADER,
    Op,
    Reason,
    Status,
    payload_limit,
)
from glintfpga.host.device.link import Link
from glintfpga.sim.line import SimLine
from glintfpga.sim.shipped import shipped_sim
from support.bad_line import FAULTS, TO_DEVICE, TO_HOST, BadLine
from support.damage import TALLY, Tally, damaged
from support.load_cases import LOAD_CASES, load_case
from support.oracle import Oracle
from support.shipping.rebuild_sim import CONFIG

LOADS = (Op.LOAD, Op.LOAD_PART, Op.LOAD_END)
PARTS = st.sampled_from([300, 1000, 5000, 65535])


class Machine(RuleBasedStateMachine):
    """Rules for both devices; ``start`` gives line, link, and the oracle of the first state."""

    def __init__(self, start, images):
        super().__init__()
        self.images = images
        self.line, self.link, oracle = start()
        self.oracles = [oracle]
        self.damages = False
        self.asked = 0

    def teardown(self):
        tally = TALLY.setdefault(self.line.title, Tally())
        tally.attempts += self.asked
        tally.octets += self.line.take_count()

    @initialize(which=st.integers(0, 99))
    def first_model(self, which):
        if which % len(self.images):
            self.take(load(self.images[which % len(self.images)].data))

    # What the device says

    def ask(self, *messages, collect=True):
        self.asked += len(messages)
        self.link.send(b"".join(messages))
        return [self.collect() for _ in messages] if collect else []

    def collect(self):
        bodies = {}
        while True:
            op, body = self.link.receive()
            if op == Op.DONE:
                return bodies, Done.decode(body)
            assert 0 < len(body) <= payload_limit(self.link.baud) - MESSAGE_HEADER
            bodies[Op(op)] = bodies.get(op, b"") + body

    def check(self, messages, replies):
        """Keep the oracles that would have said this; there must be one."""
        kept, wanted = [], []
        # How many tokens came before an ABORT was heard is up to the device.
        most = [None] * len(messages)
        for at, after in enumerate(messages[1:]):
            if after[0] == Op.ABORT and replies[at][1].reason == Reason.ABORT:
                most[at] = replies[at][1].count
        for oracle in self.oracles:
            expected = []
            for asked, limit, (_, done) in zip(messages, most, replies, strict=True):
                early = done.status == Status.BAD_IMAGE and self.may_be_early(oracle, asked)
                expected.append(oracle.answer(asked, limit, early=early))
            wanted.append(expected)
            if expected == replies:
                kept.append(oracle)
        assert kept, f"the device said {replies}, the rules want one of {wanted}"
        self.oracles = kept

    def may_be_early(self, oracle, asked):
        """Whether a device may see by this part that no image comes of it, with bytes missing."""
        if not self.looks_early or asked[0] != Op.LOAD_PART or oracle.load is None:
            return False
        size, before = oracle.load
        held = before + asked[MESSAGE_HEADER:]
        return not any(
            len(image.data) == size and image.data.startswith(held)
            for image in self.images
            if image.model.plan.code == oracle.plan
        )

    def check_hello(self):
        info = self.link.info
        for oracle in self.oracles:
            oracle.new_session()
        said = info.flags, info.image_header, info.image_crc
        self.oracles = [oracle for oracle in self.oracles if oracle.hello == said]
        assert self.oracles, f"the device says {said}"
        assert RowFacts.of(info).lanes == CONFIG.lanes and BAUDS[info.baud_index] == self.link.baud

    def exchange(self, *messages):
        self.check(messages, self.ask(*messages))

    def probe(self):
        """One more token, whose logits tell what is in the context."""
        if self.oracles[0].image is not None:
            self.exchange(score([1], self.vocab))

    @property
    def vocab(self):
        image = self.oracles[0].image
        return 257 if image is None else image.model.vocab

    def draw_message(self, data):
        vocab = self.vocab
        sendable = min(vocab, 1 << 8 * token_bytes(vocab))
        tokens = st.lists(st.integers(0, sendable - 1), max_size=12)
        kind = data.draw(st.sampled_from(["prompt", "score", "generate", "reset", "wrong"]))
        if kind == "prompt":
            return message(Op.PROMPT, encode_tokens(data.draw(tokens), vocab))
        if kind == "score":
            return score(data.draw(tokens)[:4], vocab, logits=data.draw(st.booleans()))
        if kind == "generate":
            return self.draw_generate(data)
        return message(Op.RESET) if kind == "reset" else data.draw(WRONG)

    def draw_generate(self, data, *counts):
        return generate(
            data.draw(st.integers(*counts or (0, 40))),
            temperature=data.draw(st.sampled_from([0, 1, 205, 1023])),
            seed=data.draw(st.none() | st.integers(0, 2**64 - 1)),
            blank_line=data.draw(st.booleans()),
            crc=data.draw(st.booleans()),
        )

    # Rules

    @rule(data=st.data())
    def command(self, data):
        self.exchange(self.draw_message(data))

    @rule(data=st.data())
    def answer_and_probe(self, data):
        self.exchange(self.draw_generate(data))
        self.probe()

    @rule(data=st.data())
    def commands_in_one_go(self, data):
        self.exchange(*(self.draw_message(data) for _ in range(data.draw(st.integers(2, 5)))))

    @rule(data=st.data(), rest=st.binary(max_size=3), op=st.sampled_from([Op.PROMPT, Op.SCORE]))
    def any_tokens(self, data, rest, op):
        """Ids outside the vocabulary, halves of ids, flags that do not exist."""
        size, vocab = token_bytes(self.vocab), self.vocab
        ids = st.sampled_from([0, 1, vocab - 1, vocab, 1 << 8 * size]).map(
            lambda token: (token & (1 << 8 * size) - 1).to_bytes(size, "little")
        )
        flags = b"\0" * (op == Op.SCORE)
        self.exchange(message(op, flags + b"".join(data.draw(st.lists(ids))) + rest))
        self.probe()

    @rule(size=st.integers(100, 1200), seed=st.integers(0, 9))
    def long_prompt(self, size, seed):
        vocab = self.vocab
        rng = random.Random(seed)
        tokens = [rng.randrange(min(vocab, 256)) for _ in range(min(size, self.long))]
        self.exchange(message(Op.PROMPT, encode_tokens(tokens, vocab)))

    @rule()
    def counters(self):
        bodies, done = self.ask(message(Op.COUNTERS))[0]
        assert done == Done(op=Op.COUNTERS)
        said = Counters.decode(bodies[Op.COUNTED])
        self.oracles = [
            oracle
            for oracle in self.oracles
            if (oracle.counters.tokens, oracle.counters.prefill_tokens)
            == (said.tokens, said.prefill_tokens)
        ]
        assert self.oracles, said
        assert self.damages or said.crc_errors == self.oracles[0].counters.crc_errors
        assert said.crc_errors <= said.dropped and said.token_cycles <= said.total_cycles

    @rule(data=st.data(), wait=st.integers(0, 30))
    def abort(self, data, wait):
        asked = self.draw_generate(data, 100, 300)
        self.ask(asked, collect=False)
        for _ in range(wait):
            self.link._pump(0.0005)
        self.ask(message(Op.ABORT), collect=False)
        self.check([asked, message(Op.ABORT)], [self.collect(), self.collect()])
        self.probe()

    def take(self, messages):
        self.exchange(*messages)
        self.hello()
        self.probe()

    @rule(which=st.integers(0, 99), part=PARTS)
    def load(self, which, part):
        self.take(load(self.images[which % len(self.images)].data, part=part))

    @rule(which=st.integers(0, 99), rng=st.randoms(use_true_random=False), part=PARTS)
    def load_damaged(self, which, rng, part):
        data = damaged(rng, self.images[which % len(self.images)].data)
        self.take(load(data, part=part))

    @rule(data=st.data(), which=st.integers(0, 99), part=PARTS)
    def load_with_commands_between(self, data, which, part):
        for one in load(self.images[which % len(self.images)].data, part=part):
            self.exchange(one, *(self.draw_message(data) for _ in range(data.draw(FEW))))
        self.probe()

    @rule(
        which=st.integers(0, 99), part=PARTS, more=st.integers(-9, 9), extra=st.binary(max_size=9)
    )
    def load_of_another_size(self, which, part, more, extra):
        """The size that LOAD tells is not that of the image, or more bytes come than it told."""
        image = self.images[which % len(self.images)].data
        _, *parts, end = load(image + extra, part=part)
        size = max(0, len(image) + more)
        self.take([message(Op.LOAD, size.to_bytes(4, "little")), *parts, end])

    @rule(data=st.data(), which=st.integers(0, 99))
    def load_out_of_order(self, data, which):
        """Parts without a load, loads without an end, ends without parts."""
        whole = load(self.images[which % len(self.images)].data, part=5000)
        some = st.lists(st.sampled_from(whole) | WRONG, min_size=1, max_size=6)
        begun = whole[: data.draw(st.integers(0, len(whole)))]
        self.exchange(*begun, *data.draw(some))
        self.probe()

    @rule()
    def hello(self):
        self.asked += 1
        self.link.greet()
        self.check_hello()

    @rule(data=st.data(), wait=st.integers(0, 20))
    def session_ends_within(self, data, wait):
        if data.draw(st.booleans()):
            messages = [self.draw_message(data)]
        else:
            image = data.draw(st.sampled_from(self.images))
            messages = load(image.data, part=data.draw(PARTS))
        whole = b"".join(messages)
        size = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
        self.ask(whole[:size], collect=False)
        for _ in range(wait):
            self.link._pump(0.0005)
        reached, at = [], 0
        for one in messages:  # a load does nothing that lasts before a message of it is whole
            if at + len(one) <= size or (at < size and one[0] not in LOADS):
                reached.append(one)
            at += len(one)
        states = [state for oracle in self.oracles for state in oracle.interrupted(*reached)]
        self.oracles = list({oracle.state: oracle for oracle in states}.values())
        self.hello()
        self.counters()  # they tell how many tokens it had come to

    @rule(octets=st.binary(max_size=400))
    def rubbish_on_the_line(self, octets):
        self.damages = True
        self.line.inner.write(octets + b"\0")
        self.command_after_damage()

    @rule(
        plan=st.lists(
            st.tuples(
                st.sampled_from([TO_DEVICE, TO_HOST]),
                st.sampled_from(FAULTS),
                st.integers(0, 9999),
            ),
            min_size=1,
            max_size=4,
        ),
        data=st.data(),
    )
    def command_over_a_bad_line(self, plan, data):
        self.damages = True
        for way, fault, number in plan:
            self.line.plans[way].append((fault, number))
        self.exchange(self.draw_message(data))
        for plans in self.line.plans:
            plans.clear()

    def command_after_damage(self):
        self.exchange(message(Op.SCORE, b"\0"))

    @precondition(lambda self: self.may_change_rate)
    @rule(index=st.integers(0, len(BAUDS) - 1))
    def set_baud(self, index):
        assert self.link.set_baud(BAUDS[index])
        self.hello()

    @precondition(lambda self: self.may_change_rate)
    @rule()
    def reconnect(self):
        """At 115200 baud, wherever the device is; it comes back there by itself."""
        self.link.connect()
        self.check_hello()


FEW = st.integers(0, 2)
WRONG = st.sampled_from(
    [
        message(Op.RESET, b"x"),
        message(Op.ABORT),
        message(Op.ABORT, b"xy"),
        message(Op.COUNTERS, b"x"),
        message(Op.GENERATE, bytes(14)),
        message(Op.GENERATE, b"\1\0\0\0\xff\xff\0" + bytes(8)),
        message(Op.GENERATE, b"\1\0\0\0\0\0\x08" + bytes(8)),
        message(Op.SCORE),
        message(Op.SCORE, b"\x02"),
        message(Op.SET_BAUD, b"\x05"),
        message(Op.SET_BAUD, b"\xff"),
        message(Op.SET_BAUD),
        message(Op.TOKENS, b"x"),
        message(Op.LOAD),
        message(Op.LOAD, bytes(3)),
        message(Op.LOAD, bytes(5)),
        message(Op.LOAD_PART),
        message(Op.LOAD_PART, b"GLNT" + bytes(300)),
        message(Op.LOAD_END),
        message(Op.LOAD_END, b"x"),
        b"\x0b\0\0",
        b"\0\0\0",
        b"\xff\5\0hello",
    ]
)


@pytest.fixture(scope="module")
def images(new_image):
    """Small models of all kinds: with and without EOS, wide tokens, thinking, few ids."""
    return [
        new_image(),
        new_image(seed=2, vocab=64, eos=None),
        new_image(seed=3, vocab=300, eos=299, window=3),
        new_image(seed=4, vocab=12, eos=3, loops=1, thinking=2, window=9),
        new_image(seed=5, vocab=2, eos=None, loops=1, hidden=1, window=1),
        new_image(seed=6, vocab=11, eos=0, prelude=1, loops=1, window=17),
        new_image(seed=7, plan=9),
    ]


class OnSoftware(Machine):
    long = 1200
    may_change_rate = True
    looks_early = False


class OnGateware(Machine):
    long = 400
    may_change_rate = False
    looks_early = True


def run(machine, name, *, examples, steps):
    began = time.process_time()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
        ),
    )
    TALLY[name].seconds += time.process_time() - began


@pytest.fixture
def on_software(new_world, images):
    def start():
        line = BadLine(new_world(images[0]).open(), "software device")
        link = Link(opener=lambda: line)
        link.connect()
        return line, link, Oracle(images[0], lanes=CONFIG.lanes)

    return lambda: OnSoftware(start, images)


@pytest.mark.parametrize("examples", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_software_device(on_software, examples):
    run(on_software, "software device", examples=examples, steps=30)


@pytest.mark.parametrize("name", LOAD_CASES)
def test_loads_on_software(on_software, images, name):
    machine = on_software()
    machine.take(load_case(images[1].data, name))
    machine.take(load(images[2].data))


@pytest.mark.parametrize("sent", range(1, 4))
def test_a_hello_within_a_load(on_software, images, sent):
    machine = on_software()
    messages = load(images[1].data, part=len(images[1].data) // 2 + 1)
    machine.exchange(*messages[:sent])
    machine.oracles = machine.oracles[0].interrupted()
    machine.hello()
    machine.exchange(*messages[sent:])
    machine.take(load(images[2].data))


@pytest.fixture(scope="module")
def board():
    """The simulated board at its highest rate; opening one takes as long as many commands."""
    bad = BadLine(SimLine(shipped_sim()), "gateware")
    link = Link(opener=lambda: bad)
    link.connect()
    assert link.set_baud(BAUDS[-1])
    return bad, link


@pytest.fixture
def on_gateware(board, images):
    def start():
        line, link = board
        machine = Machine(lambda: (line, link, Oracle(images[0], lanes=CONFIG.lanes)), images)
        link.greet()
        machine.ask(*load(images[0].data), generate(0, seed=0))
        bodies, _ = machine.ask(message(Op.COUNTERS))[0]
        said = Counters.decode(bodies[Op.COUNTED])
        oracle = Oracle(images[0], lanes=CONFIG.lanes)
        oracle.is_default = False
        oracle.counters = Counters(
            tokens=said.tokens,
            prefill_tokens=said.prefill_tokens,
            crc_errors=said.crc_errors,
        )
        return line, link, oracle

    return lambda: OnGateware(start, images)


@pytest.mark.parametrize(
    ("examples", "steps"), [(3, 5), pytest.param(20, 30, marks=pytest.mark.slow)]
)
def test_gateware(on_gateware, examples, steps):
    run(on_gateware, "gateware", examples=examples, steps=steps)


def test_loads_on_gateware(on_gateware, images):
    machine = on_gateware()
    for name in LOAD_CASES:
        machine.take(load_case(images[4].data, name))
        machine.take(load(images[4].data))
