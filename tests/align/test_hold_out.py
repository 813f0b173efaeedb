from __future__ import annotations

from dataclasses import replace

import aligning
import numpy as np
import pytest

from senbench.align import hold_out
from senbench.errors import UsageError


def kilometres(data, one, other):
    a, b = (hold_out.unit_vectors(data.latitude[rows], data.longitude[rows]) for rows in (one, other))
    return 6371 * np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))


def grid(n=60):
    """Points 2 km apart, as LUCAS's, and some 300 m beside one of these."""
    data = aligning.pairs(n * n // 9 * 2, side=4, dim=8)
    half = len(data) // 2
    side = int(np.ceil(np.sqrt(half)))
    north, east = np.divmod(np.arange(half), side)
    latitude = 48 + north * 2 / 111.2
    longitude = 9 + east * 2 / (111.2 * np.cos(np.radians(48)))
    return replace(
        data,
        latitude=np.concatenate([latitude, latitude + 0.3 / 111.2]),
        longitude=np.concatenate([longitude, longitude]),
    )


def test_spatial_holds_out_whole_blocks_apart_from_what_is_trained_on():
    data = grid()
    found = hold_out.split(data, "spatial:0.1", 0)
    assert sorted(np.concatenate(found).tolist()) == list(range(len(data)))
    assert 0.1 <= len(found.held) / len(data) < 0.4
    assert kilometres(data, found.train, found.held).min() >= hold_out.MARGIN_KM - 1e-6
    assert (kilometres(data, found.left_out, found.held).min(1) < hold_out.MARGIN_KM).all()
    again, other = hold_out.split(data, "spatial:0.1", 0), hold_out.split(data, "spatial:0.1", 1)
    assert np.array_equal(again.held, found.held)
    assert not np.array_equal(other.held, found.held)


def test_tiles_too_near_are_left_out():
    data = grid()
    latitude = data.latitude.copy()
    found = hold_out.split(data, "spatial:0.1", 0)
    one = found.train[0]
    latitude[one], longitude = data.latitude[found.held[0]] + 0.5 / 111.2, data.longitude.copy()
    longitude[one] = data.longitude[found.held[0]]
    moved = replace(data, latitude=latitude, longitude=longitude)
    assert one not in hold_out.split(moved, "spatial:0.1", 0).train


def test_random_none_and_the_manifests_own():
    data = aligning.pairs(50, side=4, dim=8)
    assert len(hold_out.split(data, "random:0.2", 0).held) == 10
    assert len(hold_out.split(data, "none", 0).train) == 50
    own = replace(data, held=np.arange(50) % 5 == 0)
    assert hold_out.split(own, "split", 0).held.tolist() == list(range(0, 50, 5))


@pytest.mark.parametrize(
    ("how", "change", "said"),
    [
        ("split", {}, "no column `split`"),
        ("spatial:0.1", {"latitude": np.full(50, np.nan)}, "needs latitude and longitude"),
        ("spatial:0.1", {"latitude": np.full(50, 48.0), "longitude": np.full(50, 9.0)}, "one block"),
        ("split", {"held": np.ones(50, bool)}, "none is left"),
    ],
)
def test_what_cannot_be_held_out_is_told(how, change, said):
    with pytest.raises(UsageError, match=said):
        hold_out.split(replace(aligning.pairs(50, side=4, dim=8), **change), how, 0)
