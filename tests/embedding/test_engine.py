"""The engine: order, duplicates, bad tiles, interruption, memory, batches begun ahead."""

from __future__ import annotations

import os
from types import SimpleNamespace

import numpy as np
import pytest
import stubs

from senbench.datasets.readers.image import OR_SKIP
from senbench.datasets.tiles import TileError
from senbench.embedding import side_cache
from senbench.embedding.engine import embed_images, embed_texts
from senbench.errors import UnavailableError


def direct(tiles):
    return stubs.StubEncoder().encode_prepared([tiles.read(i) for i in range(len(tiles))])


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_rows_are_those_of_each_tile_in_order(batch_size, tmp_path):
    tiles, encoder = stubs.tiles(), stubs.StubEncoder()
    done = []
    got = embed_images(encoder, tiles, tmp_path, batch_size=batch_size, advance=done.append)
    np.testing.assert_array_equal(got.rows, direct(tiles))
    np.testing.assert_array_equal(got.positions, np.arange(60))
    assert sum(done) == 60
    assert got.encoded == 60


def test_second_run_encodes_nothing_and_a_view_reuses_rows(tmp_path):
    tiles = stubs.tiles()
    embed_images(stubs.StubEncoder(), tiles, tmp_path)
    encoder = stubs.StubEncoder()
    view = tiles.take([5, 3, 40])
    got = embed_images(encoder, view, tmp_path)
    assert encoder.images == got.encoded == 0
    np.testing.assert_array_equal(got.rows, direct(view))


@pytest.mark.parametrize("change", [{"radiometry": "dn3000"}, {"band_order": "B02,B03,B04"}])
def test_other_rendering_is_embedded_again(tmp_path, change):
    embed_images(stubs.StubEncoder(), stubs.tiles(), tmp_path)
    assert embed_images(stubs.StubEncoder(), stubs.tiles(**change), tmp_path).encoded == 60
    assert embed_images(stubs.StubEncoder("other"), stubs.tiles(), tmp_path).encoded == 60


def test_identical_tiles_are_encoded_once(tmp_path):
    tiles, encoder = stubs.tiles(twins=True), stubs.StubEncoder()
    got = embed_images(encoder, tiles, None)
    assert encoder.images == 59
    np.testing.assert_array_equal(got.rows[1], got.rows[4])


def test_the_twin_of_a_tile_that_is_skipped_is_skipped(tmp_path):
    got = embed_images(stubs.StubEncoder(), stubs.tiles(twins=True, bad=[1, 4]), tmp_path, on_error="skip")
    assert list(got.skipped) == [1, 4]
    assert got.skipped[4] == f"has the bytes of another one: {got.skipped[1]}"
    assert set(got.positions.tolist()) == set(range(60)) - {1, 4}


def test_bad_tile_stops_and_is_named(tmp_path):
    with pytest.raises(TileError, match=r"Lake_13: truncated; .*--on-error skip"):
        embed_images(stubs.StubEncoder(), stubs.tiles(bad=[13]), tmp_path)


def test_what_to_do_is_said_once(tmp_path):
    def reader(i):
        raise TileError(f"tile {i}: truncated; {OR_SKIP}")

    with pytest.raises(TileError) as error:
        embed_images(stubs.StubEncoder(), stubs.tiles(reader=reader), tmp_path)
    assert str(error.value) == f"tile 0: truncated; {OR_SKIP}"


def test_bad_tiles_are_skipped_and_listed(tmp_path):
    tiles = stubs.tiles(bad=[0, 13, 59])
    got = embed_images(stubs.StubEncoder(), tiles, tmp_path, on_error="skip", batch_size=4)
    assert sorted(got.skipped) == [0, 13, 59]
    assert len(got.rows) == len(got.positions) == 57
    np.testing.assert_array_equal(got.rows, direct(tiles.take(got.positions)))


def test_interrupted_run_continues_where_it_was(tmp_path):
    tiles = stubs.tiles()
    with pytest.raises(KeyboardInterrupt):
        embed_images(stubs.StubEncoder(fail_after=28), tiles, tmp_path)
    encoder = stubs.StubEncoder()
    got = embed_images(encoder, tiles, tmp_path)
    assert encoder.images == 60 - 28
    np.testing.assert_array_equal(got.rows, direct(tiles))


def test_out_of_memory_halves_the_batch():
    import torch

    class Small(stubs.StubEncoder):
        def encode_prepared(self, batch):
            if len(batch) > 3:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return super().encode_prepared(batch)

    tiles, encoder = stubs.tiles(), Small()
    got = embed_images(encoder, tiles, None, batch_size=16)
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


