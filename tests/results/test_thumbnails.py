"""Which tiles are kept as pictures."""

from __future__ import annotations

import hashlib

import numpy as np
import stubs

from senbench.results import thumbnails
from senbench.results.thumbnails import PER_CLASS, choose


def kept(tiles, scores):
    return [tiles.ids[row] for row in choose(tiles.tile_ids, scores, tiles.tile_labels, scores.argmax(axis=1))]


def test_typical_tiles_are_drawn_by_their_ids_whatever_the_scores():
    tiles = stubs.tiles()
    typical = set()
    for k in range(3):
        members = [name for name, label in zip(tiles.ids, tiles.labels, strict=True) if label == k]
        typical |= set(sorted(members, key=lambda name: hashlib.sha256(name.encode()).digest())[:PER_CLASS])
    both = [set(kept(tiles, np.random.default_rng(seed).random((60, 3), np.float32))) for seed in (0, 1)]
    assert all(typical < found for found in both)
    assert both[0] != both[1]


def test_the_surest_hits_and_mistakes_of_a_class():
    tiles, scores = stubs.tiles(), np.full((60, 3), 0.1, np.float32)
    scores[np.arange(60), tiles.labels] = 0.2
    for row in (3, 6, 9, 12):
        scores[row, 0] = 0.9
    for row in (30, 33):
        scores[row] = (0, 1, 0)
    assert {tiles.ids[row] for row in (3, 6, 9, 12, 30, 33)} <= set(kept(tiles, scores))


def test_the_encoding_is_told_with_all_that_decides_it():
    """It is part of the key under which pictures are kept."""
    for value in ("webp", thumbnails.SIDE, thumbnails.QUALITY, thumbnails.METHOD):
        assert str(value) in thumbnails.ENCODING.replace(",", "").split()
