"""Looks at what a model will see before anything is embedded, and stops where it cannot be Sentinel-2 tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from senbench.datasets import channel_statistics, plausibility
from senbench.embedding import side_cache
from senbench.errors import UsageError
from senbench.runtime.access import Access

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.datasets.tiles import Tiles
    from senbench.runtime.progress import Progress
    from senbench.schema.blocks import PixelFigures
    from senbench.schema.run_spec import RunSpec


class PixelCheck(NamedTuple):
    """What a sample of tiles shows."""

    rendering: dict[str, Any] | None = None
    """Statistics of the values that the model gets, as results hold them."""
    figures: PixelFigures | None = None
    """Figures that are held against real tiles; None: no tile can be read, all embeddings are kept."""
    implausible: tuple[str, ...] = ()
    """What real tiles do not have."""


def look(tiles: Tiles, cache: Path | None) -> PixelCheck:
    """Statistics of evenly spaced tiles, and what they say; kept by content.

    Args:
        tiles: The tiles as a model gets them.
        cache: Cache folder, or None.
    """
    rows = side_cache.statistics(tiles, cache)
    if (figures := plausibility.figures(rows)) is None:
        return PixelCheck()
    info = tiles.info
    values = plausibility.Values(
        channel_statistics.scale(info, tiles.radiometry),
        info.level,
        tiles.bands,
        tiles.facts_of_source.get("nodata_share") or 0.0,
    )
    return PixelCheck(channel_statistics.summary(rows), figures, plausibility.findings(figures, values))


def checked(tiles: Tiles, spec: RunSpec, progress: Progress, *, kept: bool = True) -> PixelCheck:
    """`look`, where implausible tiles stop the run unless `--accept-pixels` is given.

    Args:
        tiles: The tiles as a model gets them.
        spec: Whether implausible tiles are accepted, and where the cache is.
        progress: Says what was accepted.
        kept: Whether statistics are kept; not for the tiles of a model that was passed as an object.

    Raises:
        UsageError: They do not look like Sentinel-2 tiles; with the figures and the likely cause.
    """
    found = look(tiles, Access.of(spec).cache if kept else None)
    if not found.implausible or found.figures is None:
        return found
    seen = found.figures
    over = f"mean of each channel {', '.join(f'{mean:,.1f}' for mean in seen.means)}, {seen.zeros:.0%} zeros, "
    over += f"{seen.saturated:.0%} saturated over {seen.n} tile{'s' * (seen.n > 1)}"
    told = f"{tiles.info.id} {tiles.split}: {found.implausible[0]} ({over})"
    if not spec.accept_pixels:
        raise UsageError(f"{told}; mend how the tiles are read, or go on with --accept-pixels, which marks the result")
    progress.say(f"pixels accepted: {told}")
    return found
