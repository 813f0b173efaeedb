"""A cell has the mean of the windows that cover it."""

from __future__ import annotations

import numpy as np
import pytest

from senbench.errors import UnavailableError
from senbench.evaluation.mapping import cells, window_grid
from senbench.evaluation.mapping.cells import WindowScores
from senbench.evaluation.mapping.scene_pass import BlockScores, PartFiles
from senbench.evaluation.mapping.window_grid import WindowGrid

C = 3


@pytest.mark.parametrize("stride", [16, 8, 4])
def test_every_cell_is_the_mean_of_the_complete_windows_over_it(tmp_path, monkeypatch, stride):
    monkeypatch.setattr(window_grid, "BLOCK_PIXELS", 40)
    monkeypatch.setattr(cells, "CELLS", 40)
    grid, files = WindowGrid((75, 90), 16, stride), PartFiles(tmp_path, C)
    rng = np.random.default_rng(1)
    every = rng.normal(size=(*grid.windows, C)).astype(np.float32)
    state = (rng.random(grid.windows) < 0.2).astype(np.uint8)
    every[state > 0] = np.nan
    for k, block in enumerate(grid.blocks()):
        part = slice(block.top, block.bottom), slice(block.left, block.right)
        files.write(k, BlockScores(state[part], every[part]))
    expected = np.full((*grid.cells, C), np.nan)
    for row in range(grid.cells[0]):
        for column in range(grid.cells[1]):
            over = [
                every[r, c]
                for r in range(grid.windows[0])
                for c in range(grid.windows[1])
                if r * stride <= row * stride < r * stride + 16 and c * stride <= column * stride < c * stride + 16
            ]
            over = [scores for scores in over if not np.isnan(scores[0])]
            if over:
                expected[row, column] = np.mean(over, axis=0)
    scores = WindowScores(grid, files)
    found = np.concatenate([slab.scores for slab in scores.slabs()])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert scores.counts().tolist() == [int((state == 0).sum()), int((state == 1).sum()), 0, 0]
    files.path(0).unlink()
    with pytest.raises(UnavailableError, match="is missing or damaged"):
        list(scores.slabs())
