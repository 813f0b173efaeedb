"""Decoding: tiles from a zip in place against PIL on bytes in memory; worker processes against threads."""

from __future__ import annotations

import io
import os

import eurosat_files
import numpy as np
import pytest
import stubs
from PIL import Image

from senbench.datasets.bands import RGB
from senbench.datasets.open import open_dataset, open_source
from senbench.datasets.synthetic.multilabel import write_bigearthnet
from senbench.embedding.engine import embed_images
from senbench.embedding.image_pass import EmbedOptions

pytestmark = pytest.mark.benchmark(group="decode")


def test_jpegs_from_a_zip(against, tmp_path):
    """Limit: the JPEGs in memory, decoded to arrays."""
    files = eurosat_files.jpegs(60)
    eurosat_files.packed(tmp_path / "EuroSAT.zip", files)
    tiles = open_dataset("eurosat-rgb", split="all", data_dir=str(tmp_path), offline=True)
    against(
        lambda: [tiles.read(i) for i in range(len(tiles))],
        lambda: [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in files.values()],
        what="PIL on bytes in memory",
    )


class Glance(stubs.StubEncoder):
    """A few values of each tile."""

    batch_size = 256

    def encode_prepared(self, batch):
        """float32 (B, 8)."""
        return np.stack(batch)[:, ::17, ::13, 0].reshape(len(batch), -1)[:, :8].astype(np.float32)


@pytest.mark.whole
def test_worker_processes(against, tmp_path):
    """CPU seconds of this process alone, which bound a fast device: 2 processes that decode, against threads."""
    write_bigearthnet(tmp_path, 6000, 3, bands=RGB)
    tiles = open_source("bigearthnet-v2", split="test", data_dir=str(tmp_path))
    tiles = stubs.changed(tiles, keys=lambda i: b"%d" % i)  # content keys are read beforehand, in either case
    two, threads = (lambda n=n: embed_images(Glance(), tiles, None, EmbedOptions(workers=n)) for n in (2, 0))
    np.testing.assert_array_equal(two().rows, threads().rows)
    what = "decoding in threads, this process alone"
    against(two, threads, what=what, goal=5, rounds=3, clock=lambda: sum(os.times()[:2]))
