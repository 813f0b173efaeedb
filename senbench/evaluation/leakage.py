"""Checks by id and by distance that prompts were selected on other tiles than the evaluated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets import distances
from senbench.errors import UsageError
from senbench.prompts import packs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.schema.prompt_set import PromptSet

ON_EVALUATED = "or select on the evaluated images by name, with --on-evaluated (access level 2)"


class Apart(NamedTuple):
    """Distance between two sets of tiles."""

    km: float | None
    """Lower bound of the distance in km, None if positions are unknown."""
    how: str
    """The distance as text."""
    near: NDArray[np.int64]
    """Indices of tiles of the first set that may be nearer than required."""


def blocks(tiles: Tiles, clusters: Sequence[str] | NDArray[Any] | None) -> list[str] | None:
    """Return the 5 km block of each tile; None unless all are known."""
    if clusters is None:
        return None
    of_tiles = [distances.block(str(c), name) for c, name in zip(clusters, tiles.tile_ids, strict=True)]
    known = [name for name in of_tiles if name is not None]
    return known if len(known) == len(of_tiles) else None


def apart(
    chosen: Tiles,
    chosen_blocks: list[str] | None,
    evaluated: Tiles,
    evaluated_blocks: list[str] | None,
    least: float,
) -> Apart:
    """Check that the tiles for selection are neither evaluated nor close to evaluated ones.

    Args:
        chosen: Tiles for selection.
        chosen_blocks: Their blocks, or None.
        evaluated: Tiles that will be evaluated.
        evaluated_blocks: Their blocks, or None.
        least: Required distance in km.

    Returns:
        The distance, and the chosen tiles that are too near.

    Raises:
        UsageError: They share tiles, or positions are unknown and the splits are not regional by construction.
    """
    names = f"--split {chosen.split} and --for {evaluated.split} of {chosen.info.id}"
    shared = set(chosen.tile_ids) & set(evaluated.tile_ids)
    if shared:
        raise UsageError(
            f"{names} share {len(shared):,} tiles, such as {min(shared)}: give a split that is spatially apart, "
            + ON_EVALUATED
        )
    none = np.zeros(0, np.int64)
    distance = None
    if chosen_blocks is not None and evaluated_blocks is not None:
        distance = distances.gaps(chosen_blocks, evaluated_blocks)
    if distance is not None:
        km = float(distance.min())
        return Apart(km, f"at least {km:.0f} km, by 5 km blocks", np.flatnonzero(distance < least))
    if _regional(chosen.split, evaluated.split):
        return Apart(None, "not checked, these tiles carry no positions; the lists are split by longitude", none)
    if "random-" in (chosen.split[:7], evaluated.split[:7]):
        raise UsageError(
            f"{names}: random splits cut neighbouring tiles of one scene apart, so that selection would see the places "
            f"that are evaluated; use spatial-train and spatial-test, {ON_EVALUATED}"
        )
    raise UsageError(
        f"{names}: positions of these tiles are not known, so that nothing shows that they are apart; use a dataset "
        f"with positions, {ON_EVALUATED}"
    )


def access(
    prompts: PromptSet, tiles: Tiles, clusters: Sequence[str] | NDArray[Any] | None
) -> tuple[int, tuple[str, ...]]:
    """Return the access level of a prompt set on the tiles evaluated with it, and caveats.

    A pack that was selected on these tiles, on tiles nearer than the required distance, or on other tiles of the same
    dataset that cannot be shown to be apart, has level 2 here (3 stays 3).

    Args:
        prompts: The prompts.
        tiles: The evaluated tiles.
        clusters: Spatial cluster per tile, or None.

    Raises:
        UsageError: The provenance of the pack is damaged.
    """
    selected_on = prompts.provenance.get("selected_on")
    if not isinstance(selected_on, dict):
        return prompts.access_level, ()
    name, level = prompts.id, max(2, prompts.access_level)
    evaluated = packs.digests(tiles.info.collection, tiles.tile_ids)
    if n := len(evaluated & packs.decoded(selected_on.get("tiles", ""))):
        return level, (
            f"{n:,} of the {len(evaluated):,} evaluated tiles are among those that prompts {name} were selected on: "
            f"access level {level}",
        )
    here, there = blocks(tiles, clusters), selected_on.get("places")
    least = prompts.provenance.get("min_distance_km", 0)
    distance = distances.gaps(here, there) if here and there else None
    if distance is not None:
        if not (distance < least).any():
            return prompts.access_level, ()
        return level, (
            f"prompts {name} were selected on tiles that may be {distance.min():.0f} km from evaluated ones, below "
            f"{least:g} km: access level {level}",
        )
    checked = prompts.provenance.get("held_out") or {}
    if (tiles.info.id, tiles.split) == (checked.get("dataset"), checked.get("split")):
        return prompts.access_level, ()
    same = tiles.info.collection == selected_on.get("collection")
    if same and _regional(str(selected_on.get("split")), tiles.split):
        return prompts.access_level, ()
    level = level if same else prompts.access_level
    return level, (
        f"prompts {name} were selected on {selected_on.get('dataset')} {selected_on.get('split')}, and nothing "
        f"shows that these tiles are apart from those: access level {level}",
    )


def _regional(one: str, other: str) -> bool:
    """Return whether two splits of a dataset are apart by construction, as those of EuroSATSpatial are."""
    return one != other and one.startswith("spatial-") and other.startswith("spatial-")
