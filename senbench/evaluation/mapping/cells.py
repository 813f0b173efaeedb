"""From windows to cells of a map: scores averaged over the windows that cover a cell, in slabs of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from senbench.errors import UnavailableError
from senbench.evaluation.mapping.block_reader import CLASSIFIED, NO_DATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from senbench.evaluation.mapping.scene_pass import PartFiles
    from senbench.evaluation.mapping.window_grid import WindowGrid

CELLS = 1 << 20
"""Cells times classes that a slab holds at least one row of and otherwise at most."""


class Slab(NamedTuple):
    """Some rows of cells of a map."""

    top: int
    """Number of the first row."""
    scores: NDArray[np.float32]
    """Mean scores of the windows that cover each cell, NaN where none does, (rows, columns, C)."""


@dataclass(frozen=True)
class WindowScores:
    """Scores of all windows, on disk.

    Attributes:
        grid: The windows.
        files: The parts in which they lie.
    """

    grid: WindowGrid
    files: PartFiles

    def counts(self) -> NDArray[np.int64]:
        """Windows by what became of them, (4,), as of `block_reader`.

        Raises:
            UnavailableError: A part is missing.
        """
        found = np.zeros(4, np.int64)
        for k in range(len(self.grid.blocks())):
            found += np.bincount(self._part(k)[0].ravel(), minlength=4)
        return found

    def slabs(self) -> Iterator[Slab]:
        """Rows of cells from top to bottom."""
        grid, classes = self.grid, self.files.classes
        (high, wide), overlap = grid.cells, grid.overlap
        step = max(1, CELLS // (wide * classes))
        for top in range(0, high, step):
            bottom = min(top + step, high)
            sums = np.zeros((bottom - top, wide, classes))
            counts = np.zeros((bottom - top, wide), np.int64)
            for first, left, scores in self._windows(top - overlap + 1, bottom):
                there = ~np.isnan(scores[..., 0])
                values = np.where(there[..., None], scores, 0).astype(np.float64)
                for down in range(overlap):
                    rows = slice(max(first + down, top) - top, min(first + down + len(scores), bottom) - top)
                    own = slice(rows.start + top - first - down, rows.stop + top - first - down)
                    if rows.stop <= rows.start:
                        continue
                    for right in range(overlap):
                        columns = slice(left + right, left + right + scores.shape[1])
                        sums[rows, columns] += values[own]
                        counts[rows, columns] += there[own]
            with np.errstate(invalid="ignore", divide="ignore"):
                yield Slab(top, (sums / counts[..., None]).astype(np.float32))

    def _windows(self, top: int, bottom: int) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
        """First row, first column and scores of the windows of these rows, block by block."""
        for k, block in enumerate(self.grid.blocks()):
            first, last = max(block.top, top), min(block.bottom, bottom)
            if first < last:
                yield first, block.left, self._part(k)[1][first - block.top : last - block.top]

    def _part(self, k: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        found = self.files.read(k, self.grid.blocks()[k])
        if found is None or not found.complete:
            raise UnavailableError(
                f"{self.files.path(k)} is missing or damaged: the same command makes it again and goes on"
            )
        return found.state, found.scores


def left_out(counts: NDArray[np.int64]) -> int:
    """Windows that were not classified, of counts by what became of them."""
    return int(counts.sum() - counts[CLASSIFIED])


def without_data(counts: NDArray[np.int64]) -> int:
    """Windows without data."""
    return int(counts[NO_DATA])
