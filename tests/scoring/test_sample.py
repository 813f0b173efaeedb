"""What an interval needs to know of the images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.errors import UsageError
from senbench.scoring.intervals.block_sizes import BlockSizes
from senbench.scoring.sample import MIN_POSITIVE_UNITS, Sample


def test_units_are_clusters_in_order_or_else_the_images() -> None:
    located = Sample([0, 1, 0, 1], "ab", ["T9", "T1", "T9", "T4"])
    assert located.codes.tolist() == [2, 0, 2, 1]
    assert located.sizes.tolist() == [1, 1, 2]
    assert located.effective == pytest.approx(16 / 6)
    loose = Sample([0, 1, 0, 1], "ab")
    assert loose.codes.tolist() == [0, 1, 2, 3]
    assert (loose.sizes.tolist(), loose.effective) == ([1, 1, 1, 1], 4)


def test_ten_units_must_hold_a_class() -> None:
    labels = np.repeat([0, 1], [40, 9])
    assert Sample(labels, "ab").enough_units == (True, False)
    assert Sample(labels, "abc").enough_units == (True, False, False)
    clusters = np.repeat(np.arange(7), 7)
    found = Sample(labels, "ab", clusters)
    assert (len(found.sizes), found.effective, found.enough_units) == (7, 7.0, (False, False))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_enough_units_are_counted_by_cluster_whatever_the_labels(seed: int, multi: bool, located: bool) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (60, 4)) * (rng.random(4) < 0.5) if multi else rng.integers(0, 4, 60)
    clusters = rng.integers(0, 14, 60) if located else None
    got = Sample(labels, "abcd", clusters)
    for k in range(4):
        held = [i for i in range(60) if (labels[i, k] if multi else labels[i] == k)]
        assert np.flatnonzero(got.positive(k)).tolist() == held
        units = {i if clusters is None else int(clusters[i]) for i in held}
        assert got.enough_units[k] == (len(units) >= MIN_POSITIVE_UNITS)


def test_part_of_the_images_keeps_their_labels_clusters_and_countries() -> None:
    whole = Sample(np.arange(4) % 2, "ab", np.array(["a", "b", "c", "d"]), ["Austria", "Serbia", "Spain", "Malta"])
    part = whole.take(np.array([3, 1]))
    assert (part.labels.tolist(), part.clusters.tolist()) == ([1, 1], ["d", "b"])
    assert (part.countries.tolist(), part.class_keys) == (["Malta", "Serbia"], "ab")
    assert Sample([0, 1], "ab").take(np.array([True, False])).clusters is None


def test_intervals_choose_from_all_sizes_where_there_are_several() -> None:
    sizes = BlockSizes("5 km", {"5 km": np.arange(3), "scene": np.array([0, 0, 1])})
    assert Sample([0, 1, 0], "ab").clusterings is None
    assert Sample([0, 1, 0], "ab", np.arange(3)).clusterings.tolist() == [0, 1, 2]
    several = Sample([0, 1, 0], "ab", np.arange(3), by_size=sizes)
    assert several.clusterings is sizes
    assert several.take(np.array([2])).by_size.clusters["scene"].tolist() == [1]


@pytest.mark.parametrize("what", ["clusters", "countries"])
def test_one_cluster_and_country_per_image(what: str) -> None:
    with pytest.raises(UsageError, match=rf"{what} have shape \(3,\); expected \(2,\), one per image"):
        Sample([0, 1], "ab", **{what: ["x", "y", "z"]})
