"""Rank intervals."""

from __future__ import annotations

import numpy as np

from senbench.scoring.comparison.rank_intervals import rank_intervals


def ranks(values: list[float], significant: list[tuple[int, int]]) -> list[list[int]]:
    v = np.array(values)
    p = np.ones((len(v), len(v)))
    for i, j in significant:
        p[i, j] = p[j, i] = 0.01
    return rank_intervals(v[:, None] - v, p).tolist()


def test_all_apart_is_the_plain_ranking() -> None:
    assert ranks([0.5, 0.9, 0.7], [(0, 1), (0, 2), (1, 2)]) == [[3, 3], [1, 1], [2, 2]]


def test_none_apart_leaves_every_rank_open() -> None:
    assert ranks([0.5, 0.9, 0.7], []) == [[1, 3]] * 3


def test_not_significant_is_not_transitive() -> None:
    """a > c alone: b may hold any place, a is not last and c not first."""
    assert ranks([0.9, 0.7, 0.5], [(0, 2)]) == [[1, 2], [1, 3], [2, 3]]


def test_the_sign_of_the_difference_decides_not_the_place_in_the_list() -> None:
    assert ranks([0.5, 0.9], [(0, 1)]) == [[2, 2], [1, 1]]


def test_untested_is_not_significant() -> None:
    p = np.array([[1, np.nan], [np.nan, 1]])
    assert rank_intervals(np.array([[0.0, 0.5], [-0.5, 0.0]]), p).tolist() == [[1, 2], [1, 2]]


def test_a_level_itself_is_not_below_it() -> None:
    p = np.array([[1, 0.05], [0.05, 1]])
    assert rank_intervals(np.array([[0.0, 0.5], [-0.5, 0.0]]), p).tolist() == [[1, 2], [1, 2]]


def test_one_entry_and_none() -> None:
    assert rank_intervals(np.zeros((1, 1)), np.ones((1, 1))).tolist() == [[1, 1]]
    assert rank_intervals(np.zeros((0, 0)), np.ones((0, 0))).shape == (0, 2)
