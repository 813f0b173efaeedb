"""Images of recorded outputs: joined to tiles by name in the tiles' order, and what does not join is named."""

from __future__ import annotations

import numpy as np
import pytest

from senbench.datasets.catalog import BUILTIN
from senbench.datasets.open import open_dataset
from senbench.errors import UsageError
from senbench.evaluation.recorded_images import Place, Rows, classes, counted, found

DEMO = Place("demo", None, None)
INFO = BUILTIN["demo"][1]


@pytest.fixture(scope="module")
def tiles():
    return open_dataset("demo", split=None, data_dir=None, offline=True)


def rows(tiles, order, labels=None):
    ids = tuple(tiles.tile_ids[k] for k in order)
    return Rows(tiles.tile_labels[order] if labels is None else labels, ids, None)


def numbered():
    return classes(INFO, tuple(map(str, range(len(INFO.classes)))))


def test_rows_in_any_order_become_the_tiles_in_theirs(tiles):
    order = np.random.default_rng(0).permutation(len(tiles))
    images = found(DEMO, numbered(), rows(tiles, order))
    assert images.ids == tiles.tile_ids and images.joined
    assert np.array_equal(order[images.rows], np.arange(len(tiles)))
    assert images.index_hash == tiles.index_hash()
    assert images.n_expected == tiles.n_expected


def test_names_join_without_folder_and_suffix(tiles):
    ids = tuple(f"elsewhere/{name}.png" for name in tiles.tile_ids)
    assert found(DEMO, numbered(), Rows(None, ids, None)).ids == tiles.tile_ids


def test_a_part_of_the_tiles_is_fewer_than_the_split_has(tiles):
    images = found(DEMO, numbered(), rows(tiles, np.arange(10)))
    assert len(images.ids) == 10 and images.n_expected == tiles.n_expected > 10


def test_names_that_do_not_join_are_named(tiles):
    ids = (*tiles.tile_ids[:5], "nobody_1", "nobody_2")
    with pytest.raises(UsageError, match=r"2 of 7 ids are no tiles of demo test: nobody_1, nobody_2"):
        found(DEMO, numbered(), Rows(None, ids, None))
    with pytest.raises(UsageError, match="two ids are the same tile"):
        found(DEMO, numbered(), Rows(None, (tiles.tile_ids[0], f"x/{tiles.tile_ids[0]}.png"), None))
    with pytest.raises(UsageError, match="ids are missing"):
        found(DEMO, numbered(), Rows(tiles.tile_labels, None, None))


def test_labels_of_another_set_are_refused(tiles):
    labels = tiles.tile_labels.copy()
    labels[3] = (labels[3] + 1) % len(INFO.classes)
    with pytest.raises(UsageError, match=rf"1 of {len(tiles)} labels are not those of demo, .* the first"):
        found(DEMO, numbered(), rows(tiles, np.arange(len(tiles)), labels))


def test_classes_are_put_in_label_order_by_key_or_by_a_set_of_names():
    backwards = INFO.classes[::-1]
    named = classes(INFO, backwards)
    assert named.keys == INFO.classes and named.place.tolist() == list(range(len(backwards)))[::-1]
    assert named.indices(np.array(backwards[:2]), "labels").tolist() == [len(backwards) - 1, len(backwards) - 2]
    scores = np.arange(len(backwards))[None]
    assert named.columns(scores, "scores").tolist() == [list(range(len(backwards)))[::-1]]
    eurosat = BUILTIN["eurosat-rgb"][1]
    found = classes(eurosat, ("river", "forest"))
    assert [eurosat.classes[k] for k in found.place] == ["River", "Forest"]
    assert "lake or sea" in found.names and not found.whole
    with pytest.raises(UsageError, match="class 'swamp' is none of eurosat-rgb"):
        classes(eurosat, ("River", "swamp"))
    with pytest.raises(UsageError, match="class indices go to 11, eurosat-rgb has 10 classes"):
        classes(eurosat, tuple(map(str, range(12))))


@pytest.mark.parametrize(("value", "says"), [(9, "predictions is 9 in row 1"), (-1, "predictions is -1 in row 1")])
def test_answers_out_of_range_are_named(value, says):
    with pytest.raises(UsageError, match=f"{says}; expected 0..2"):
        classes(None, ("a", "b", "c")).indices(np.array([0, value]), "predictions")


def test_a_matrix_must_count_the_images_of_the_split():
    eurosat = BUILTIN["eurosat-rgb"][1]
    labels = np.zeros(26_999, int)
    with pytest.raises(UsageError, match="confusion counts 26,999 images, all of eurosat-rgb has 27,000"):
        counted(Place("eurosat-rgb", None, None), classes(eurosat, eurosat.classes), labels)
    with pytest.raises(UsageError, match="split of eurosat-rgb"):
        counted(Place("eurosat-rgb", "nowhere", None), classes(eurosat, eurosat.classes), labels)
    images = counted(Place("zoo", None, None), classes(None, ("a", "b")), labels)
    assert len(set(images.ids)) == 26_999 and images.info is None
