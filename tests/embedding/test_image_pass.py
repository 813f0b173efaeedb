"""A pass over tiles: batches of one size, read ahead, begun ahead, halved where memory ends."""

from __future__ import annotations

import numpy as np
import pytest
import stubs
from stubs import direct

from senbench.datasets.tiles import OR_SKIP, TileError
from senbench.embedding.engine import embed_images
from senbench.embedding.image_pass import EmbedOptions


def test_bad_tile_stops_and_is_named(tmp_path):
    with pytest.raises(TileError, match=r"Lake_13: truncated; .*--on-error skip"):
        embed_images(stubs.StubEncoder(), stubs.tiles(bad=[13]), tmp_path)


def test_what_to_do_is_said_once(tmp_path):
    def reader(i):
        raise TileError(f"tile {i}: truncated; {OR_SKIP}")

    with pytest.raises(TileError) as error:
        embed_images(stubs.StubEncoder(), stubs.tiles(reader=reader), tmp_path)
    assert str(error.value) == f"tile 0: truncated; {OR_SKIP}"


def test_out_of_memory_halves_the_batch():
    import torch

    class Small(stubs.StubEncoder):
        def encode_prepared(self, batch):
            if len(batch) > 3:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return super().encode_prepared(batch)

    tiles, encoder = stubs.tiles(), Small()
    got = embed_images(encoder, tiles, None, EmbedOptions(batch_size=16))
    np.testing.assert_array_equal(got.rows, direct(tiles))
    assert max(encoder.batches) <= 3
    assert got.batch_size == 2


def test_out_of_memory_with_one_image_is_an_error():
    import torch

    from senbench.errors import UnavailableError

    class Tiny(stubs.StubEncoder):
        def encode_prepared(self, batch):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(UnavailableError, match="--device cpu"):
        embed_images(Tiny(), stubs.tiles(), None)


class Overlapping(stubs.StubEncoder):
    """Notes when batches are begun and when their rows are asked for."""

    overlaps = True

    def __init__(self, fits: int = 1000, **options):
        super().__init__(**options)
        self.log: list[str] = []
        self.fits = fits

    def begin(self, batch):
        import torch

        if len(batch) > self.fits:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        k = sum(line.startswith("begin") for line in self.log)
        self.log.append(f"begin {k}")
        rows = super().encode_prepared(batch)

        def wait():
            self.log.append(f"rows {k}")
            return rows

        return wait

    def encode_prepared(self, batch):
        return self.begin(batch)()


def test_a_batch_is_begun_before_the_rows_of_the_one_before_are_awaited(tmp_path):
    tiles, encoder = stubs.tiles(), Overlapping()
    got = embed_images(encoder, tiles, tmp_path, EmbedOptions(batch_size=20))
    assert encoder.log == ["begin 0", "begin 1", "rows 0", "begin 2", "rows 1", "rows 2"]
    np.testing.assert_array_equal(got.rows, direct(tiles))


def test_a_bad_tile_stops_only_after_the_rows_begun_before_it(tmp_path):
    with pytest.raises(TileError, match="Lake_55"):
        embed_images(Overlapping(), stubs.tiles(bad=[55]), tmp_path, EmbedOptions(batch_size=20))
    again = embed_images(stubs.StubEncoder(), stubs.tiles(), tmp_path)
    assert again.encoded == 20


def test_out_of_memory_ahead_halves_the_batch():
    tiles, encoder = stubs.tiles(), Overlapping(fits=6)
    got = embed_images(encoder, tiles, None, EmbedOptions(batch_size=20))
    np.testing.assert_array_equal(got.rows, direct(tiles))
    assert got.batch_size == 5
    assert max(encoder.batches) <= 6


def test_tiles_of_several_sizes_go_in_batches_of_one_size():
    class OneSize(stubs.StubEncoder):
        def encode_prepared(self, batch):
            assert len({tile.shape for tile in batch}) == 1
            return super().encode_prepared(batch)

    plain = stubs.tiles()
    sides = np.random.default_rng(0).integers(4, 9, 60)
    tiles = stubs.tiles(reader=lambda i: plain.read(i)[: sides[i]])
    encoder = OneSize()
    got = embed_images(encoder, tiles, None, EmbedOptions(batch_size=6))
    np.testing.assert_array_equal(got.rows, direct(tiles))
    assert max(encoder.batches) == 6
    assert len(encoder.batches) <= 60 // 6 + 5


@pytest.mark.parametrize("alike", [True, False])
def test_what_is_held_does_not_grow_with_the_number_of_tiles(alike):
    """Counts tiles that were read and not yet encoded; with as many sizes as tiles, too."""
    read: list[int] = []
    most = []

    class Counting(stubs.StubEncoder):
        def encode_prepared(self, batch):
            most.append(len(read) - self.images)
            return super().encode_prepared(batch)

    def reader(i):
        read.append(i)
        return np.full((8, 8 if alike else 8 + i, 3), 1 + i % 200, np.uint8)

    tiles = stubs.tiles(600, reader=reader)
    embed_images(Counting(), tiles, None, EmbedOptions(batch_size=10))
    assert len(read) == 600
    assert max(most) <= 80
