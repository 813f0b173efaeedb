"""What is kept beside embeddings is made once, and never stands for anything else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import stubs

from senbench.datasets import channel_statistics
from senbench.datasets.radiometry import DIGITAL
from senbench.datasets.tiles import TileError
from senbench.embedding import cache_admin
from senbench.embedding.side_cache import PICTURE_BYTES, cut_texts, pictures, statistics


class Short(stubs.StubEncoder):
    """Reads ten characters, and keeps what it was asked."""

    def truncated(self, texts):
        self.texts += texts
        return [text for text in texts if len(text) > 10]


def test_which_texts_are_cut_is_asked_once(tmp_path):
    texts = ["a lake", "a very long lake", "a town", "a very long town"]
    assert cut_texts(Short(), texts[:3], tmp_path) == texts[1:2]
    again = Short()
    assert cut_texts(again, texts, tmp_path) == texts[1::2]
    assert again.texts == texts[3:]
    other = Short("other")
    assert cut_texts(other, texts, tmp_path) == texts[1::2]
    assert other.texts == texts
    for _ in range(2):
        assert cut_texts(unkept := Short(), texts, None) == texts[1::2]
        assert unkept.texts == texts
    (tmp_path / "file").touch()
    assert cut_texts(other, texts, tmp_path / "file") == texts[1::2]  # where nothing can be kept
    other.text_identity = lambda: None
    other.texts.clear()
    assert cut_texts(other, texts, tmp_path) == texts[1::2]
    assert other.texts == texts
    whole = stubs.StubEncoder()
    whole.text_identity = lambda: None
    assert cut_texts(whole, texts, tmp_path) == []  # nothing was kept under no name


# --- tiles -----------------------------------------------------------------------------------------


class Watched:
    """A reader of tiles that keeps which it was asked for; some are gone."""

    def __init__(self, shape=(4, 4, 3), dtype=np.uint8, gone=()):
        self.tiles = np.random.default_rng(0).integers(0, 256, (60, *shape)).astype(dtype)
        self.gone = set(gone)
        self.read: list[int] = []

    def __call__(self, i):
        self.read.append(i)
        if i in self.gone:
            raise TileError(f"tile {i} is gone")
        return self.tiles[i]


def watched(reader, **changes):
    return stubs.changed(stubs.tiles(60), reader=reader, **changes)


def rendering(tiles, cache):
    return channel_statistics.summary(statistics(tiles, cache))


def test_the_statistics_of_a_tile_are_made_once(tmp_path):
    reader = Watched()
    tiles = watched(reader)
    first = rendering(tiles, tmp_path)
    assert reader.read == list(range(60))
    assert first == rendering(tiles, None)
    reader.read.clear()
    assert rendering(tiles, tmp_path) == first
    assert rendering(tiles.take([3, 4, 5]), tmp_path)["tiles"] == 3  # another split of the same tiles
    assert reader.read == []
    assert rendering(tiles.take([3, 4, 5]), tmp_path) == rendering(tiles.take([3, 4, 5]), None)


def test_statistics_of_many_tiles_are_those_of_a_sample(tmp_path):
    reader = Watched()
    reader.tiles = np.repeat(np.arange(201, dtype=np.uint8), 2)[1:].reshape(-1, 1, 1, 1) * np.ones((4, 4, 3), np.uint8)
    plain = stubs.tiles(401)
    tiles = stubs.changed(plain, reader=reader)
    for _ in range(2):
        found = rendering(tiles.take(range(400, -1, -1)), tmp_path)
        assert found["tiles"] == 200
        assert found["channel_means"] == [pytest.approx(100, abs=0.5)] * 3
    assert len(reader.read) == len(set(reader.read)) == 200
    assert (min(reader.read), max(reader.read)) == (0, 400)
    assert rendering(tiles.take(sorted(reader.read)), tmp_path)["tiles"] == 200
    assert len(reader.read) == 200


def test_statistics_are_kept_by_content_and_rendering(tmp_path):
    first = rendering(watched(Watched()), tmp_path)
    other = Watched()
    other.tiles[7] = 255
    changed = watched(other, keys=lambda i: b"changed" if i == 7 else stubs.tiles(60).keys(i))
    assert rendering(changed, tmp_path) != first
    assert other.read == [7]
    brighter = Watched()
    brighter.tiles[:] = 255
    assert rendering(watched(brighter, radiometry="scl-p2p98"), tmp_path)["saturated"] == 1
    assert rendering(watched(brighter, band_order="B02,B03,B04"), tmp_path)["channel_means"] == [255] * 3


def test_digital_numbers_are_kept_to_the_last_bit(tmp_path):
    reader = Watched((120, 120, 2), np.uint16)
    reader.tiles *= 41
    tiles = watched(reader, radiometry=DIGITAL, band_order="B02,B08")
    first = rendering(tiles, tmp_path)
    assert first["saturated"] is None
    assert first == rendering(tiles, tmp_path) == rendering(tiles, None)


def test_what_cannot_be_read_is_asked_again(tmp_path):
    reader = Watched(gone=[0, 9])
    tiles = watched(reader)
    assert rendering(tiles, tmp_path)["tiles"] == 58
    reader.read.clear()
    assert rendering(tiles, tmp_path)["tiles"] == 58
    assert reader.read == [0, 9]
    reader.gone = {*range(60)}
    assert rendering(watched(reader, radiometry="other"), tmp_path) is None

    def keys(i):
        raise TileError("its file is gone")

    assert rendering(watched(reader, keys=keys), tmp_path) is None
    assert pictures(watched(reader, keys=keys), [0, 1], bytes, "raw", tmp_path) == [None, None]


def test_pictures_are_made_once_and_are_the_bytes_that_were_encoded(tmp_path):
    reader = Watched((3, 5, 3), gone=[8])
    tiles = watched(reader)

    def encode(tile):
        return tile.tobytes()[: int(tile[0, 0, 0]) % 44 + 1]  # of any length, some ending in zeros

    reader.tiles[4, 1:] = 0
    wanted = [None if i == 8 else encode(reader.tiles[i]) for i in range(60)]
    at = [8, 4, *range(20, 60), 4]
    first = pictures(tiles, at, encode, "short", tmp_path)
    assert first == [wanted[i] for i in at]
    assert sorted(reader.read) == [4, 8, *range(20, 60)]
    reader.read.clear()
    assert pictures(tiles, at, encode, "short", tmp_path) == first
    assert pictures(tiles.take([30, 8, 31]), [2], encode, "short", tmp_path) == [wanted[31]]
    assert reader.read == [8]
    whole = pictures(tiles, [4], lambda tile: tile.tobytes(), "whole", tmp_path)
    assert whole == [reader.tiles[4].tobytes()]


def test_a_picture_of_digital_numbers_is_kept_by_its_rendering(tmp_path):
    reader = Watched()
    plain = watched(reader)
    seen = replace(plain, radiometry=DIGITAL, band_order="B02,B08", rendering=plain.radiometry)
    assert pictures(seen, [5], np.ndarray.tobytes, "raw", tmp_path) == [plain.read(5).tobytes()]
    reader.read.clear()
    assert pictures(plain, [5], np.ndarray.tobytes, "raw", tmp_path) == [reader.tiles[5].tobytes()]
    assert reader.read == []
    same = stubs.StubReader(
        plain.reader, key=lambda i, names=None: plain.reader.key(i) if names is None else b"the same"
    )
    near = replace(seen, reader=same)  # the same in the bands that the model sees
    assert pictures(near, [5, 6], np.ndarray.tobytes, "near", tmp_path) == [plain.read(i).tobytes() for i in (5, 6)]
    reader.read.clear()
    other = stubs.changed(seen, rendering="other", reader=Watched((2, 2, 3)))
    assert len(pictures(other, [5], np.ndarray.tobytes, "raw", tmp_path)[0]) == 12


@pytest.mark.parametrize(("size", "kept"), [(PICTURE_BYTES, True), (PICTURE_BYTES + 1, False), (70_000, False)])
def test_a_long_picture_is_made_anew(tmp_path, size, kept):
    reader = Watched()
    for _ in range(2):
        assert pictures(watched(reader), [0, 1, 0], lambda tile: b"\1" * size, "long", tmp_path) == [b"\1" * size] * 3
    assert reader.read == [0, 1] * (1 if kept else 2)


def test_long_and_short_pictures_go_together(tmp_path):
    reader = Watched()
    sizes = {reader.tiles[i].tobytes(): size for i, size in enumerate((5000, 7, 6000))}
    for _ in range(2):
        found = pictures(watched(reader), [0, 1, 2], lambda tile: b"\1" * sizes[tile.tobytes()], "mixed", tmp_path)
        assert [len(data) for data in found] == [5000, 7, 6000]
    assert reader.read == [0, 1, 2, 0, 2]


def test_tiles_of_other_bands_than_they_say_are_made_anew(tmp_path):
    """As those that a user opens for an object of their own: nothing else minds."""
    reader = Watched((4, 4, 5))
    wanted = [round(value, 2) for value in reader.tiles.mean(axis=(0, 1, 2)).tolist()]
    for _ in range(2):
        assert rendering(watched(reader), tmp_path)["channel_means"] == pytest.approx(wanted, abs=0.011)
    assert reader.read == [*range(60), *range(60)]
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_kept_where_nothing_can_be(tmp_path):
    (tmp_path / "file").touch()
    reader = Watched()
    for cache in (None, tmp_path / "file"):
        assert rendering(watched(reader), cache)["tiles"] == 60
        assert pictures(watched(reader), [3], np.ndarray.tobytes, "raw", cache) == [reader.tiles[3].tobytes()]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_kept_things_are_stores_like_any_other(tmp_path):
    reader = Watched()
    rendering(watched(reader), tmp_path)
    pictures(watched(reader), [3], np.ndarray.tobytes, "raw", tmp_path)
    texts = Short()
    texts.text_identity = lambda: {"model": "short"}
    cut_texts(texts, ["a lake"], tmp_path)
    assert {(kept.kind, kept.model) for kept in cache_admin.stores(tmp_path)} == {
        ("cut", "short"),
        ("statistics", "any"),
        ("pictures", "any"),
    }
    assert cache_admin.damaged(tmp_path) == {}
    for shard in tmp_path.glob("*/*.safetensors"):
        data = bytearray(shard.read_bytes())
        data[-1] ^= 1
        shard.write_bytes(data)
    assert len(cache_admin.damaged(tmp_path)) == 3
    reader.read.clear()
    assert rendering(watched(reader), tmp_path) == rendering(watched(reader), None)
    assert pictures(watched(reader), [3], np.ndarray.tobytes, "raw", tmp_path) == [reader.tiles[3].tobytes()]
    assert reader.read == [*range(60), *range(60), 3]
