"""Selection of prompts: opens the data, sees that they are apart from what is evaluated, embeds, chooses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import senbench
from senbench import protocols
from senbench.datasets import open as datasets
from senbench.errors import UsageError
from senbench.evaluation import leakage
from senbench.evaluation.data import open_data
from senbench.evaluation.embed import embed
from senbench.models import registry
from senbench.prompts import packs, selection_scores
from senbench.prompts.load import prompt_hash, prompts_for
from senbench.prompts.pool import Pool, Truth
from senbench.runtime.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.schema.dataset import DatasetInfo
    from senbench.schema.prompt_set import PromptSet
    from senbench.schema.run_spec import RunSpec

LEAST_KM = 5.0
"""Distance that selection keeps from the evaluated tiles; tiles of EuroSAT and BigEarthNet are about 1 km wide."""
MOST_TILES = 50_000
"""Tiles that a pack can list."""


@dataclass(frozen=True)
class Selection:
    """What is to be chosen, and which tiles that may see.

    Attributes:
        k: Prompts per class.
        by: One of `selection_scores.METHODS`.
        evaluated: Split that will be evaluated; None: the spatial test split, or the dataset's default.
        on_evaluated: Select on the evaluated images, or on tiles of which nothing shows that they are apart (level 2).
        least_km: Least distance between the two splits.
        drop_near: Leave out tiles that are nearer, instead of refusing.
    """

    k: int
    by: str
    evaluated: str | None = None
    on_evaluated: bool = False
    least_km: float = LEAST_KM
    drop_near: bool = False


class PlacedTiles(NamedTuple):
    """Tiles that selection sees, and the block of each, None where unknown."""

    tiles: Tiles
    places: list[str] | None

    def take(self, positions: NDArray[np.int64], **marks: Any) -> PlacedTiles:
        """The tiles at these positions."""
        return PlacedTiles(self.tiles.take(positions, **marks), self.places and [self.places[i] for i in positions])


def select_prompts(spec: RunSpec, selection: Selection, progress: Progress | None = None) -> PromptSet:
    """Choose k prompts of each class.

    Args:
        spec: One model, one prompt set, one dataset; `split`: the tiles to select on (None: the spatial or plain
            train split); `limit`: how many of them, drawn at random without a look at their labels.
        selection: What is chosen, and how.
        progress: Draws progress; None: silent.

    Returns:
        The chosen prompts, best first, with access level and provenance.

    Raises:
        UsageError: Wrong input, or the two splits are not apart.
        UnavailableError: Data, weights or device missing or damaged.
    """
    draw = progress or Silent()
    k, by = selection.k, selection.by
    card = registry.find(spec.models[0], offline=spec.offline)
    info = datasets.dataset_info(spec.datasets[0], data_dir=spec.data_dir, offline=spec.offline)
    prompts = load_pool(spec, info)
    _check(selection, prompts)
    seen, distance = _seen(spec, selection, info, draw)
    found = embed(spec, card, seen.tiles, prompts, draw)
    pool = Pool.of(found.images, found.texts, found.text_class, len(info.classes))
    truth = Truth(found.tiles.tile_labels, len(info.classes)) if by == "labels" else None
    chosen = selection_scores.choose(pool, k, by, truth)
    kept = {key: tuple(prompts.texts[key][j] for j in best) for key, best in zip(info.classes, chosen, strict=True)}
    level = 3 if by == "labels" else 2 if selection.on_evaluated else 1
    about = {
        "score": by,
        "k": k,
        "images_per_class": None if truth else selection_scores.images_per_class(len(found.images), len(info.classes)),
        "selected_on": seen_record(found.tiles, seen.places),
    }
    return as_pack(prompts, kept, f"{prompts.id}-{by}-{k}", level, found.model, about | distance)


def load_pool(spec: RunSpec, info: DatasetInfo) -> PromptSet:
    """The prompts to choose from, each text once in its class."""
    prompts = prompts_for(spec.prompts[0], info, spec.class_names)
    once = {key: tuple(dict.fromkeys(texts)) for key, texts in prompts.texts.items()}
    return prompts.model_copy(update={"texts": once})


def as_pack(
    prompts: PromptSet,
    kept: Mapping[str, tuple[str, ...]],
    name: str,
    level: int,
    model: Mapping[str, Any],
    about: Mapping[str, Any],
) -> PromptSet:
    """A choice from a prompt set, with its provenance; what the set itself has seen counts too.

    Args:
        prompts: What was chosen from.
        kept: The chosen prompts by class.
        name: Name of the choice in tables.
        level: Access level of the choice.
        model: Description of the model that it was made with.
        about: How it was made, and on which tiles.
    """
    source = {name: getattr(prompts, name) for name in ("id", "style", "source", "class_names", "access_level")}
    return prompts.model_copy(
        update={
            "id": name,
            "texts": dict(kept),
            "template_aligned": False,
            "hash": prompt_hash(kept),
            "access_level": max(level, prompts.access_level),
            "provenance": {
                "source": source | {"hash": prompt_hash(prompts.texts), "n": prompts.n},
                "model": {"id": model["id"], "weights_sha256": model["weights_sha256"]},
                **about,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "senbench_version": senbench.__version__,
            },
        }
    )


def check_listed(tiles: Tiles) -> None:
    """Refuse more tiles than a pack can list."""
    if len(tiles) > MOST_TILES:
        raise UsageError(
            f"{len(tiles):,} tiles of {tiles.info.id} {tiles.split}: a pack lists at most {MOST_TILES:,}; take some "
            f"with --limit {MOST_TILES}"
        )


def seen_record(tiles: Tiles, places: Sequence[str] | None) -> dict[str, Any]:
    """What a pack keeps of the tiles that selection saw, so that evaluating them is noticed.

    Raises:
        UsageError: Too many of them.
    """
    check_listed(tiles)
    return {
        **tiles_record(tiles),
        "collection": tiles.info.collection,
        "radiometry": tiles.radiometry,
        "tiles": packs.encoded(packs.digests(tiles.info.collection, tiles.tile_ids)),
        "places": None if places is None else sorted(set(places)),
    }


def tiles_record(tiles: Tiles) -> dict[str, Any]:
    """Which tiles they are."""
    return {"dataset": tiles.info.id, "split": tiles.split, "n": len(tiles), "index_hash": tiles.index_hash()}


def _train(info: DatasetInfo) -> str:
    for name in ("spatial-train", "train"):
        if name in info.splits:
            return name
    raise UsageError(
        f"--split is missing: {info.id} has no train split; give a file of tile names, {leakage.ON_EVALUATED}"
    )


def _check(selection: Selection, prompts: PromptSet) -> None:
    """Refuse what cannot work before anything is read."""
    if selection.by not in selection_scores.METHODS:
        raise UsageError(f"--by {selection.by!r}: use {', '.join(selection_scores.METHODS)}")
    if selection.least_km < 0:
        raise UsageError(f"--min-distance {selection.least_km:g}: give km, at least 0")
    short = min(prompts.texts, key=lambda key: len(prompts.texts[key]))
    if not 1 <= selection.k <= (n := len(prompts.texts[short])):
        raise UsageError(f"--k {selection.k}: class {short} of {prompts.id} has {n} distinct prompts; give 1 to {n}")


def _seen(spec: RunSpec, selection: Selection, info: DatasetInfo, draw: Progress) -> tuple[PlacedTiles, dict[str, Any]]:
    """Tiles that selection may see, and what a provenance tells of their distance."""

    def opened(name: str) -> PlacedTiles:
        plain = spec.model_copy(update={"split": name, "limit": None})
        found = open_data(plain, spec.datasets[0], protocols.find("standard"), (), draw)
        return PlacedTiles(found.tiles, leakage.blocks(found.tiles, found.clusters))

    least = selection.least_km
    held_out = selection.evaluated or ("spatial-test" if "spatial-test" in info.splits else info.default_split)
    seen = opened(spec.split or (held_out if selection.on_evaluated else _train(info)))
    told: dict[str, Any] = {"held_out": None, "distance": "selected on the evaluated images", "min_distance_km": least}
    if not selection.on_evaluated:
        n, other = len(seen.tiles), opened(held_out)
        gap = leakage.apart(*seen, *other, least)
        if len(gap.near):
            seen = _without(gap, seen, other.tiles, selection)
            gap = leakage.apart(*seen, *other, least)
        told |= {
            "held_out": tiles_record(other.tiles),
            "distance": gap.how,
            "distance_km": gap.km,
            "left_out_near": n - len(seen.tiles),
        }
    if spec.limit is not None and spec.limit < (n := len(seen.tiles)):
        # a stratified subset would tell of the labels
        some = np.sort(np.random.default_rng(spec.seed).choice(n, spec.limit, replace=False))
        seen = seen.take(some, limited=spec.limit)
    check_listed(seen.tiles)
    return seen, told


def _without(gap: leakage.Apart, seen: PlacedTiles, other: Tiles, selection: Selection) -> PlacedTiles:
    """The tiles without those that are too near to what is evaluated."""
    tiles, least = seen.tiles, selection.least_km
    names = f"--split {tiles.split} and --for {other.split} of {tiles.info.id}"
    if not selection.drop_near:
        raise UsageError(
            f"{names} may be {gap.km:.0f} km apart, below {least:g} km: {len(gap.near):,} of {len(tiles):,} tiles are "
            "that near; leave them out with --drop-near, set --min-distance, " + leakage.ON_EVALUATED
        )
    keep = np.setdiff1d(np.arange(len(tiles)), gap.near)
    if not len(keep):
        raise UsageError(f"{names}: no tile is {least:g} km from all evaluated ones; give another split")
    return seen.take(keep)
