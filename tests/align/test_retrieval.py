from __future__ import annotations

import numpy as np

from senbench.align.retrieval import recall


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_shares_are_those_of_sorting_by_hand():
    rng = np.random.default_rng(0)
    tiles, targets = unit(rng.normal(size=(1500, 8))), None
    targets = unit(tiles + 0.4 * rng.normal(size=tiles.shape))
    found = recall(tiles, targets)
    near = tiles @ targets.T
    for way, scores in (("tile_to_ground", near), ("ground_to_tile", near.T)):
        order = np.argsort(-scores, axis=1)
        for k in (1, 5, 10):
            assert found[way][str(k)] == np.mean([i in order[i, :k] for i in range(len(tiles))])
    assert found["n"] == 1500
    assert found["chance"] == {"1": 1 / 1500, "5": 5 / 1500, "10": 10 / 1500}
    assert found["tile_to_ground"]["1"] != found["ground_to_tile"]["1"]


def test_a_tower_that_says_the_same_of_everything_finds_nothing():
    same = np.ones((20, 4), np.float32) / 2
    found = recall(same, unit(np.random.default_rng(0).normal(size=(20, 4))))
    assert found["ground_to_tile"]["1"] == 0


def test_few_tiles():
    rows = unit(np.eye(3))
    found = recall(rows, rows)
    assert found["tile_to_ground"] == {"1": 1.0, "5": 1.0, "10": 1.0}
    assert found["chance"]["5"] == 1.0
