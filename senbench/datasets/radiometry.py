"""Radiometry: named renderings of Sentinel-2 digital numbers to 8-bit RGB."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from senbench.runtime.lookup import unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def _linear(high: float, floor: float) -> Callable[[Floats], Floats]:
    """Return a linear stretch of 0..high to floor..255."""
    return lambda dn: dn * (255.0 - floor) / high + floor


def _between(low: float, high: float) -> Callable[[Floats], Floats]:
    """Return a stretch of the image's percentiles low..high, over all bands, to 0..255; constant images become 0."""

    def stretch(dn: Floats) -> Floats:
        a, b = np.percentile(dn, (low, high))
        return (dn - a) * 255.0 / (b - a) if b > a else np.zeros_like(dn)

    return stretch


LINEAR: dict[str, tuple[float, float]] = {
    # how the EuroSAT JPEGs were made: gdal_translate -scale 0 2750 1 255 (phelber/EuroSAT, issues 1 and 6)
    "eurosat-jpeg": (2750.0, 1.0),
    "dn2000": (2000.0, 0.0),  # torchgeo's BigEarthNet plot
    "dn3000": (3000.0, 0.0),  # torchgeo's EuroSAT plot
    "dn10000": (10000.0, 0.0),  # reflectance 0..1
}
"""Pointwise policies: name -> the DN rendered as 255, and the value of 0 DN."""

POLICIES: dict[str, Callable[[Floats], Floats]] = {
    **{name: _linear(*ends) for name, ends in LINEAR.items()},
    "minmax-per-image": _between(0.0, 100.0),  # SenCLIP's BigEarthNet: one stretch over the three bands
    "percentile-2-98": _between(2.0, 98.0),
}
"""Name -> DN to 0..255, before rounding and clipping."""

NATIVE = "native-jpeg"
"""Name for tiles that are stored as 8-bit RGB and need no rendering."""

DIGITAL = "native"
"""Name for models of digital numbers, which get unrendered values."""

UNDECIDED = "undecided"
"""Placeholder for digital numbers of unknown processing level, whose rendering the user must choose."""


def check(policy: str) -> str:
    """Return the policy if it exists.

    Raises:
        UsageError: It does not exist; the message lists the existing ones.
    """
    if policy not in POLICIES:
        raise unknown("radiometry", policy, POLICIES)
    return policy


def render(dn: NDArray[np.generic], policy: str) -> NDArray[np.uint8]:
    """Render digital numbers to 8-bit RGB.

    Values outside 0..255 after the stretch are clipped (never wrapped) and the rest rounded half up, as
    GDAL does when it writes bytes.

    Args:
        dn: Digital numbers in DN (10,000 = reflectance 1), bands red, green, blue, (3, H, W) or (H, W, 3);
            an array that could be either is taken as (3, H, W).
        policy: Key of `POLICIES`.

    Returns:
        uint8 (H, W, 3).

    Raises:
        UsageError: Unknown policy.
        ValueError: No axis of three bands.
    """
    stretch = POLICIES[check(policy)]
    if dn.ndim != 3 or 3 not in (dn.shape[0], dn.shape[2]):
        raise ValueError(f"expected three bands, (3, H, W) or (H, W, 3), got shape {dn.shape}")
    if dn.shape[0] == 3:
        dn = dn.transpose(1, 2, 0)
    scaled = np.clip(stretch(dn.astype(np.float64)), 0.0, 255.0)
    return np.floor(scaled + 0.5).astype(np.uint8)


def shown(dn: float, policy: str) -> float:
    """Render a digital number by a policy of `LINEAR`, without rounding and clipping."""
    high, floor = LINEAR[policy]
    return dn * (255.0 - floor) / high + floor


def turned_back(value: float, policy: str) -> float:
    """Return the digital number that a policy of `LINEAR` renders as a value in 0..255."""
    high, floor = LINEAR[policy]
    return (value - floor) * high / (255.0 - floor)


@lru_cache
def table(policy: str) -> NDArray[np.uint8] | None:
    """Return `render` as a lookup table, which takes half the time per tile.

    Args:
        policy: Key of `POLICIES`.

    Returns:
        uint8 (65536,), indexed by uint16 digital numbers; None for a policy that depends on the whole image.
    """
    if policy not in LINEAR:
        return None
    values = np.arange(3 * 21846, dtype=np.int32).reshape(-1, 1, 3)
    return render(values, policy).reshape(-1)[:65536]
