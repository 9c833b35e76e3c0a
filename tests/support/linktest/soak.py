# SPDX-License-Identifier: MIT
"""Many tokens in one go: ``python -m support.linktest.soak [--tokens N] [-o]``.

``sim:`` samples with noise and never forgets its context; the C model gives the logits that are
due at each token, and the sampler of the reference draws from them. The memory of the process is
watched. ``-o`` writes the figures into docs/link-under-fire.md.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glintfpga.firmware.blink.image import Image
from glintfpga.host.device.client import Client
from glintfpga.host.device.link import Link
from glintfpga.host.models import image_of
from glintfpga.host.ports.open_port import port_opener
from glintfpga.quant.errors import DeviceError
from glintfpga.quant.numbers.logit_crc import logit_crc
from glintfpga.quant.numbers.sampler import Sampler
from support.c_model import Follower
from support.linktest.doc_section import write_section

__all__ = ["Soak", "main", "resident_bytes", "soak"]

PART = 1000
CRC_PARTS = 10
"""One part in so many comes with the CRC of all logits of each token, which the line doubles."""
STEPS = 205
"""Temperature, in 1/256: 0.8."""
SEED = 1
WARM = 20_000
"""Tokens after which the process has all the memory it needs."""


@dataclass(kw_only=True)
class Soak:
    """What came of it. ``tokens`` with the ends of texts, which are sampled but not sent.

    ``crcs`` compared; ``mismatches`` of both; resident bytes of the process when warm, and at the
    end; ``cycles`` of the core for all tokens; ``losses``, frames that either end threw away or
    sent again.
    """

    tokens: int = 0
    ends: int = 0
    crcs: int = 0
    mismatches: int = 0
    warm_bytes: int = 0
    last_bytes: int = 0
    cycles: int = 0
    losses: int = 0
    seconds: float = 0.0
    used_seconds: float = 0.0

    def __str__(self) -> str:
        mega = 1 << 20
        return (
            f"{self.tokens:,} tokens ({self.ends:,} of them ends of a text), {self.crcs:,} CRCs of "
            f"all logits, {self.mismatches} mismatches, {self.losses} frames lost or sent again, "
            f"{self.cycles / max(1, self.tokens):.1f} cycles per token; resident memory "
            f"{self.warm_bytes / mega:.1f} MiB after {WARM:,} tokens, "
            f"{self.last_bytes / mega:.1f} MiB at the end; {self.seconds:,.0f} s, "
            f"{self.used_seconds:,.0f} s of them on the processor"
        )


def resident_bytes() -> int:
    """Memory of this process that is in use now; 0 where /proc does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * 4096


def soak(
    client: Client,
    follower: Follower,
    image: Image,
    tokens: int,
    *,
    progress: Callable[[Soak], None] = lambda soak: None,
) -> Soak:
    """Sample ``tokens`` on a connected device that holds ``image``, and compare each.

    ``progress`` is called after each part. Raises ``DeviceError`` as `Client` does.
    """
    done, sampler = Soak(), Sampler()
    before = client.counters()
    client.reset()
    sampler.reseed(SEED)
    eos = image.model.eos
    last, part = eos or 0, 0
    began, used = time.monotonic(), time.process_time()
    seed: int | None = SEED
    while done.tokens < tokens:
        with_crcs = part % CRC_PARTS == 0
        count = min(PART, tokens - done.tokens)
        answer = client.generate(count, temperature=STEPS / 256, seed=seed, crcs=with_crcs)
        seed = None
        said = [(token.id, token.crc) for token in answer]
        if len(said) < count:
            if eos is None:
                raise DeviceError("an answer ended early, without an end of a text")
            said.append((eos, None))
            done.ends += 1
        rows = follower.logits([last, *(token for token, _ in said[:-1])])
        for row, (token, crc) in zip(rows, said, strict=True):
            done.mismatches += token != sampler.sample(row, STEPS)
            if crc is not None:
                done.crcs += 1
                done.mismatches += crc != logit_crc(row)
        last = said[-1][0]
        done.tokens += len(said)
        part += 1
        done.last_bytes = resident_bytes()
        if done.tokens <= WARM:
            done.warm_bytes = done.last_bytes
        done.seconds, done.used_seconds = time.monotonic() - began, time.process_time() - used
        progress(done)
    after = client.counters()
    done.cycles = after.total_cycles - before.total_cycles
    done.losses = (
        (after.dropped - before.dropped)
        + (after.retries - before.retries)
        + client.link.crc_errors
        + client.link.retries
    )
    if after.tokens - before.tokens != done.tokens:
        done.mismatches += 1
    return done


def _tell(done: Soak) -> None:
    if done.tokens // 10_000 != (done.tokens - PART) // 10_000:
        print(done, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0 without a mismatch."""
    parser = argparse.ArgumentParser(prog="python -m support.linktest.soak")
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("-o", "--write", action="store_true", help="into docs/link-under-fire.md")
    asked = parser.parse_args(arguments)
    logging.getLogger("glintfpga").setLevel(logging.WARNING)
    image = image_of(None)
    with tempfile.TemporaryDirectory(prefix="glintfpga-") as folder:
        path = Path(folder) / "model.glint"
        path.write_bytes(image.data)
        with Client(Link(opener=port_opener("sim:", model=None, lanes=4))) as client:
            client.connect()
            if client.model_id != image.model_id:
                client.load(image.data)
            client.fastest()
            with Follower(path, lanes=client.machine.lanes, vocab=image.model.vocab) as follower:
                done = soak(client, follower, image, asked.tokens, progress=_tell)
    print(done, flush=True)
    if asked.write:
        command = f"`PYTHONPATH=tests python -m support.linktest.soak --tokens {asked.tokens}`"
        write_section("soak", command, f"{done}.")
    return int(done.mismatches > 0)


if __name__ == "__main__":
    sys.exit(main())
