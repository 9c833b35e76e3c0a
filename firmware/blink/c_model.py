# SPDX-License-Identifier: MIT
"""The integer model in C, ``blink.c``: a thousand times as fast as the reference in NumPy.

Compiled once per machine. It shares no code with the reference, so that it is a second opinion,
too; the tests compare the two, and its sampler with `glintfpga.quant.numbers.sampler`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import resources, util
from pathlib import Path

import numpy as np

from glintfpga.firmware.blink.image import Image
from glintfpga.quant.blink.limits import check_fits
from glintfpga.quant.errors import DeviceError, EnvironmentProblem
from glintfpga.quant.files.native import compile_cached

__all__ = ["MOST_TOKENS", "CompiledModel", "compile_blink"]

MOST_TOKENS = 8192
"""Of one question: its answer, six bytes for each, fits the pipe that nobody reads meanwhile."""
_ROW = np.dtype([("id", "<u2"), ("crc", "<u4")])


def compile_blink() -> Path:
    """Compile ``blink.c`` with ``$CC`` (else cc, gcc, ziglang) and -O2; cached by its text.

    Raises ``EnvironmentProblem`` without a C compiler.
    """
    text = resources.files("glintfpga.firmware.blink").joinpath("blink.c").read_text("utf-8")
    return compile_cached(
        "blink", [*_compiler(), "-O2"], {"blink.c": text}, what="blink.c", libraries=["-lm"]
    )


def _compiler() -> list[str]:
    found = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if found:
        return [found]
    if util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise EnvironmentProblem("no C compiler for blink.c; apt install gcc, or pip install ziglang")


class CompiledModel:
    """One sequence of a model in a process of its own; leaving it as a context manager ends that.

    Parameters: the image, and the lanes of the device whose sums it makes. Raises ``InputError``
    for a model that exceeds the limits of every device, and `compile_blink`'s errors. All methods
    raise ``DeviceError`` when the process has ended.
    """

    def __init__(self, image: Image, *, lanes: int):
        check_fits(image.model.spec)
        program = compile_blink()
        with tempfile.TemporaryDirectory(prefix="glintfpga-") as folder:
            path = Path(folder, "model.glint")
            path.write_bytes(image.data)
            self._process = subprocess.Popen(
                [str(program), "-a", str(path), str(lanes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            try:
                self.score([0])  # the image is read once this is answered
                self.reset()
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> "CompiledModel":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.communicate()

    def reset(self) -> None:
        """Empty the context."""
        self._ask(b"R", 0)

    def seed(self, seed: int) -> None:
        """Begin the noise of a seed, 0..2**64 - 1."""
        self._ask(b"K" + seed.to_bytes(8, "little"), 0)

    def score(self, tokens: Sequence[int]) -> list[int]:
        """Enter up to `MOST_TOKENS` tokens; the CRC of the logits after each."""
        question = b"S" + len(tokens).to_bytes(4, "little") + np.array(tokens, "<u2").tobytes()
        return np.frombuffer(self._ask(question, 4 * len(tokens)), "<u4").tolist()

    def sample(self, count: int, temperature: int) -> list[tuple[int, int]]:
        """Up to `MOST_TOKENS` sampled tokens and CRCs; ``temperature`` is T * 256.

        EOS is among them, and does not end them.
        """
        question = b"G" + count.to_bytes(4, "little") + temperature.to_bytes(2, "little")
        rows = np.frombuffer(self._ask(question, _ROW.itemsize * count), _ROW)
        return list(zip(rows["id"].tolist(), rows["crc"].tolist(), strict=True))

    def _ask(self, question: bytes, size: int) -> bytes:
        pipes = self._process.stdin, self._process.stdout
        assert pipes[0] and pipes[1]
        try:
            pipes[0].write(question)
            pipes[0].flush()
        except OSError as error:
            raise DeviceError("blink.c has ended; does it take this image?") from error
        data = pipes[1].read(size)
        if len(data) != size:
            raise DeviceError("blink.c has ended; does it take this image?")
        return data
