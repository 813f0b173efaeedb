"""Ground views: the same land as the tile's, the same bytes everywhere."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from places import ROOT

from senbench.datasets.synthetic import ground_views, scenes
from senbench.datasets.synthetic.ground_views import DIRECTIONS, SIDE, look, views
from senbench.datasets.synthetic.landcover import Canvas, LandCover
from senbench.datasets.synthetic.scenes import CLASSES, FRESH_SEED
from senbench.errors import UsageError

FIRST = FRESH_SEED + 778_000_000


@pytest.fixture(scope="module")
def seen() -> dict[str, list]:
    """The views of eight scenes of each class."""
    return {key: [views(key, FIRST + n) for n in range(8)] for key in CLASSES}


def plain(
    cover: LandCover, *, nearly: LandCover | None = None, where: tuple[slice, slice] = (slice(0), slice(0))
) -> Canvas:
    """A canvas of one cover, with another one somewhere: nothing is drawn at random."""
    canvas = Canvas.draw(np.random.default_rng(0))
    canvas.ground[:] = 800.0
    canvas.note(None, cover)
    if nearly is not None:
        canvas.cover[where] = nearly
    return canvas


def test_four_photos_that_face_the_four_winds(seen):
    for four in (four for those in seen.values() for four in those):
        assert tuple(view.facing for view in four) == DIRECTIONS
        for view in four:
            assert (view.pixels.shape, view.pixels.dtype) == ((SIDE, SIDE, 3), np.uint8)
            assert view.shares.sum() == pytest.approx(1, abs=1e-5)
            assert view.shares.shape == view.greenness.shape == (len(LandCover),)
            assert ((view.shares > 0) | (view.greenness == 0)).all()
        assert len({view.pixels.tobytes() for view in four}) == 4


def test_same_seed_same_views_and_nothing_else():
    first = views("River", 5)
    assert [v.pixels.tobytes() for v in first] == [v.pixels.tobytes() for v in views("River", 5)]
    assert first[0].pixels.tobytes() != views("River", 6)[0].pixels.tobytes()
    assert first[0].pixels.tobytes() != views("Highway", 5)[0].pixels.tobytes()


def test_the_same_in_another_process_with_another_hash_seed():
    code = (
        "import hashlib; from senbench.datasets.synthetic.scenes import CLASSES;"
        "from senbench.datasets.synthetic.ground_views import views;"
        "print(hashlib.sha256(b''.join(v.pixels.tobytes() for k in CLASSES for v in views(k, 3))).hexdigest())"
    )
    here = hashlib.sha256(b"".join(v.pixels.tobytes() for k in CLASSES for v in views(k, 3))).hexdigest()
    env = {"PYTHONHASHSEED": "4711", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    there = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_looking_at_a_canvas_changes_nothing_of_its_tile():
    canvas = scenes.painted("Residential", 11)
    look(canvas, "Residential", 11)
    assert np.array_equal(scenes.acquired(canvas), scenes.scene("Residential", 11))


def test_the_land_of_the_class_is_in_sight(seen):
    shows = {
        "AnnualCrop": LandCover.FIELD,
        "Forest": LandCover.TREES,
        "Highway": LandCover.ROAD,
        "Pasture": LandCover.GRASS,
        "PermanentCrop": LandCover.ORCHARD,
        "Residential": LandCover.HOUSE,
        "River": LandCover.WATER,
        "SeaLake": LandCover.WATER,
    }
    for key, cover in shows.items():
        best = [max(view.shares[cover] for view in four) for four in seen[key]]
        assert np.mean(np.array(best) > 0.1) >= 0.75, (key, best)


def test_what_is_noted_is_what_the_tile_shows():
    water = [np.mean(scenes.painted("SeaLake", n).cover == LandCover.WATER) for n in range(10)]
    assert np.median(water) == 1
    for key, cover in (
        ("Residential", LandCover.HOUSE),
        ("Forest", LandCover.TREES),
        ("PermanentCrop", LandCover.ORCHARD),
    ):
        share = np.mean([np.mean(scenes.painted(key, n).cover == cover) for n in range(10)])
        assert share > 0.1, key
    canvas = scenes.painted("River", 1)
    wet = canvas.cover == LandCover.WATER
    near_infrared = canvas.ground[..., 7]
    assert near_infrared[wet].mean() < 0.2 * near_infrared[~wet].mean()


@pytest.mark.parametrize(("side", "facing"), [("north", 0), ("east", 1), ("south", 2), ("west", 3)])
def test_a_wood_on_one_side_is_seen_on_that_side(side, facing):
    beyond = {
        "north": (slice(0, 30), slice(None)),
        "south": (slice(98, None), slice(None)),
        "west": (slice(None), slice(0, 30)),
        "east": (slice(None), slice(98, None)),
    }[side]
    four = look(plain(LandCover.GRASS, nearly=LandCover.TREES, where=beyond), "Pasture", 1)
    shares = [view.shares[LandCover.TREES] for view in four]
    assert int(np.argmax(shares)) == facing
    assert shares[facing] > 1.5 * np.sort(shares)[-2]


def test_flat_land_ends_at_the_horizon_and_houses_stand_above_it():
    flat = look(plain(LandCover.PAVED), "Industrial", 2)[0].pixels.astype(float)
    street = plain(LandCover.PAVED, nearly=LandCover.HALL, where=(slice(50, 58), slice(40, 90)))
    built = look(street, "Industrial", 2)[0]
    assert built.shares[LandCover.HALL] > 0.02
    sky, ground = flat[:20].mean((0, 1)), flat[45:].mean((0, 1))
    assert sky[2] > sky[0] - 12  # blue or grey, never warm
    assert abs(sky - ground).max() > 20


def test_unknown_class_is_named():
    with pytest.raises(UsageError, match=r"'Lake'.*SeaLake"):
        views("Lake", 0)


def test_every_class_has_a_place_to_stand():
    assert set(ground_views._STAND) == set(CLASSES)
