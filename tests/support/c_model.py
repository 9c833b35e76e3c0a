# SPDX-License-Identifier: MIT
"""The processor's turn: ``blink.c`` compiled and run, as a second opinion and as a yardstick."""

import subprocess
from pathlib import Path

import numpy as np

from glintfpga.firmware.blink.c_model import compile_blink
from glintfpga.quant.errors import DeviceError

__all__ = ["Follower", "run_blink", "tokens_per_second"]


def run_blink(image: Path, *, lanes: int, count: int, text: bytes = b"") -> list[tuple[int, int]]:
    """Greedy tokens after ``text`` (after EOS, or token 0, without one): (id, logit CRC) each.

    EOS does not end them. Raises ``DeviceError`` when the program refuses the image.
    """
    lines = _run([str(image), str(lanes), str(count)], text).splitlines()
    return [(int(token), int(crc, 16)) for token, crc in map(str.split, lines)]


class Follower:
    """The C model as a process that enters tokens and tells the logits after each.

    Parameters: ``image``, the file; ``vocab``, of its model. Leaving it as a context manager ends
    the process.
    """

    def __init__(self, image: Path, *, lanes: int, vocab: int):
        self._row_bytes = 4 * vocab
        self._process = subprocess.Popen(
            [str(compile_blink()), "-f", str(image), str(lanes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()

    def logits(self, tokens: list[int]) -> np.ndarray:
        """Enter up to 30,000 tokens, what a pipe holds; (tokens, vocab) int64.

        Raises ``DeviceError`` when the program has ended.
        """
        pipes = self._process.stdin, self._process.stdout
        assert pipes[0] and pipes[1]
        try:
            pipes[0].write(np.array(tokens, "<u2").tobytes())
            pipes[0].flush()
        except BrokenPipeError as error:
            raise DeviceError("blink.c has ended; does it take this image?") from error
        data = pipes[1].read(len(tokens) * self._row_bytes)
        if len(data) != len(tokens) * self._row_bytes:
            raise DeviceError("blink.c has ended; does it take this image?")
        return np.frombuffer(data, "<i4").reshape(len(tokens), -1).astype(np.int64)


def tokens_per_second(image: Path, *, lanes: int, count: int = 200_000) -> float:
    """Tokens per second of processor time on one core, greedy, every CRC included."""
    return float(_run(["-s", str(image), str(lanes), str(count)], b"").split()[0])


def _run(arguments: list[str], text: bytes) -> str:
    done = subprocess.run(
        [str(compile_blink()).encode(), *map(str.encode, arguments), *([text] if text else [])],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise DeviceError(f"blink.c failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()
