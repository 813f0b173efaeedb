"""Prompts by classes: what a page needs to know of the tiles."""

from __future__ import annotations

import runs
import stubs

from senbench.results.matrix import Matrix


def test_classes_of_a_tile_and_the_figure_that_is_shown():
    single, several = (Matrix(None, tiles, (), {}) for tiles in (stubs.tiles(), runs.multi()))
    assert [single.classes_of(i) for i in range(4)] == [[0], [1], [2], [0]]
    assert [several.classes_of(i) for i in (0, 1, 5)] == [[0], [1], [0, 2]]
    assert (single.figure, several.figure) == ("recall", "average precision")
