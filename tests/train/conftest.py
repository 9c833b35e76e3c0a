# SPDX-License-Identifier: MIT
import numpy as np
import pytest

from glintfpga.train.data.manifest import Manifest, describe, sign, write_manifest

WORDS = (
    "the a of and cat dog house river mountain walks sees finds under over green old bright slow "
    "music window paper table letter road stone garden winter summer night morning bread water"
).split()


@pytest.fixture
def sentences():
    """Makes texts of random words, one sentence a line."""

    def make(seed, lines=4, words=12):
        rng = np.random.default_rng(seed)
        return "\n".join(" ".join(rng.choice(WORDS, words)) + "." for _ in range(lines))

    return make


@pytest.fixture
def corpus_of(tmp_path):
    """Writes texts and a manifest that Ben has signed; returns the manifest's path and itself."""

    def make(**texts):
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        sources = []
        for name, documents in texts.items():
            path = folder / f"{name}.txt"
            path.write_text("\n\n".join(documents), encoding="utf-8")
            sources.append(
                describe(folder, path, licence="CC0", origin="generated", added_by="Ann")
            )
        manifest = Manifest(folder=folder, sources=tuple(sources))
        manifest = sign(manifest, [source.file for source in sources], "Ben")
        write_manifest(folder / "m.json", manifest)
        return folder / "m.json", manifest

    return make
