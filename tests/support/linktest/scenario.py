# SPDX-License-Identifier: MIT
"""One conversation over a bad line: what came through, what it cost, and whether it adds up."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from glintfpga.firmware.wire.byte_line import LinkLost
from glintfpga.firmware.wire.messages import Counters
from glintfpga.firmware.wire.protocol import RETRY_S
from glintfpga.host.device.client import Client
from glintfpga.quant.errors import DeviceError
from support.line_faults import FaultyLine, HungError
from support.link_monitor import LinkMonitor
from support.linktest.watched_line import LinkMonitors, MonitoredLink

__all__ = ["LIMIT_S", "Item", "Outcome", "Script", "run_script", "undamaged"]

LIMIT_S = 300.0
"""Of the device's time. The worst lines lose seven frames of eight at the first rate, so that each
takes 0.4 s, and nearly all long ones at the others."""
WAIT_S = 0.4
"""Before the next attempt to reach a device that was lost."""

SETTLE_S = 0.1
"""After this on a healed line nothing is under way, and neither end sends again: two timers."""

Item = tuple[object, ...]
"""One part of an answer: a token with its CRC, a position's score, how an answer ended."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """What a host sends, from a seed; ``image`` is loaded first. ``size`` scales all of it."""

    seed: int
    image: bytes | None
    size: int = 100

    def play(self, client: Client) -> Iterator[Item]:
        """Connect, send everything, and yield what the device answers, as it comes."""
        rng = random.Random(self.seed)
        client.connect()
        client.fastest()
        if self.image is not None:
            client.load(self.image)
        client.reset()
        client.prompt(rng.randbytes(rng.randint(1, 2 * self.size)))
        answer = client.generate(self.size, temperature=0.8, seed=self.seed, crcs=True)
        for token in answer:
            yield "token", token.id, token.crc
        yield "reason", answer.reason
        client.prompt(b"To be")
        for token in (answer := client.generate(2 * self.size, stop_blank=True)):
            yield "token", token.id
        yield "reason", answer.reason
        some = rng.randbytes(1 + self.size // 25)
        for score in client.score(some, logits=self.seed % 2 == 0):
            yield "score", score.crc, score.logits


@dataclass(kw_only=True)
class Outcome:
    """What a conversation came to. Frames are those of both directions together.

    ``faults`` that struck; ``items`` delivered, ``wrong`` those that differ from the undamaged
    conversation; ``complaint``, what does not hold, else empty; ``seconds`` of the device's time.
    """

    faults: int = 0
    items: int = 0
    wrong: int = 0
    attempts: int = 1
    seconds: float = 0.0
    sent: int = 0
    valid: int = 0
    damaged: int = 0
    refused: int = 0
    forged: int = 0
    host_retries: int = 0
    device_retries: int = 0
    hung: bool = False
    complaint: str = ""
    transcript: list[Item] = field(default_factory=list, repr=False)


def undamaged(script: Script, line: FaultyLine, monitors: LinkMonitors) -> list[Item]:
    """What the device answers over this line, which must have no faults."""
    outcome = run_script(script, line, monitors, right=None)
    assert not outcome.complaint and outcome.attempts == 1, outcome
    return outcome.transcript


def run_script(
    script: Script,
    line: FaultyLine,
    monitors: LinkMonitors,
    *,
    right: list[Item] | None,
    counters: Callable[[], Counters] | None = None,
) -> Outcome:
    """Play a script until it has come through; a lost line is opened and all said again.

    ``counters`` reads those of the device, where that is possible without a command.
    """
    outcome = Outcome()
    line.limit = LIMIT_S
    link = MonitoredLink(opener=line.replug, monitors=monitors)
    client = Client(link)
    try:
        while True:
            try:
                _listen(script, client, right, outcome)
                outcome.seconds = line.clock()
                line.heal()
                link.receive_soon(SETTLE_S)
                counted = client.counters()
                break
            except LinkLost:
                outcome.attempts += 1
                _pass_time(line, WAIT_S)
        _check_counters(outcome, link, monitors, counted)
        if counters is not None and counted != counters():
            outcome.complaint = f"the device counts {counters()} and says {counted}"
    except HungError:
        outcome.hung, outcome.seconds = True, line.clock()
        outcome.complaint = f"no end after {LIMIT_S} s"
    except DeviceError as error:
        outcome.complaint = f"the host says: {error}"
    outcome.faults = sum(line.done.values())
    outcome.sent = monitors.from_host.total() + monitors.from_device.total()
    return outcome


def _listen(script: Script, client: Client, right: list[Item] | None, outcome: Outcome) -> None:
    outcome.transcript = []
    for item in script.play(client):
        at = len(outcome.transcript)
        outcome.transcript.append(item)
        outcome.items += 1
        outcome.wrong += right is not None and item != (right[at] if at < len(right) else None)
    if right is not None and len(outcome.transcript) != len(right):
        outcome.complaint = f"{len(outcome.transcript)} items came, {len(right)} were due"
    if outcome.wrong:
        outcome.complaint = f"{outcome.wrong} items differ"


def _pass_time(line: FaultyLine, seconds: float) -> None:
    """Let the device's clock go on while the line is away; what it sends is lost."""
    end = line.clock() + seconds
    while line.clock() < end:
        line.inner.read(1 << 16, end - line.clock())


def _check_counters(
    outcome: Outcome, link: MonitoredLink, monitors: LinkMonitors, counted: Counters
) -> None:
    """Compare both ends' counters with what they received."""
    lives: list[LinkMonitor] = [monitors.host, *monitors.device_monitors]
    outcome.valid = sum(life.valid for life in lives)
    outcome.damaged = sum(life.damaged for life in lives)
    outcome.refused = sum(life.refused for life in lives)
    outcome.forged = sum(life.forged for life in lives)
    outcome.host_retries, outcome.device_retries = link.retries, counted.retries
    for who, monitor, dropped, crc_errors in (
        ("host", monitors.host, link.dropped, link.crc_errors),
        ("device", monitors.device, counted.dropped, counted.crc_errors),
    ):
        if (dropped, crc_errors) != (monitor.dropped, monitor.damaged):
            outcome.complaint = (
                f"the {who} counts {dropped} dropped and {crc_errors} damaged frames, "
                f"received were {monitor.dropped} and {monitor.damaged}"
            )
    # A timer fires once in 50 ms; an ack repeated makes one more, until it advances or the timer
    # fires; it advances once a valid frame at the most.
    seconds = link.clock()
    for who, retries, received in (
        ("host", link.retries, monitors.host.valid),
        ("device", counted.retries, monitors.device.valid),
    ):
        if retries > 2 * seconds / RETRY_S + received:
            outcome.complaint = f"the {who} sent again {retries} times in {seconds:.1f} s"
