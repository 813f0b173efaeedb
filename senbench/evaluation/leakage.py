"""Whether prompts were chosen on tiles apart from those that are evaluated: by id, and by distance."""

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
    """How far two sets of tiles are apart."""

    km: float | None
    """Least possible distance, None where positions are not known."""
    how: str
    """The same for people."""
    near: NDArray[np.int64]
    """Positions of tiles of the first set that may be nearer than asked for."""


def blocks(tiles: Tiles, clusters: Sequence[str] | NDArray[Any] | None) -> list[str] | None:
    """5 km block of each tile, None unless all are known."""
    if clusters is None:
        return None
    found = [distances.block(str(c), name) for c, name in zip(clusters, tiles.tile_ids, strict=True)]
    known = [name for name in found if name is not None]
    return known if len(known) == len(found) else None


def apart(
    chosen: Tiles,
    chosen_blocks: list[str] | None,
    evaluated: Tiles,
    evaluated_blocks: list[str] | None,
    least: float,
) -> Apart:
    """Check that tiles to select on are none of the evaluated ones, nor near them.

    Args:
        chosen: Tiles to select on.
        chosen_blocks: Their blocks, or None.
        evaluated: Tiles that will be evaluated.
        evaluated_blocks: Their blocks, or None.
        least: Least distance asked for, km.

    Returns:
        The distance, and which of the chosen tiles are too near.

    Raises:
        UsageError: They share tiles, or positions are not known and the splits are not regional by themselves.
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
        f"{names}: positions of these tiles are not known, so that nothing shows that they are apart; use a data set "
        f"with positions, {ON_EVALUATED}"
    )


def access(
    prompts: PromptSet, tiles: Tiles, clusters: Sequence[str] | NDArray[Any] | None
) -> tuple[int, tuple[str, ...]]:
    """Access level of a prompt set on the tiles that are evaluated with it, and what a reader must know.

    A pack that was selected on these tiles, nearer to them than it was to be, or on other tiles of the same data set
    without anything to show that they are apart, is level 2 here (3 stays 3).

    Args:
        prompts: The prompts.
        tiles: What is evaluated.
        clusters: Spatial cluster per tile, or None.

    Raises:
        UsageError: A pack whose provenance is damaged.
    """
    seen = prompts.provenance.get("selected_on")
    if not isinstance(seen, dict):
        return prompts.access_level, ()
    name, level = prompts.id, max(2, prompts.access_level)
    evaluated = packs.digests(tiles.info.collection, tiles.tile_ids)
    if n := len(evaluated & packs.decoded(seen.get("tiles", ""))):
        return level, (
            f"{n:,} of the {len(evaluated):,} evaluated tiles are among those that prompts {name} were selected on: "
            f"access level {level}",
        )
    here, there = blocks(tiles, clusters), seen.get("places")
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
    same = tiles.info.collection == seen.get("collection")
    if same and _regional(str(seen.get("split")), tiles.split):
        return prompts.access_level, ()
    level = level if same else prompts.access_level
    return level, (
        f"prompts {name} were selected on {seen.get('dataset')} {seen.get('split')}, and nothing shows that these "
        f"tiles are apart from those: access level {level}",
    )


def _regional(one: str, other: str) -> bool:
    """Whether two splits of a data set are apart by how they were made: different ones of EuroSATSpatial."""
    return one != other and one.startswith("spatial-") and other.startswith("spatial-")
