"""A dataset as a run opens it: its split, its sample, its limit, the splits beside it."""

from __future__ import annotations

import numpy as np
import pytest
import stubs

from senbench import protocols
from senbench.errors import UsageError
from senbench.evaluation.data import EvalData, open_data
from senbench.runtime.progress import Silent
from senbench.schema.run_spec import RunSpec

STANDARD = protocols.find("standard")


def opened(dataset, *, located=True, **options) -> EvalData:
    spec = RunSpec(models=("m",), prompts=("p",), datasets=("d",), offline=True, **options)
    return open_data(spec, dataset, STANDARD, (), Silent(), located=located)


def test_opened_tiles_are_taken_as_they_are():
    tiles = stubs.tiles()
    found = opened(tiles)
    assert found.tiles is tiles
    assert (found.given, found.clusters, found.tuning, found.anchors) == (tiles.info.id, None, None, None)


def test_a_limit_is_stratified_and_the_same_every_time():
    first, again, other = (opened(stubs.tiles(), limit=9, seed=seed) for seed in (0, 0, 1))
    assert np.bincount(first.tiles.tile_labels).tolist() == [3, 3, 3]
    assert first.tiles.tile_ids == again.tiles.tile_ids != other.tiles.tile_ids
    assert first.tiles.limited == 9


def test_positions_are_read_only_where_clusters_are_wanted():
    asked = []

    def locate(places):
        asked.extend(places)
        return [f"cell {i % 4}" for i in places]

    tiles = stubs.tiles(locate=locate)
    assert opened(tiles, located=False).clusters is None
    assert asked == []
    assert opened(tiles).clusters.tolist() == [f"cell {i % 4}" for i in range(60)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"limit": 0}, "--limit 0: give at least 1"),
        ({"labels": "v1"}, "--labels v1 is for bigearthnet-v2"),
        ({"tune": "val"}, "--tune val: thresholds are tuned for named multi-label datasets only"),
        ({"anchors": "train"}, "--anchors train: needs a dataset by name"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, says):
    with pytest.raises(UsageError, match=says):
        opened(stubs.tiles(), **options)


def test_splits_beside_the_evaluated_one_share_no_tile_with_it():
    with pytest.raises(UsageError, match="of its tiles are evaluated too; give a disjoint split"):
        opened("demo", anchors="test")
