"""The evaluated images: their labels, and the clusters for intervals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError
from senbench.scoring.intervals.clustered import effective_clusters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from senbench.scoring import Index, Mask
    from senbench.scoring.intervals.block_sizes import BlockSizes

MIN_POSITIVE_UNITS = 10
"""Fewest clusters (or images, without clusters) that must contain a class before it gets an interval."""


@dataclass(frozen=True)
class Sample:
    """Labelled images with the information that intervals need.

    A unit is left out or resampled as a whole: a spatial cluster, or a single image if positions are unknown.

    Attributes:
        labels: Class index per image, integers (N,), or multi-hot labels, 0 or 1, (N, C).
        class_keys: Class keys in label order, C.
        clusters: Spatial cluster per image, any sortable values, (N,); None if positions are unknown.
        countries: English name of each image's country, (N,); None if countries are unknown.
        by_size: Clusterings of several block sizes, of which each figure uses the one with the largest standard error;
            None for `clusters` alone.
    """

    labels: NDArray[Any]
    class_keys: Sequence[str]
    clusters: NDArray[Any] | None = None
    countries: NDArray[Any] | None = None
    by_size: BlockSizes | None = None

    def __post_init__(self) -> None:
        """Convert lists to arrays.

        Raises:
            UsageError: There is not exactly one cluster or country per image.
        """
        for name in ("labels", "clusters", "countries"):
            if (values := getattr(self, name)) is not None:
                object.__setattr__(self, name, np.asarray(values))
        n = len(self.labels)
        for name, given in (("clusters", self.clusters), ("countries", self.countries)):
            if given is not None and given.shape != (n,):
                raise UsageError(f"{name} have shape {given.shape}; expected ({n},), one per image")

    @cached_property
    def codes(self) -> Index:
        """Return the unit of each image, 0..G-1 in the order of the clusters, (N,)."""
        n = len(self.labels)
        return np.arange(n) if self.clusters is None else np.unique(self.clusters, return_inverse=True)[1]

    @cached_property
    def sizes(self) -> Index:
        """Return the number of images of each unit, (G,)."""
        return np.bincount(self.codes)

    @property
    def clusterings(self) -> NDArray[Any] | BlockSizes | None:
        """Return the clusterings from which intervals choose; None if positions are unknown."""
        return self.clusters if self.by_size is None else self.by_size

    @property
    def effective(self) -> float:
        """Return the effective number of units."""
        return effective_clusters(self.sizes)

    @cached_property
    def enough_units(self) -> tuple[bool, ...]:
        """Return whether at least `MIN_POSITIVE_UNITS` units contain each class, C."""
        held = (len(np.unique(self.codes[self.positive(k)])) for k in range(len(self.class_keys)))
        return tuple(n >= MIN_POSITIVE_UNITS for n in held)

    @property
    def too_rare(self) -> str:
        """Return why a class in too few units has no interval."""
        unit = "images" if self.clusters is None else "clusters"
        return f"none: fewer than {MIN_POSITIVE_UNITS} {unit} with the class"

    def positive(self, k: int) -> Mask:
        """Return which images are of class k, bool (N,)."""
        return np.asarray(self.labels == k if self.labels.ndim == 1 else self.labels[:, k].astype(bool))

    def take(self, rows: NDArray[Any] | slice) -> Sample:
        """Select images by row."""
        clusters, countries = (None if x is None else x[rows] for x in (self.clusters, self.countries))
        by_size = None if self.by_size is None else self.by_size.take(rows)
        return Sample(self.labels[rows], self.class_keys, clusters, countries, by_size)
