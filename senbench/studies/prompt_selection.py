"""Selects prompts: opens the data, checks that they are apart from the evaluated tiles, embeds and selects."""

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
"""Default distance in km between selection and evaluated tiles, which are about 1 km wide (EuroSAT, BigEarthNet)."""
MOST_TILES = 50_000
"""Most tiles that a pack can list."""


@dataclass(frozen=True)
class Selection:
    """What to select, and which tiles the selection may use.

    Attributes:
        k: Prompts per class.
        by: One of `selection_scores.METHODS`.
        evaluated: Split that will be evaluated; None for the spatial test split, or the dataset's default.
        on_evaluated: Select on the evaluated images, or on tiles that cannot be shown to be apart (level 2).
        least_km: Required distance between the two splits in km.
        drop_near: Leave out tiles that are nearer instead of raising an error.
    """

    k: int
    by: str
    evaluated: str | None = None
    on_evaluated: bool = False
    least_km: float = LEAST_KM
    drop_near: bool = False


class PlacedTiles(NamedTuple):
    """Tiles used by the selection, with the block of each, or None."""

    tiles: Tiles
    places: list[str] | None

    def take(self, positions: NDArray[np.int64], **marks: Any) -> PlacedTiles:
        """Select tiles by position."""
        return PlacedTiles(self.tiles.take(positions, **marks), self.places and [self.places[i] for i in positions])


def select_prompts(spec: RunSpec, selection: Selection, progress: Progress | None = None) -> PromptSet:
    """Select k prompts of each class.

    Args:
        spec: One model, one prompt set, one dataset; `split` names the tiles to select on (None for the spatial or
            plain train split), `limit` their number, drawn at random without using their labels.
        selection: What is selected, and how.
        progress: Displays progress; None for silent.

    Returns:
        The selected prompts, best first, with access level and provenance.

    Raises:
        UsageError: The input is wrong, or the two splits are not apart.
        UnavailableError: Data, weights or device are missing or damaged.
    """
    display = progress or Silent()
    k, by = selection.k, selection.by
    card = registry.find(spec.models[0], offline=spec.offline)
    info = datasets.dataset_info(spec.datasets[0], data_dir=spec.data_dir, offline=spec.offline)
    prompts = load_pool(spec, info)
    _check(selection, prompts)
    placed, distance = _seen(spec, selection, info, display)
    embeddings = embed(spec, card, placed.tiles, prompts, display)
    pool = Pool.of(embeddings.images, embeddings.texts, embeddings.text_class, len(info.classes))
    truth = Truth(embeddings.tiles.tile_labels, len(info.classes)) if by == "labels" else None
    chosen = selection_scores.choose(pool, k, by, truth)
    kept = {key: tuple(prompts.texts[key][j] for j in best) for key, best in zip(info.classes, chosen, strict=True)}
    level = 3 if by == "labels" else 2 if selection.on_evaluated else 1
    about = {
        "score": by,
        "k": k,
        "images_per_class": None
        if truth
        else selection_scores.images_per_class(len(embeddings.images), len(info.classes)),
        "selected_on": seen_record(embeddings.tiles, placed.places),
    }
    return as_pack(prompts, kept, f"{prompts.id}-{by}-{k}", level, embeddings.model, about | distance)


def load_pool(spec: RunSpec, info: DatasetInfo) -> PromptSet:
    """Return the prompts to select from, each text once per class."""
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
    """Return a selection from a prompt set with its provenance, including that of the set itself.

    Args:
        prompts: The original prompt set.
        kept: The selected prompts by class.
        name: Name of the selection in tables.
        level: Access level of the selection.
        model: Description of the model used for the selection.
        about: Method and tiles of the selection.
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
    """Raise UsageError for more tiles than a pack can list."""
    if len(tiles) > MOST_TILES:
        raise UsageError(
            f"{len(tiles):,} tiles of {tiles.info.id} {tiles.split}: a pack lists at most {MOST_TILES:,}; take some "
            f"with --limit {MOST_TILES}"
        )


def seen_record(tiles: Tiles, places: Sequence[str] | None) -> dict[str, Any]:
    """Return the record of the tiles used for selection, by which a pack notices when they are evaluated.

    Raises:
        UsageError: There are too many tiles.
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
    """Return a record that identifies the tiles."""
    return {"dataset": tiles.info.id, "split": tiles.split, "n": len(tiles), "index_hash": tiles.index_hash()}


