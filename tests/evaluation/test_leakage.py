"""Whether selection and evaluation are apart: shared tiles, distances at their bound, and what nothing is known of."""

from __future__ import annotations

from dataclasses import replace

import pytest
import stubs

from senbench.errors import UsageError
from senbench.evaluation import leakage
from senbench.prompts import packs, prompts_from_dict
from senbench.prompts.vocabulary import vocabulary_for

NEAR, FAR = "EPSG:32633/0_0", "EPSG:32633/3_0"
"""Blocks of 5 km with two others between them: tiles in them are at least 10 km apart."""
PROMPTS = {key: [f"a {key.lower()}"] for key in stubs.CLASSES}


def located(cluster, n=6, **change):
    """Tiles of which every one lies in the same cluster."""
    return stubs.tiles(n, locate=lambda positions: [cluster] * len(positions), **change)


def prompts(*, level=1, collection="stub", least=10.0, **seen):
    """Prompts that say how they were selected."""
    info = stubs.info()
    plain = prompts_from_dict(PROMPTS, info, vocabulary_for(info, None)[0])
    about = {"dataset": "stub", "collection": collection, "split": "train", "tiles": "", "places": None, **seen}
    return plain.model_copy(
        update={"access_level": level, "provenance": {"selected_on": about, "min_distance_km": least}}
    )


def access(selected, tiles):
    return leakage.access(selected, tiles, tiles.clusters())


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_prompts_that_were_not_selected_keep_their_level(level):
    plain = prompts().model_copy(update={"access_level": level, "provenance": {}})
    assert access(plain, located(NEAR)) == (level, ())


@pytest.mark.parametrize(("least", "level"), [(9.99, 1), (10.0, 1), (10.01, 2)])
def test_the_least_distance_itself_is_far_enough(least, level):
    found, notes = access(prompts(places=[FAR], least=least), located(NEAR))
    assert found == level
    assert bool(notes) == (level == 2)


def test_one_tile_that_is_near_raises_the_level_and_is_told():
    mixed = stubs.tiles(6, locate=lambda positions: [FAR if p else NEAR for p in positions])
    found, (note,) = access(prompts(places=["EPSG:32633/1_0", "EPSG:32633/90_0"]), mixed)
    assert found == 2
    assert note == (
        "prompts custom were selected on tiles that may be 0 km from evaluated ones, below 10 km: access level 2"
    )


def test_labels_stay_level_3_where_tiles_are_near():
    found, (note,) = access(prompts(level=3, places=[FAR], least=11.0), located(NEAR))
    assert found == 3
    assert note.endswith("10 km from evaluated ones, below 11 km: access level 3")


def test_tiles_that_were_selected_on_are_found_before_any_distance_is():
    tiles = located(NEAR)
    seen = packs.encoded(packs.digests("stub", tiles.tile_ids[:2]))
    found, (note,) = access(prompts(tiles=seen, places=["EPSG:32633/900_0"]), tiles)
    assert found == 2
    assert note.startswith("2 of the 6 evaluated tiles are among those that prompts custom were selected on")
    other = packs.encoded(packs.digests("another collection", tiles.tile_ids[:2]))
    assert access(prompts(tiles=other, places=["EPSG:32633/900_0"]), tiles) == (1, ())


def test_a_damaged_list_of_tiles_is_refused():
    with pytest.raises(UsageError, match="cut off; select the prompts anew"):
        access(prompts(tiles="AAAA"), located(NEAR))


@pytest.mark.parametrize(
    ("split", "collection", "level", "said"),
    [
        ("spatial-test", "stub", 1, False),  # the split that the selection was checked against
        ("spatial-val", "stub", 1, False),  # lists split by longitude, other than the one that was checked
        ("spatial-train", "stub", 2, True),  # other tiles of the same regions
        ("random-test", "stub", 2, True),
        ("all", "elsewhere", 1, True),  # other data: disjoint, but how far away?
    ],
)
def test_the_level_where_no_positions_are_known(split, collection, level, said):
    selected = prompts(collection="stub", split="spatial-train")
    selected.provenance["held_out"] = {"dataset": "stub", "split": "spatial-test"}
    found, notes = access(selected, stubs.tiles(6, info=stubs.info(collection=collection), split=split))
    assert (found, bool(notes)) == (level, said)


def test_places_that_cannot_be_related_are_no_evidence():
    found, notes = access(prompts(places=["my own grid/3_0"]), located(NEAR))
    assert found == 2
    assert "nothing shows that these tiles are apart from those" in notes[0]


def apart(chosen, evaluated, least=10.0):
    return leakage.apart(
        chosen,
        leakage.blocks(chosen, chosen.clusters()),
        evaluated,
        leakage.blocks(evaluated, evaluated.clusters()),
        least,
    )


def parts(first, second, **change):
    """Two halves of the same tiles, each in a cluster of its own."""
    whole = stubs.tiles(6, locate=lambda positions: [first if p < 3 else second for p in positions], **change)
    return whole.take(range(3)), whole.take(range(3, 6))


@pytest.mark.parametrize(("least", "near"), [(10.0, []), (10.01, [0, 1, 2])])
def test_tiles_to_select_on_are_near_below_the_least_distance(least, near):
    found = apart(*parts(FAR, NEAR), least=least)
    assert (found.km, found.how, found.near.tolist()) == (10.0, "at least 10 km, by 5 km blocks", near)


def test_the_nearest_of_the_tiles_counts():
    whole = stubs.tiles(6, locate=lambda positions: [f"EPSG:32633/{3 * p}_0" for p in positions])
    found = apart(whole.take([0, 4, 3]), whole.take([5]), least=30)
    assert (found.km, found.near.tolist()) == (10.0, [1, 2])


def test_shared_tiles_are_refused_wherever_they_lie():
    chosen, _ = parts(FAR, NEAR)
    with pytest.raises(UsageError, match=r"share 3 tiles, such as Field_0: give a split .* --on-evaluated"):
        apart(chosen, chosen)


@pytest.mark.parametrize(
    ("chosen", "evaluated", "said"),
    [
        ("spatial-train", "spatial-test", None),
        ("spatial-train", "spatial-train", "positions of these tiles are not known"),
        ("spatial-train", "all", "positions of these tiles are not known"),
        ("random-train", "spatial-test", "random splits cut neighbouring tiles of one scene apart"),
        ("spatial-train", "random-test", "random splits cut neighbouring tiles of one scene apart"),
    ],
)
def test_without_positions_only_regional_splits_are_apart(chosen, evaluated, said):
    whole = stubs.tiles(6)
    first = replace(whole.take(range(3)), split=chosen)
    second = replace(whole.take(range(3, 6)), split=evaluated)
    if said is None:
        found = apart(first, second)
        assert (found.km, found.near.tolist()) == (None, [])
        assert "split by longitude" in found.how
    else:
        with pytest.raises(UsageError, match=said):
            apart(first, second)


def test_blocks_are_known_for_all_tiles_or_for_none():
    tiles = located(NEAR, n=2)
    assert leakage.blocks(tiles, tiles.clusters()) == [NEAR, NEAR]
    assert leakage.blocks(tiles, None) is None
    assert leakage.blocks(tiles, [NEAR, "unlocated/2"]) is None
