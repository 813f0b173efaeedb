"""Checks a sample of the tiles before embedding, and stops if they cannot be Sentinel-2 tiles."""

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
    """Statistics of a sample of tiles."""

    rendering: dict[str, Any] | None = None
    """Statistics of the values that the model gets, as stored in results."""
    figures: PixelFigures | None = None
    """Figures for the comparison with real tiles; None if no tile can be read and all embeddings are cached."""
    implausible: tuple[str, ...] = ()
    """Properties that real tiles do not have."""


def look(tiles: Tiles, cache: Path | None) -> PixelCheck:
    """Compute statistics of evenly spaced tiles and check them; cached by content.

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
    """Like `look`, but implausible tiles stop the run unless `--accept-pixels` is set.

    Args:
        tiles: The tiles as a model gets them.
        spec: Whether implausible tiles are accepted, and where the cache is.
        progress: Reports what was accepted.
        kept: Whether statistics are cached; not for the tiles of a user's object.

    Raises:
        UsageError: The tiles do not look like Sentinel-2; the message states the figures and the likely cause.
    """
    sample = look(tiles, Access.of(spec).cache if kept else None)
    if not sample.implausible or sample.figures is None:
        return sample
    figures = sample.figures
    over = f"mean of each channel {', '.join(f'{mean:,.1f}' for mean in figures.means)}, {figures.zeros:.0%} zeros, "
    over += f"{figures.saturated:.0%} saturated over {figures.n} tile{'s' * (figures.n > 1)}"
    message = f"{tiles.info.id} {tiles.split}: {sample.implausible[0]} ({over})"
    if not spec.accept_pixels:
        raise UsageError(
            f"{message}; correct how the tiles are read, or go on with --accept-pixels, which marks the result"
        )
    progress.say(f"pixels accepted: {message}")
    return sample
