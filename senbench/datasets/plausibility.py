"""Checks whether a model's input can be Sentinel-2 tiles, by comparing figures of a sample with bounds of real tiles.

Each bound holds for every one of the real tiles that `tools/pixel_ranges.py` measures (27,000 EuroSAT tiles and six
BigEarthNet patches), and every figure is a mean over tiles, so that no folder of such tiles can exceed a bound,
however few or similar they are. One exception needs `MANY` tiles (docs/methods.md, "Plausible pixels").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from senbench.datasets.bands import RGB
from senbench.datasets.channel_statistics import COLUMNS
from senbench.datasets.radiometry import DIGITAL, turned_back
from senbench.schema.blocks import PixelFigures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

DARKEST_DN = {"L1C": 250.0, "L2A": 100.0}
"""Processing level -> smallest mean over red, green and blue, in DN. Real L1C tiles have at least 436 and L2A tiles
282, but these include no open water, which can be as dark as 100 DN."""
DARKEST_PICTURE = 8.5
"""Smallest mean, of 255, of 8-bit values whose digital numbers are unknown."""
BRIGHTEST_DN = 12_000.0
"""Largest mean of a band in DN; fresh snow and thick cloud are below."""
MOST_ZEROS = 0.2
"""Largest share of zeros apart from no data, if the values come from digital numbers."""
MOST_BLACK = 0.9
"""Largest share of zeros of other pictures, which may have black borders or transparent parts."""
MOST_SATURATED = 0.85
"""Largest share of values at the upper end; snow over mountains has 0.69."""
MOST_ENDS = 0.95
"""Largest share of 8-bit values at either end, apart from no data; real tiles have at most 0.70."""
MOST_IMPOSSIBLE = 0.05
"""Largest share of digital numbers that no surface has."""
MOST_FLAT = 0.5
"""Largest share of constant tiles; no real tile is constant."""
MOST_TWO_ENDED = 0.5
"""Largest share of two-ended tiles, whose values are saturated or dark; no real tile is."""
MANY = 20
"""Number of tiles from which some pixels must be below 1,000 DN, even if all are of one class."""
LEAST_BELOW_1000 = 0.005
"""Smallest share of such pixels among so many tiles."""
RED_GROUND = 1.4
"""Ratio of red to blue above which bright ground, such as a desert, explains that there are none."""
BRIGHT_GROUND = 3500.0
"""Mean over red, green and blue in DN above which snow or cloud explains it."""


class Values(NamedTuple):
    """Facts about the values of tiles."""

    scale: str | None
    """Conversion to digital numbers, from `channel_statistics.scale`."""
    level: str | None
    """Processing level, L1C or L2A; None if unknown."""
    bands: tuple[str, ...]
    """Channels by name."""
    no_data: float = 0.0
    """Share of known no-data pixels, 0..1, whose value is 0."""


def figures(rows: Sequence[NDArray[np.float64]]) -> PixelFigures | None:
    """Compute the figures of a sample.

    Args:
        rows: Results of `channel_statistics.of_tile`, float64 (7 + C,) each.

    Returns:
        Means over the tiles; None without tiles.
    """
    if not len(rows):
        return None
    means = dict(zip(COLUMNS, (mean := np.mean(rows, axis=0)).tolist(), strict=False))
    below = means["below_1000"]
    return PixelFigures(
        n=len(rows),
        means=tuple(round(value, 2) for value in mean[len(COLUMNS) :].tolist()),
        zeros=round(means["low"], 5),
        saturated=round(means["high"], 5),
        flat=round(means["flat"], 5),
        two_ended=round(means["two_ended"], 5),
        below_1000=None if np.isnan(below) else round(below, 5),
    )


def findings(pixels: PixelFigures, values: Values) -> tuple[str, ...]:
    """List the properties that real Sentinel-2 tiles do not have.

    Args:
        pixels: Figures of the tiles as a model gets them.
        values: Facts about their values.

    Returns:
        One clause each, with the figure, its bound and the likely cause, the most informative first; empty if the tiles
        are plausible.
    """
    n = len(pixels.means)
    named = values if len(values.bands) == n else values._replace(bands=tuple(f"{k + 1}" for k in range(n)))
    return tuple(_findings(pixels, named))


def _findings(pixels: PixelFigures, values: Values) -> Iterator[str]:
    digital, picture = values.scale == DIGITAL, values.scale is None
    if pixels.flat > MOST_FLAT:
        yield (
            f"{pixels.flat:.0%} of the tiles have one value throughout, which no real tile has: empty or masked tiles, "
            "or values cut off at an end of their range (scale, or an offset taken off twice)"
        )
    most = MOST_BLACK if picture else MOST_ZEROS
    if (zeros := pixels.zeros - values.no_data) > most:
        yield (
            f"{zeros:.0%} of the values are 0, at most {most:.0%} is plausible: offset taken off twice, a band that is "
            "empty, or no data that is not marked as such"
        )
    if digital and pixels.saturated > MOST_IMPOSSIBLE:
        yield (
            f"{pixels.saturated:.0%} of the values are above a reflectance of 2: negative values stored without their "
            "sign, or bytes in the wrong order"
        )
    elif not digital and pixels.saturated > MOST_SATURATED:
        yield (
            f"{pixels.saturated:.0%} of the values are saturated, at most {MOST_SATURATED:.0%} is plausible: scale ten "
            "times too large, negative values stored without their sign, bytes in the wrong order, or snow and cloud "
            "throughout"
        )
    elif not digital and zeros + pixels.saturated > MOST_ENDS:
        yield (
            f"{zeros + pixels.saturated:.0%} of the values are black or white, at most {MOST_ENDS:.0%} is plausible: a "
            "mask of one bit, or a stretch that cuts off both ends"
        )
    elif pixels.two_ended > MOST_TWO_ENDED:
        yield (
            f"{pixels.two_ended:.0%} of the tiles are saturated or below 1,000 DN with hardly anything between, at "
            f"most {MOST_TWO_ENDED:.0%} is plausible: negative values stored without their sign, or a filler "
            "that is not marked as no data"
        )
    yield from _levels(pixels, values)


def _levels(pixels: PixelFigures, values: Values) -> Iterator[str]:
    """Check the means."""
    if values.scale is None:
        if (mean := float(np.mean(pixels.means))) < DARKEST_PICTURE:
            yield (
                f"the mean is {mean:.1f} of 255, at least {DARKEST_PICTURE} is plausible: digital numbers shown with "
                "too small a stretch, or the high byte of 16-bit values"
            )
        return
    dn = dict(zip(values.bands, _in_dn(pixels, values.scale), strict=True))
    band = max(dn, key=dn.__getitem__)
    if dn[band] > BRIGHTEST_DN:
        yield (
            f"the mean of {band} is {dn[band]:,.0f} DN, a reflectance of {dn[band] / 10_000:.1f}: scale ten times too "
            "large, negative values stored without their sign, or bytes in the wrong order"
        )
    if not set(RGB) <= set(dn):
        return
    mean = sum(dn[name] for name in RGB) / len(RGB)
    level = values.level or ("L1C" if values.scale == "eurosat-jpeg" else "L2A")
    if mean < DARKEST_DN[level]:
        yield (
            f"the mean over red, green and blue is {mean:.0f} DN, at least {DARKEST_DN[level]:.0f} is plausible: scale "
            "ten times too small (QUANTIFICATION_VALUE other than 10,000), the high byte of 16-bit values, or an "
            "offset taken off twice"
        )
    dark = pixels.below_1000 is None or pixels.below_1000 >= LEAST_BELOW_1000
    bright = mean >= BRIGHT_GROUND or pixels.saturated > 0.5 or dn["B04"] >= RED_GROUND * dn["B02"]
    if pixels.n >= MANY and not dark and not bright:
        yield (
            f"{pixels.below_1000:.1%} of the pixels are below 1,000 DN in red, green or blue, at least "
            f"{LEAST_BELOW_1000:.1%} is plausible: an offset of 1,000 DN that was not taken off (--dn-offset 1000)"
        )


def _in_dn(pixels: PixelFigures, scale: str) -> list[float]:
    return [value if scale == DIGITAL else turned_back(value, scale) for value in pixels.means]