def _train(info: DatasetInfo) -> str:
    for name in ("spatial-train", "train"):
        if name in info.splits:
            return name
    raise UsageError(
        f"--split is missing: {info.id} has no train split; give a file of tile names, {leakage.ON_EVALUATED}"
    )


def _check(selection: Selection, prompts: PromptSet) -> None:
    """Check the arguments before anything is read."""
    if selection.by not in selection_scores.METHODS:
        raise UsageError(f"--by {selection.by!r}: use {', '.join(selection_scores.METHODS)}")
    if selection.least_km < 0:
        raise UsageError(f"--min-distance {selection.least_km:g}: give km, at least 0")
    short = min(prompts.texts, key=lambda key: len(prompts.texts[key]))
    if not 1 <= selection.k <= (n := len(prompts.texts[short])):
        raise UsageError(f"--k {selection.k}: class {short} of {prompts.id} has {n} distinct prompts; give 1 to {n}")


def _seen(
    spec: RunSpec, selection: Selection, info: DatasetInfo, progress: Progress
) -> tuple[PlacedTiles, dict[str, Any]]:
    """Return the tiles for selection, and what the provenance states about their distance."""

    def opened(name: str) -> PlacedTiles:
        plain = spec.model_copy(update={"split": name, "limit": None})
        data = open_data(plain, spec.datasets[0], protocols.find("standard"), (), progress)
        return PlacedTiles(data.tiles, leakage.blocks(data.tiles, data.clusters))

    least = selection.least_km
    held_out = selection.evaluated or ("spatial-test" if "spatial-test" in info.splits else info.default_split)
    placed = opened(spec.split or (held_out if selection.on_evaluated else _train(info)))
    record: dict[str, Any] = {
        "held_out": None,
        "distance": "selected on the evaluated images",
        "min_distance_km": least,
    }
    if not selection.on_evaluated:
        n, other = len(placed.tiles), opened(held_out)
        gap = leakage.apart(*placed, *other, least)
        if len(gap.near):
            placed = _without(gap, placed, other.tiles, selection)
            gap = leakage.apart(*placed, *other, least)
        record |= {
            "held_out": tiles_record(other.tiles),
            "distance": gap.how,
            "distance_km": gap.km,
            "left_out_near": n - len(placed.tiles),
        }
    if spec.limit is not None and spec.limit < (n := len(placed.tiles)):
        # a stratified subset would use the labels
        some = np.sort(np.random.default_rng(spec.seed).choice(n, spec.limit, replace=False))
        placed = placed.take(some, limited=spec.limit)
    check_listed(placed.tiles)
    return placed, record


def _without(gap: leakage.Apart, placed: PlacedTiles, other: Tiles, selection: Selection) -> PlacedTiles:
    """Leave out the tiles that are too near to evaluated ones."""
    tiles, least = placed.tiles, selection.least_km
    names = f"--split {tiles.split} and --for {other.split} of {tiles.info.id}"
    if not selection.drop_near:
        raise UsageError(
            f"{names} may be {gap.km:.0f} km apart, below {least:g} km: {len(gap.near):,} of {len(tiles):,} tiles are "
            "that near; leave them out with --drop-near, set --min-distance, " + leakage.ON_EVALUATED
        )
    keep = np.setdiff1d(np.arange(len(tiles)), gap.near)
    if not len(keep):
        raise UsageError(f"{names}: no tile is {least:g} km from all evaluated ones; give another split")
    return placed.take(keep)
