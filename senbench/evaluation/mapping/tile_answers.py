"""Tiles without labels through what a run settled: a class, a margin, all scores and a place for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import senbench
from senbench.datasets.readers import footprint
from senbench.embedding.image_pass import EmbedOptions
from senbench.embedding.work_split import check_shared
from senbench.evaluation import pixels
from senbench.evaluation.embed import Embedder
from senbench.runtime.distributed import ALONE, Team
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from collections.abc import Callable

    from senbench.datasets.readers.footprint import Footprint
    from senbench.datasets.tiles import Tiles
    from senbench.evaluation.mapping.settled import Answers, Settled, Where
    from senbench.evaluation.mapping.tile_source import TileSource
    from senbench.runtime.progress import Progress


class How(NamedTuple):
    """What a user chooses beside the run."""

    batch_size: int | None = None
    """Images per batch; None: chosen by device and model."""
    on_error: str = "stop"
    """A tile that cannot be decoded: `stop`, or `skip` and leave it out."""
    accept_pixels: bool = False
    """Go on with tiles that do not look like Sentinel-2."""


@dataclass(frozen=True)
class TileAnswers:
    """Classified tiles.

    Attributes:
        settled: The run.
        source: What was classified, for people.
        ids: Tile ids, N.
        answers: Classes and scores.
        places: Where each tile lies; None: not known.
        clusters: Spatial cluster of each tile; None: not known.
        skipped: Id -> why the tile could not be decoded.
        marks: What a reader must know, the run's qualifications first.
    """

    settled: Settled
    source: str
    ids: tuple[str, ...]
    answers: Answers
    places: tuple[Footprint | None, ...]
    clusters: tuple[str, ...] | None
    skipped: dict[str, str]
    marks: tuple[str, ...]

    def about(self) -> dict[str, Any]:
        """What a file of these answers tells of how they were made, JSON-ready."""
        return {**of_run(self.settled, self.marks), "source": self.source, "skipped": self.skipped}


def of_run(settled: Settled, marks: tuple[str, ...]) -> dict[str, Any]:
    """What whoever reads classes or a map must know of the run behind them, JSON-ready."""
    result = settled.result
    return {
        "senbench": senbench.__version__,
        "run": result.run_id,
        "model": result.model.id,
        "weights_sha256": settled.model.digest,
        "prompts": result.prompts.id,
        "prompts_sha256": result.prompts.hash,
        "ensemble": result.ensemble,
        "postprocess": result.postprocess,
        "radiometry": result.dataset.radiometry,
        "band_order": result.dataset.band_order,
        "dtype": settled.model.dtype,
        "classes": list(settled.classes),
        "qualifications": list(marks),
    }


def classify(
    settled: Settled, source: TileSource, where: Where, how: How, progress: Progress, team: Team = ALONE
) -> TileAnswers | None:
    """Classify tiles; rows are kept as those of a run, so that a stopped one continues.

    Args:
        settled: The run.
        source: The tiles.
        where: Weights and device.
        how: What a user chooses beside.
        progress: Draws progress.
        team: The processes that embed together.

    Returns:
        The answers; None in a process that is not the first.

    Raises:
        UsageError: The tiles do not fit the run, or do not look like Sentinel-2.
        UnavailableError: Weights, data or device missing or damaged.
    """
    cache = home() / "cache"
    check_shared(team, cache)
    with team.first_alone():
        encoder = settled.encoder(where._replace(device=team.device(where.device)), progress)
        tiles = source.open(settled, progress.say, offline=where.offline)
        pixels.checked(tiles, settled.spec(accept_pixels=how.accept_pixels), progress)
    options = EmbedOptions(how.batch_size, how.on_error, team=team, say=progress.say)
    embedder = Embedder(encoder, cache, progress, options)
    if team.rank:
        embedder.part(tiles)
        return None
    classifier = settled.classifier(embedder)
    images = embedder.images(tiles, f"{embedder.title}: tiles of {tiles.source}")
    seen = tiles.take(images.positions)
    answers = settled.answers(classifier, images.rows)
    every = tiles.tile_ids
    skipped = {every[p]: why for p, why in sorted(images.skipped.items())}
    with progress.stage(f"positions of {tiles.source}", len(seen)) as advance:
        places = _places(seen, advance)
    clusters = None if any(places) else seen.clusters()
    marks = (*settled.marks(), *settled.differences(tiles.info), *answers.warnings)
    if skipped:
        marks += (f"{len(skipped):,} tiles could not be decoded and are left out",)
    return TileAnswers(
        settled,
        tiles.source,
        seen.tile_ids,
        answers,
        places,
        None if clusters is None else tuple(clusters),
        skipped,
        marks,
    )


def _places(tiles: Tiles, advance: Callable[[int], None]) -> tuple[Footprint | None, ...]:
    """Where each tile lies; where the first ones do not say, none is asked."""
    indices = tiles.index.tolist()
    if not any(footprint.of_tile(tiles.reader, i) for i in indices[:20]):
        return (None,) * len(indices)
    found = []
    for i in indices:
        found.append(footprint.of_tile(tiles.reader, i))
        advance(1)
    return tuple(found)
