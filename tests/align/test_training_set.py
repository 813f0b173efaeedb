from __future__ import annotations

from dataclasses import replace

import aligning
import numpy as np
import pytest

from senbench.align.training_set import StoredRows
from senbench.errors import UsageError


@pytest.fixture
def data():
    return aligning.pairs(20, side=8, dim=16)


def test_a_batch_has_the_photos_of_its_tiles(data):
    batch = data.batch(np.array([19, 3]))
    assert np.array_equal(batch.tiles, data.tiles[[19, 3]])
    assert batch.there.tolist() == [[True, False, False, False], [True] * 4]
    assert np.array_equal(batch.photos[1], data.photos[12:16].astype(np.float32))
    assert np.array_equal(batch.photos[0, 0], data.photos[76].astype(np.float32))
    assert not batch.photos[0, 1:].any()
    assert data.batch(np.array([3]), views=1).photos.shape == (1, 1, 16)


def test_rows_of_a_file_are_those_of_the_array(data, tmp_path):
    np.save(tmp_path / "tiles.npy", data.tiles)
    stored = StoredRows(tmp_path / "tiles.npy")
    assert stored.shape == data.tiles.shape
    assert np.array_equal(stored[np.array([5, 1])], data.tiles[[5, 1]])
    assert type(stored[np.array([5, 1])]) is np.ndarray  # and no view of a mapping, whose pages would stay
    assert replace(data, tiles=stored).digest() == data.digest()
    stated = StoredRows(tmp_path / "tiles.npy", "abc")
    assert replace(data, tiles=stated).digest()["tiles"] == "abc"


def test_another_value_is_another_digest(data):
    before = data.digest()
    for change in (
        {"tiles": np.where(np.arange(20)[:, None, None, None] == 7, 0, data.tiles).astype(np.uint8)},
        {"photos": -data.photos},
        {"photo_rows": data.photo_rows[::-1]},
        {"latitude": data.latitude + 1},
        {"held": np.zeros(20, bool)},
        {"ids": [*data.ids[:-1], "other"]},
    ):
        assert replace(data, **change).digest() != before


def swapped(values):
    values = values.copy()
    values[4] = 100.0
    return values


def changed(values, place, value):
    values = values.copy()
    values[place] = value
    return values


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: {"photos": changed(d.photos, (9, 3), np.nan)}, "photo 9 holds a value that is not finite"),
        (lambda d: {"photos": changed(d.photos, 9, 0)}, "photo 9 holds only zeros"),
        (lambda d: {"photos": changed(d.photos, (9, 3), np.inf)}, "not finite"),
        (lambda d: {"photos": d.photos[:, :8]}, "8 dimensions, those of base have 16"),
        (lambda d: {"photos": d.photos.astype(int)}, "expected float"),
        (lambda d: {"photo_rows": changed(d.photo_rows, 4, -1)}, "point-4 has no photo"),
        (lambda d: {"photo_rows": changed(d.photo_rows, (4, 0), 80)}, "of 80 photos"),
        (lambda d: {"photo_rows": d.photo_rows[:-1]}, "other lengths"),
        (lambda d: {"photo_rows": np.tile(d.photo_rows, 5)}, "1 to 16"),
        (lambda d: {"latitude": swapped(d.latitude)}, "point-4 has latitude 100.*exchanged"),
        (lambda d: {"tiles": d.tiles.astype(np.float32)}, "expected uint8"),
        (lambda d: {"tiles": d.tiles[:, :4]}, "expected uint8"),
        (lambda d: {"ids": []}, "no tile"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(data, change, said):
    with pytest.raises(UsageError, match=said) as told:
        replace(data, **change(data)).check(16, "base")
    assert "\n" not in str(told.value)


def test_what_is_right_is_taken(data):
    data.check(16, "base")
