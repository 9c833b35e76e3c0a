# SPDX-License-Identifier: MIT
"""cocotb tests of the device through its UART pins, against the software device ``ref:``.

Environment: ``GLINT_BENCH``, a file with a `Bench`.
"""

import json
from pathlib import Path
from typing import Any

import cocotb
from cocotb.simtime import get_sim_time

from glintfpga.firmware.blink.image import Image
from glintfpga.firmware.blink.row_facts import RowFacts
from glintfpga.firmware.wire.messages import Done, generate, message, prompt, score, set_baud
from glintfpga.firmware.wire.messages import load as load_messages
from glintfpga.firmware.wire.protocol import BAUDS, HelloFlag, Op, Status
from glintfpga.sim.host import SimHost
from support.cocotb_bench import Bench
from support.cocotb_line import CocotbHost, CocotbLine
from support.virtual_uart import reference_line


class Pair:
    """The gateware and the software device, asked the same."""

    def __init__(self, bench: Bench, host: CocotbHost):
        self.bench = bench
        self.host = host
        self.image = Image.read(bench.image)
        self.vocab = self.image.model.vocab
        self.oracle = SimHost(reference_line(self.image, lanes=bench.lanes))

    async def ask(self, *messages: bytes) -> list[tuple[int, bytes]]:
        """The replies, which must be equal."""
        found = join(await self.host.ask(*messages))
        assert found == join(self.oracle.ask(*messages))
        return found


def join(replies: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Adjacent bodies of one kind as one: where answers are cut is up to the device."""
    joined: list[tuple[int, bytes]] = []
    for op, body in replies:
        if joined and op == joined[-1][0] != Op.DONE:
            body = joined.pop()[1] + body
        joined.append((op, body))
    return joined


@cocotb.test()
async def device_equals_software(dut: Any) -> None:
    """One session from power-up on."""
    bench = Bench.read()
    line = CocotbLine(dut, clk_hz=bench.clk_hz, baud=bench.baud)
    await line.start()
    pair = Pair(bench, CocotbHost(line))
    steps = [hello, greedy_answer]
    if bench.other:
        steps += [sampled_answers, scores, refusals, damaged_frames, load]
    for step in steps:
        await step(pair)
        dut._log.info("%s: %.0f us", step.__name__, get_sim_time("us"))


async def hello(pair: Pair) -> None:
    await pair.host.ask()
    info = pair.host.session.endpoint.info
    assert info is not None
    assert info.flags == HelloFlag.MODEL | HelloFlag.DEFAULT_IMAGE
    assert RowFacts.of(info) == RowFacts(lanes=pair.bench.lanes, plan=pair.image.model.plan)
    assert (info.image_crc, info.image_header) == (pair.image.crc, pair.image.header)
    assert info.clock_hz == pair.bench.clk_hz


async def greedy_answer(pair: Pair) -> None:
    tokens = [ord(letter) % pair.vocab for letter in pair.bench.text]
    replies = await pair.ask(prompt(tokens, pair.vocab), generate(pair.bench.count, crc=True))
    written = [(int(op), body.hex()) for op, body in replies]
    Path(pair.bench.replies).write_text(json.dumps(written), encoding="utf-8")


async def sampled_answers(pair: Pair) -> None:
    await pair.ask(generate(7, temperature=205, seed=12345, crc=True))
    await pair.ask(generate(5, temperature=1023, crc=True))
    await pair.ask(message(Op.RESET), generate(3, crc=True))


async def scores(pair: Pair) -> None:
    """Every id is entered: no row of the input embedding stays unseen."""
    ids = range(pair.vocab)
    await pair.ask(message(Op.RESET), score(ids, pair.vocab), score([5], pair.vocab, logits=True))


async def refusals(pair: Pair) -> None:
    replies = await pair.ask(
        set_baud(len(BAUDS)), prompt([pair.vocab], pair.vocab + 1), message(Op.GENERATE, b"short")
    )
    statuses = [Done.decode(body).status for _, body in replies]
    assert statuses == [Status.BAD_ARGUMENT, Status.BAD_TOKEN, Status.BAD_LENGTH]


async def damaged_frames(pair: Pair) -> None:
    pieces = 0

    def damage(data: bytes) -> bytes:
        nonlocal pieces
        if len(data) < 4:
            return data
        pieces += 1
        at = len(data) // 2
        changed = data[at] ^ 0x10 or 0x20
        return data[:at] + bytes([changed]) + data[at + 1 :] if pieces % 29 == 1 else data

    pair.host.damage = damage
    for _ in range(3):
        await pair.ask(prompt([3, 1, 2], pair.vocab), generate(4, crc=True))
    pair.host.damage = bytes
    assert pair.host.session.endpoint.retries > 0


async def load(pair: Pair) -> None:
    image = Image.read(pair.bench.other)
    vocab = image.model.vocab
    await pair.ask(*load_messages(image.data, part=500))
    await pair.ask(prompt([vocab - 1, 0], vocab), generate(5, crc=True))
