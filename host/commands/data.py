# SPDX-License-Identifier: MIT
"""``glintfpga data``: manifests of training text, and the gate before a training."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glintfpga.host.commands import options
from glintfpga.host.console.text import counted, one_line

if TYPE_CHECKING:
    from glintfpga.train.data.gate import Check
    from glintfpga.train.data.manifest import Manifest

__all__ = ["command"]

_PATH = click.Path(path_type=Path)


def _manifest(function: options.Decorated) -> options.Decorated:
    return click.argument("manifest", type=_PATH)(function)


def _folder(function: options.Decorated) -> options.Decorated:
    return click.option(
        "--folder",
        type=_PATH,
        metavar="DIR",
        help="Where the files lie; default: beside the manifest.",
    )(function)


def _by(text: str) -> Callable[[options.Decorated], options.Decorated]:
    return click.option("--by", "person", required=True, metavar="NAME", help=text)


@click.group("data")
def command() -> None:
    """Say what a model is trained on, have a second person sign it, and check it.

    A manifest is a JSON list of text files with license, origin, sha256 and reviewer.

    \b
    glintfpga data add text.json novels.txt.xz --license "public domain" --origin URL --by Ann
    glintfpga data sign text.json --by Ben
    glintfpga data check text.json --eval data/eval
    """


@command.command("add")
@_manifest
@click.argument("files", type=_PATH, nargs=-1, required=True)
@click.option("--license", required=True, help="License of the text.")
@click.option("--origin", required=True, help="Where it comes from: URL, commit, edition.")
@_by("Who adds it.")
@_folder
@options.verbosity
def _add(
    manifest: Path,
    files: tuple[Path, ...],
    license: str,
    origin: str,
    person: str,
    folder: Path | None,
) -> None:
    """Enter FILES, or enter them anew; makes MANIFEST when there is none.

    In .txt and .txt.xz files a blank line stands between documents. In .jsonl and .jsonl.xz files
    each line is a dialogue: {"messages": [{"role": "user", "content": "..."}, ...]}, user and
    assistant in turn.
    """
    from glintfpga.host.files.outputs import same
    from glintfpga.quant.errors import InputError
    from glintfpga.train.data.manifest import (
        Manifest,
        describe,
        read_manifest,
        with_sources,
        write_manifest,
    )

    for path in files:
        if same(manifest, path):
            raise InputError(f"{str(path)!r} is the manifest itself; name files of text")
    place = folder or manifest.parent
    old = Manifest(folder=place, sources=())
    if manifest.exists():
        old = read_manifest(manifest, folder=folder)
    new = [describe(place, path, licence=license, origin=origin, added_by=person) for path in files]
    write_manifest(manifest, with_sources(old, new))
    _print_unsigned(manifest, with_sources(old, new))


@command.command("sign")
@_manifest
@click.argument("names", nargs=-1)
@_by("Who has read it; not the person who added it.")
@_folder
@options.verbosity
def _sign(manifest: Path, names: tuple[str, ...], person: str, folder: Path | None) -> None:
    """Enter the reviewer of the files NAMES, as written in MANIFEST; without names, of all.

    Signing says: I have looked at this text, its license and its origin, and it may be used.
    """
    from glintfpga.train.data.manifest import read_manifest, sign, write_manifest

    found = read_manifest(manifest, folder=folder)
    signed = sign(found, names or [source.file for source in found.sources], person)
    write_manifest(manifest, signed)
    _print_unsigned(manifest, signed)


@command.command("fetch")
@_manifest
@click.option(
    "-n",
    "--bytes",
    "wanted",
    type=click.IntRange(1),
    default=1_000_000_000,
    show_default=True,
    metavar="N",
    help="Bytes of text.",
)
@_by("Who adds it.")
@options.verbosity
def _fetch(manifest: Path, wanted: int, person: str) -> None:
    """Fetch text of FineWeb-Edu (sample-100BT) beside MANIFEST and enter it; needs a network."""
    from glintfpga.host.console.progress import counting
    from glintfpga.train.data.fineweb import fetch_fineweb
    from glintfpga.train.data.manifest import Manifest, read_manifest, with_sources, write_manifest

    old = Manifest(folder=manifest.parent, sources=())
    if manifest.exists():
        old = read_manifest(manifest)
    with counting("fetching", wanted) as show:
        new = fetch_fineweb(
            manifest.parent, wanted, added_by=person, progress=lambda done, total: show(done)
        )
    write_manifest(manifest, with_sources(old, new))
    _print_unsigned(manifest, with_sources(old, new))


@command.command("check")
@_manifest
@click.option(
    "--eval",
    "evaluation",
    type=_PATH,
    metavar="DIR",
    help="Evaluation sets that the text must not overlap: a folder or one file.",
)
@_folder
@options.json_output
@options.verbosity
def _check(manifest: Path, evaluation: Path | None, folder: Path | None, as_json: bool) -> None:
    """Check the text of MANIFEST: sources, sign-off, duplicates, overlap with evaluation sets.

    Writes what it found beside MANIFEST, where train looks for it; fails when the text is refused.
    """
    from glintfpga.host.console.progress import counting
    from glintfpga.host.files.outputs import CHECK, Output
    from glintfpga.quant.errors import InputError
    from glintfpga.train.data.gate import check, record_path

    Output(path=record_path(manifest), kind=CHECK, sources=[manifest, evaluation])
    with counting(manifest.name, 1) as show:
        found = check(
            manifest,
            folder=folder,
            evaluation=evaluation,
            progress=lambda done, total: show(done / max(total, 1)),
        )
    if as_json:
        click.echo(json.dumps(asdict(found) | {"refused": found.reasons}, indent=2))
    else:
        _show(found)
    if found.reasons:
        raise InputError(f"{str(manifest)!r} is refused: {'; '.join(found.reasons)}")


def _show(found: "Check") -> None:
    rows = (
        ("documents", found.documents),
        ("bytes", found.bytes),
        ("not from the stated source", found.foreign),
        ("exact duplicates", found.exact_duplicates),
        ("near duplicates", found.near_duplicates),
        ("sources without a second person", len(found.unreviewed)),
        *((f"sharing words with {name}", found.overlaps.get(name, 0)) for name in found.evaluation),
    )
    for name, count in rows:
        click.echo(f"{one_line(name):<48} {count:>13,}")
    for example in found.examples:
        click.echo(f"  {one_line(example)}")


def _print_unsigned(path: Path, manifest: "Manifest") -> None:
    unsigned = sum(not source.reviewed for source in manifest.sources)
    click.echo(
        f"{one_line(str(path))}: {counted(len(manifest.sources), 'source')}, {unsigned} without a "
        "second person's sign-off",
        err=True,
    )
