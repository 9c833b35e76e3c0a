# SPDX-License-Identifier: MIT
"""``glintfpga prove``."""

import contextlib
import importlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import click

from glintfpga.host.commands import options

__all__ = ["PROOF", "command"]

PROOF = "proof.json"

_log = logging.getLogger("glintfpga")


@click.command("prove")
@click.argument("bitstream", type=options.PATH, required=False)
@options.board("What it was built for.")
@click.option(
    "--shipped", "release", is_flag=True, help="The shipped bitstream, even where there is a build."
)
@click.option(
    "--tuned", is_flag=True, help="At the clock that glintfpga tune found for this board."
)
@click.option(
    "--out",
    type=options.PATH,
    metavar="FILE",
    help="Where the figures go; default: proof.json beside a bitstream that was named or built.",
)
@click.option(
    "--model", type=options.MODEL, metavar="MODEL", help="The model in it; default: the shipped."
)
@click.option(
    "--tokens",
    type=click.IntRange(2, 10_000_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="How many tokens to compare in each stage.",
)
@click.option(
    "--mutants",
    type=click.IntRange(0, 100_000),
    default=0,
    show_default=True,
    metavar="N",
    help="Faults to inject; reports how many the run detects.",
)
@click.option(
    "--netlist",
    type=options.PATH,
    metavar="FILE",
    help="Another synthesized netlist (JSON) to compare with than the recorded one.",
)
@click.option(
    "--vendor",
    type=options.PATH,
    metavar="FILE",
    envvar="GLINTFPGA_PRIM_SIM",
    show_envvar=True,
    help="The vendor's simulation library (IDE/simlib/gw2a/prim_sim.v), to simulate with, too.",
)
@options.verbosity
def command(
    bitstream: Path | None,
    board: str,
    release: bool,
    tuned: bool,
    out: Path | None,
    model: Path | None,
    tokens: int,
    mutants: int,
    netlist: Path | None,
    vendor: Path | None,
) -> None:
    """Decode a bitstream, simulate it, and compare it with the reference and the netlist.

    BITSTREAM is a .fs file; without it the last one built in this folder, else the shipped one.
    Compared are every CRC of the logits with the integer reference; where Icarus is installed,
    every register in every cycle of power-up and hello with its simulation, and again by the
    vendor's models where you have its library; and, where the build's cache lies beside the
    bitstream, every register in every cycle with the synthesized netlist, and all logic with that
    netlist's in any state.
    Exit code 1 when anything differs.

    \b
    glintfpga prove
    glintfpga prove --shipped --out proof.json
    glintfpga prove --tuned
    glintfpga prove build/tangnano20k/blink.fs --mutants 512
    """
    from glintfpga.host.files.outputs import PROOF as KIND
    from glintfpga.host.files.outputs import Output
    from glintfpga.host.models import image_of
    from glintfpga.host.proof.run import run
    from glintfpga.quant.errors import DeviceError

    importlib.import_module("apycula")  # here, so that a missing package is reported for prove
    with _chosen(bitstream, board, release) as (built, name), _at(built, board, tuned) as path:
        title = f"{name}, tuned" if tuned else name
        own = bitstream is not None or (not release and path.parent == Path("build", board))
        if own and not tuned:  # a tuned file is a temporary one
            out = out or path.parent / PROOF
        sources = [path, model, netlist, vendor]
        output = Output(path=out, kind=KIND, sources=sources) if out else None
        _log.info("proving %s", title)
        proof = run(
            path,
            board=board,
            image=image_of(model),
            tokens=tokens,
            mutants=mutants,
            netlist=netlist,
            vendor=vendor,
            tell=click.echo,
        )
        if output is not None:
            output.write((json.dumps(proof, indent=1) + "\n").encode())
    if proof["differences"]:
        raise DeviceError(f"{proof['differences']} stages differ: {proof['first_difference']}")


@contextlib.contextmanager
def _at(path: Path, board: str, tuned: bool) -> Iterator[Path]:
    """The file at the clock of the board, where that is asked for."""
    from glintfpga.host.tuning.use import record_of, tuned_file

    if not tuned:
        yield path
        return
    with tuned_file(path, record_of(None)[1], board=board) as other:
        yield other


@contextlib.contextmanager
def _chosen(bitstream: Path | None, board: str, release: bool) -> Iterator[tuple[Path, str]]:
    """The .fs file and what to call it, as for flash; the shipped one where its build is, if any.

    Only beside a build the stages "synthesis" and "logic" can be run.
    """
    from glintfpga.boards.shipped import BITSTREAM, shipped
    from glintfpga.host.commands.flash import chosen
    from glintfpga.quant.errors import InputError

    if not release:
        with chosen(bitstream, board) as choice:
            yield choice
        return
    if bitstream is not None:
        raise InputError(f"name a bitstream or say --shipped, not both: {str(bitstream)!r}")
    carried = shipped(board)
    title = f"the shipped bitstream ({carried.manifest})"
    built = Path("build", board, BITSTREAM)
    if built.is_file() and built.read_bytes() == carried.bitstream:
        yield built, title
        return
    with carried.unpacked() as path:
        yield path, title