def test_texts_are_encoded_once_and_kept(tmp_path):
    encoder = stubs.StubEncoder()
    rows, n = embed_texts(encoder, ["a lake", "a town", "a lake"], tmp_path)
    assert encoder.texts == ["a lake", "a town"]
    assert n == 2
    again = stubs.StubEncoder()
    more, n = embed_texts(again, ["a town", "a field"], tmp_path)
    assert (again.texts, n) == (["a field"], 1)
    np.testing.assert_array_equal(more["a town"], rows["a town"])


def test_what_cannot_be_kept_is_said_before_the_work_and_only_then(tmp_path, monkeypatch):
    tiles, said = stubs.tiles(), []
    embed_images(stubs.StubEncoder(), tiles.take(range(20)), tmp_path, say=said.append)
    assert said == []
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    encoder = stubs.StubEncoder()
    encoder.encode_prepared = lambda batch: (said.append("work"), stubs.StubEncoder().encode_prepared(batch))[1]
    got = embed_images(encoder, tiles, tmp_path, batch_size=64, say=said.append)
    np.testing.assert_array_equal(got.rows, direct(tiles))
    assert got.encoded == 40
    (line, _) = said
    assert "cannot be written: tiles embedded now are not kept, 40; make it writable, or set SENBENCH_HOME" in line
    embed_images(stubs.StubEncoder(), tiles.take(range(20)), tmp_path, say=said.append)
    assert len(said) == 2
    embed_texts(stubs.StubEncoder(), ["a", "b", "a"], tmp_path, say=said.append)
    assert "cannot be written: texts embedded now are not kept, 2" in said[2]
    embed_texts(stubs.StubEncoder(), ["a", "b", "a"], None, say=said.append)
    assert len(said) == 3  # asked for


def test_processes_need_a_cache_that_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    team = SimpleNamespace(rank=0, size=2)
    with pytest.raises(UnavailableError, match="cannot be written: several processes hand their rows over through it"):
        embed_images(stubs.StubEncoder(), stubs.tiles(), tmp_path, team=team)


def test_images_and_texts_never_share_a_store(tmp_path):
    embed_texts(stubs.StubEncoder(), ["a lake"], tmp_path)
    embed_images(stubs.StubEncoder(), stubs.tiles(), tmp_path)
    side_cache.cut_texts(stubs.StubEncoder(), ["a lake"], tmp_path)
    side_cache.rendering(stubs.tiles(), tmp_path)
    side_cache.pictures(stubs.tiles(), [0], bytes, "raw", tmp_path)
    assert len(list(tmp_path.iterdir())) == 5


def test_digital_numbers_and_their_rendering_never_share_rows(tmp_path):
    from senbench.datasets.bands import Pairing

    bands = ("B04", "B03", "B02", "B08")

    def dn(i, names):
        full = np.arange(4) * 1000 + np.arange(1, 5) * (i + 1)
        return np.broadcast_to(full[[bands.index(b) for b in names]], (8, 8, len(names))).astype(np.uint16)

    tiles = stubs.tiles(9, info=stubs.info(splits={"all": 9}, bands=bands, unit="dn"), bands_reader=dn)
    embed_images(stubs.StubEncoder(), tiles, tmp_path)
    for chosen in (bands[:3], bands[2::-1]):
        view = tiles.paired(Pairing(chosen, native=True))
        got = embed_images(stubs.StubEncoder(), view, tmp_path)
        assert got.encoded == 9
        np.testing.assert_array_equal(got.rows, stubs.StubEncoder().encode_prepared([dn(i, chosen) for i in range(9)]))
    assert embed_images(stubs.StubEncoder(), tiles, tmp_path).encoded == 0
    assert len(list(tmp_path.iterdir())) == 3


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
    got = embed_images(encoder, tiles, tmp_path, batch_size=20)
    assert encoder.log == ["begin 0", "begin 1", "rows 0", "begin 2", "rows 1", "rows 2"]
    np.testing.assert_array_equal(got.rows, direct(tiles))


def test_a_bad_tile_stops_only_after_the_rows_begun_before_it(tmp_path):
    with pytest.raises(TileError, match="Lake_55"):
        embed_images(Overlapping(), stubs.tiles(bad=[55]), tmp_path, batch_size=20)
    again = embed_images(stubs.StubEncoder(), stubs.tiles(), tmp_path)
    assert again.encoded == 20


def test_out_of_memory_ahead_halves_the_batch():
    tiles, encoder = stubs.tiles(), Overlapping(fits=6)
    got = embed_images(encoder, tiles, None, batch_size=20)
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
    got = embed_images(encoder, tiles, None, batch_size=6)
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
    embed_images(Counting(), tiles, None, batch_size=10)
    assert len(read) == 600
    assert max(most) <= 80
