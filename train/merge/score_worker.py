# SPDX-License-Identifier: MIT
"""Score one checkpoint in a process of its own: ``python -m glintfpga.train.merge.score_worker RUN
CHECKPOINT``.

Writes nats per byte over the selection texts of the run, in the numbers of its last stage, as one
line to stdout; lower is better. An error is one line on stderr, and an exit code other than 0.
"""

import sys
from pathlib import Path

from glintfpga.quant.errors import GlintError
from glintfpga.train.run.config import TrainConfig
from glintfpga.train.run.run_log import read_sources
from glintfpga.train.run.worker import score_checkpoint

__all__ = ["main", "score_command"]


def score_command(run: Path, checkpoint: Path) -> list[str]:
    """The command line that scores a checkpoint of a run."""
    return [sys.executable, "-m", "glintfpga.train.merge.score_worker", str(run), str(checkpoint)]


def main(run: str, checkpoint: str) -> int:
    """Score; return the exit code."""
    try:
        config = TrainConfig.read(Path(run) / "config.json")
        found = score_checkpoint(Path(checkpoint), config, read_sources(Path(run)))
    except GlintError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{found!r}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
