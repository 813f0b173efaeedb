"""Whether what a model sees can be Sentinel-2 tiles: figures of a sample, held against what real tiles have.

Every bound holds for each single one of the real tiles that `tools/pixel_ranges.py` measures (27,000 EuroSAT tiles and
six BigEarthNet patches), and every figure is a mean over tiles, so that no folder of such tiles can be outside, however
few or alike they are. The exception asks for `MANY` tiles (docs/methods.md, "Plausible pixels").
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
"""Level -> least mean over red, green and blue, in DN. Real L1C tiles have 436 or more, those of L2A 282, but there is
no open water among the latter, which can be as dark as 100 DN."""
DARKEST_PICTURE = 8.5
"""Least mean of 8-bit values whose digital numbers are not known, of 255."""
BRIGHTEST_DN = 12_000.0
"""Largest mean of a band in DN: fresh snow and thick cloud stay below."""
MOST_ZEROS = 0.2
"""Largest share of zeros beyond no data, where the values come from digital numbers."""
MOST_BLACK = 0.9
"""Largest share of zeros of other pictures, which may have black borders or transparent parts."""
MOST_SATURATED = 0.85
"""Largest share of values at the upper end: snow over mountains has 0.69."""
MOST_ENDS = 0.95
"""Largest share of 8-bit values at either end, no data apart: real tiles have 0.70 at most."""
MOST_IMPOSSIBLE = 0.05
"""Largest share of digital numbers that no surface has."""
MOST_FLAT = 0.5
"""Largest share of tiles of one value throughout: no real tile is."""
MOST_TWO_ENDED = 0.5
"""Largest share of tiles with saturated values and, but for these, hardly any that are not dark: no real tile is."""
MANY = 20
"""Tiles from which on some pixels must be below 1,000 DN, even if all are of one class."""
LEAST_BELOW_1000 = 0.005
"""Least share of such pixels among so many tiles."""
RED_GROUND = 1.4
"""Red over blue from which on bright ground such as a desert's explains that there are none."""
BRIGHT_GROUND = 3500.0
"""Mean over red, green and blue in DN from which on snow or cloud explains it."""


class Values(NamedTuple):
    """What is known of the values of tiles."""

    scale: str | None
    """How they are turned back into digital numbers, as `channel_statistics.scale` says."""
    level: str | None
    """Processing level, L1C or L2A; None: not known."""
    bands: tuple[str, ...]
    """Channels by name."""
    no_data: float = 0.0
    """Share of pixels that the reader knows to be without data, 0..1; they are 0."""


def figures(rows: Sequence[NDArray[np.float64]]) -> PixelFigures | None:
    """Figures of a sample.

    Args:
        rows: What `channel_statistics.of_tile` gave, float64 (7 + C,) each.

    Returns:
        Means over the tiles; None where there are none.
    """
    if not len(rows):
        return None
    found = dict(zip(COLUMNS, (mean := np.mean(rows, axis=0)).tolist(), strict=False))
    below = found["below_1000"]
    return PixelFigures(
        n=len(rows),
        means=tuple(round(value, 2) for value in mean[len(COLUMNS) :].tolist()),
        zeros=round(found["low"], 5),
        saturated=round(found["high"], 5),
        flat=round(found["flat"], 5),
        two_ended=round(found["two_ended"], 5),
        below_1000=None if np.isnan(below) else round(below, 5),
    )


def findings(seen: PixelFigures, values: Values) -> tuple[str, ...]:
    """What real Sentinel-2 tiles do not have.

    Args:
        seen: Figures of the tiles as a model gets them.
        values: What is known of their values.

    Returns:
        One clause each, with its figure, its bound and the likely cause, the most telling first; empty: plausible.
    """
    n = len(seen.means)
    named = values if len(values.bands) == n else values._replace(bands=tuple(f"{k + 1}" for k in range(n)))
    return tuple(_findings(seen, named))


def _findings(seen: PixelFigures, values: Values) -> Iterator[str]:
    digital, picture = values.scale == DIGITAL, values.scale is None
    if seen.flat > MOST_FLAT:
        yield (
            f"{seen.flat:.0%} of the tiles have one value throughout, which no real tile has: empty or masked tiles, "
            "or values cut off at an end of their range (scale, or an offset taken off twice)"
        )
    most = MOST_BLACK if picture else MOST_ZEROS
    if (zeros := seen.zeros - values.no_data) > most:
        yield (
            f"{zeros:.0%} of the values are 0, at most {most:.0%} is plausible: offset taken off twice, a band that is "
            "empty, or no data that is not marked as such"
        )
    if digital and seen.saturated > MOST_IMPOSSIBLE:
        yield (
            f"{seen.saturated:.0%} of the values are above a reflectance of 2: negative values stored without their "
            "sign, or bytes in the wrong order"
        )
    elif not digital and seen.saturated > MOST_SATURATED:
        yield (
            f"{seen.saturated:.0%} of the values are saturated, at most {MOST_SATURATED:.0%} is plausible: scale ten "
            "times too large, negative values stored without their sign, bytes in the wrong order, or snow and cloud "
            "throughout"
        )
    elif not digital and zeros + seen.saturated > MOST_ENDS:
        yield (
            f"{zeros + seen.saturated:.0%} of the values are black or white, at most {MOST_ENDS:.0%} is plausible: a "
            "mask of one bit, or a stretch that cuts off both ends"
        )
    elif seen.two_ended > MOST_TWO_ENDED:
        yield (
            f"{seen.two_ended:.0%} of the tiles are saturated or below 1,000 DN with hardly anything between, at most "
            f"{MOST_TWO_ENDED:.0%} is plausible: negative values stored without their sign, or a filler that is not "
            "marked as no data"
        )
    yield from _levels(seen, values)


def _levels(seen: PixelFigures, values: Values) -> Iterator[str]:
    """What the means say."""
    if values.scale is None:
        if (mean := float(np.mean(seen.means))) < DARKEST_PICTURE:
            yield (
                f"the mean is {mean:.1f} of 255, at least {DARKEST_PICTURE} is plausible: digital numbers shown with "
                "too small a stretch, or the high byte of 16-bit values"
            )
        return
    dn = dict(zip(values.bands, _in_dn(seen, values.scale), strict=True))
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
    dark = seen.below_1000 is None or seen.below_1000 >= LEAST_BELOW_1000
    bright = mean >= BRIGHT_GROUND or seen.saturated > 0.5 or dn["B04"] >= RED_GROUND * dn["B02"]
    if seen.n >= MANY and not dark and not bright:
        yield (
            f"{seen.below_1000:.1%} of the pixels are below 1,000 DN in red, green or blue, at least "
            f"{LEAST_BELOW_1000:.1%} is plausible: an offset of 1,000 DN that was not taken off (--dn-offset 1000)"
        )


def _in_dn(seen: PixelFigures, scale: str) -> list[float]:
    return [value if scale == DIGITAL else turned_back(value, scale) for value in seen.means]
