"""The way of a tile from a packed store to an encoder that costs nothing, and the look at a sample of tiles."""

from __future__ import annotations

import eurosat_files
import numpy as np
import patch_store
import pytest
import stubs
import torch

import senbench
from senbench.datasets.open import open_dataset, open_source
from senbench.datasets.packed import write
from senbench.embedding.engine import embed_images
from senbench.evaluation import pixels
from senbench.models.transfer import upload

pytestmark = [pytest.mark.benchmark(group="pipeline"), pytest.mark.whole]
BATCH = 1024


class Free(stubs.StubEncoder):
    """Costs nothing but the collation of its batch, which a model's has too."""

    embed_dim, batch_size = 512, BATCH

    def encode_prepared(self, batch):
        """Zeros (B, 512)."""
        return np.zeros((len(upload(batch, torch.device("cpu"))), self.embed_dim), np.float32)


def test_packed_patches(against, tmp_path):
    """Limit: batches that are in memory, put together."""
    n = 4 * BATCH
    tiles = patch_store.opened(tmp_path / "store", n)
    ready = [tiles.read(i).copy() for i in range(BATCH)]
    collate = lambda: [upload(ready, torch.device("cpu")) for _ in range(n // BATCH)]  # noqa: E731
    against(lambda: embed_images(Free(), tiles, None), collate, what="putting batches together", goal=0.1, rounds=3)


def test_pixel_check(against, tmp_path):
    """The look at a sample of tiles, against a run of the fastest model: at most 2 % of it."""
    eurosat_files.packed(tmp_path / "EuroSAT.zip", eurosat_files.jpegs(270))
    source = open_source("eurosat-rgb", split="all", data_dir=str(tmp_path), offline=True)
    write.pack(write.job(source, None), tmp_path / "store")
    tiles = open_dataset("eurosat-rgb", split="all", data_dir=str(tmp_path / "store"), offline=True)
    run = lambda: senbench.evaluate("mini", tiles, "generic", cache=False, offline=True)  # noqa: E731
    # the look is at as many tiles whatever the number: of 27,000 the run is ten times as long
    against(lambda: pixels.look(tiles, None), run, what="a run of 27,000 tiles", work=10, goal=50, rounds=3)
