"""Views of tiles, hashes of them, and subsets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import stubs
from hypothesis import given
from hypothesis import strategies as st

from senbench.datasets.bands import Pairing
from senbench.datasets.tiles import Reader, Tiles, index_hash, stratified


def test_ids_of_a_view_come_in_its_order_and_are_listed_once():
    tiles = stubs.tiles(6)
    view = tiles.take([4, 1]).take([1, 0, 0])
    assert view.tile_ids == (tiles.ids[1], tiles.ids[4], tiles.ids[4])
    assert view.tile_ids is view.tile_ids  # asked for in loops over tens of thousands of tiles
    assert tiles.tile_ids == tiles.ids
    assert replace(view, index=tiles.index).tile_ids == tiles.ids


def test_bands_are_those_of_the_order():
    assert stubs.tiles().bands == ("B04", "B03", "B02")
    assert replace(stubs.tiles(), band_order="B02,B8A").bands == ("B02", "B8A")


class Least(Reader):
    """The two methods that a reader must have."""

    def rgb(self, i):
        return np.full((2, 2, 3), i, np.uint8)

    def key(self, i, names=None):
        return b"%d" % i


def test_a_reader_needs_no_more_than_pixels_and_keys():
    tiles = Tiles(
        info=stubs.info(splits={"all": 4}),
        split="all",
        source="memory",
        ids=tuple("abcd"),
        labels=np.array([0, 1, 2, 0]),
        reader=Least(),
        n_expected=4,
        radiometry="native-jpeg",
    )
    view = tiles.take([2, 1])
    assert (view.read(0)[0, 0, 0], view.key(1), view.picture(0)[0, 0, 0]) == (2, b"1", 2)
    assert view.clusters() is None and view.packed is None
    assert tiles.reader.stamp([0], ()) is None
    key, tile = tiles.reader.keyed(3, None)
    assert key == b"3" and tile[0, 0, 0] == 3


def test_digital_numbers_have_keys_of_their_own_bands():
    tiles = stubs.tiles(4, bands_reader=lambda i, names: np.zeros((2, 2, len(names)), np.uint16))
    asked = stubs.StubReader(tiles.reader, key=lambda i, names=None: repr((i, names)).encode())
    tiles = replace(tiles, reader=asked)
    native = tiles.paired(Pairing(("B08", "B02"), native=True))
    assert native.key(2) == b"(2, ('B08', 'B02'))"
    assert native.read(2).shape == (2, 2, 2)
    assert tiles.key(2) == native.paired(Pairing(("B04", "B03", "B02"), native=False)).key(2) == b"(2, None)"


def test_a_hash_tells_images_and_labels_and_not_their_order():
    ids, labels, classes = ["a", "b", "c"], np.array([0, 1, 1]), ["x", "y"]
    whole = index_hash(ids, labels, classes)
    assert whole == index_hash(ids[::-1], labels[::-1], classes)
    assert whole == index_hash(ids, np.array([[1, 0], [0, 1], [0, 1]], bool), classes)
    assert whole != index_hash(ids, np.array([[1, 0], [1, 1], [0, 1]], bool), classes)
    assert index_hash(["a"], np.array([[0, 0]], bool), classes) != index_hash(["a"], np.array([0]), classes)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 70), st.integers(0, 3))
def test_a_stratified_subset_holds_every_class_where_it_can(labels, limit, seed):
    labels = np.array(labels)
    chosen = stratified(labels, limit, seed)
    assert len(chosen) == min(limit, len(labels)) == len(set(chosen.tolist()))
    assert np.array_equal(chosen, np.sort(chosen)) and np.array_equal(chosen, stratified(labels, limit, seed))
    if limit >= len(set(labels.tolist())):
        assert set(labels[chosen].tolist()) == set(labels.tolist())


@pytest.mark.parametrize("limit", [3, 4, 10])
def test_a_rare_class_is_in_a_small_subset(limit):
    labels = np.repeat([0, 1, 2], [97, 1, 2])
    assert set(labels[stratified(labels, limit, 0)].tolist()) == {0, 1, 2}


def test_shares_are_those_of_the_classes():
    labels = np.repeat([0, 1], [300, 100])
    assert np.bincount(labels[stratified(labels, 40, 1)]).tolist() == [30, 10]
