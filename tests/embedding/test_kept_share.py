"""How much is kept: counted over all datasets, without opening or mending a store."""

from __future__ import annotations

import numpy as np
import pytest
import stubs

from senbench.embedding.engine import embed_images
from senbench.embedding.kept_share import kept_share

IDENTITY = stubs.StubEncoder().image_identity()


@pytest.mark.parametrize("n", [0, 15, 60])
def test_share_of_the_tiles_that_are_kept(tmp_path, n):
    tiles = stubs.tiles(60)
    if n:
        embed_images(stubs.StubEncoder(), tiles.take(np.arange(n)), tmp_path)
    assert kept_share(IDENTITY, [tiles], tmp_path) == pytest.approx(n / 60, abs=1 / 60)
    assert kept_share({"weights": "others"}, [tiles], tmp_path) == 0


def test_datasets_count_by_their_tiles(tmp_path):
    small, large = stubs.tiles(10, radiometry="one"), stubs.tiles(90, radiometry="two")
    embed_images(stubs.StubEncoder(), small, tmp_path)
    assert kept_share(IDENTITY, [small, large], tmp_path) == pytest.approx(0.1)


def test_a_damaged_shard_is_left_for_the_run_to_report(tmp_path):
    embed_images(stubs.StubEncoder(), stubs.tiles(60), tmp_path)
    (shard,) = tmp_path.glob("*/*.safetensors")
    shard.write_bytes(shard.read_bytes()[:-4])
    assert kept_share(IDENTITY, [stubs.tiles(60)], tmp_path) == 0
    assert shard.exists()


def test_a_tile_that_cannot_be_read_is_not_kept(tmp_path):
    def keys(i):
        from senbench.datasets.tiles import TileError

        raise TileError("gone")

    embed_images(stubs.StubEncoder(), stubs.tiles(60), tmp_path)
    assert kept_share(IDENTITY, [stubs.tiles(60, keys=keys)], tmp_path) == 0
