"""Windows have the ground size of the run's tiles, and every one is in one block."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from senbench.errors import UsageError
from senbench.evaluation.mapping.window_grid import TileSize, WindowGrid, lay, tile_size

SCENE = SimpleNamespace(title="s.tif", pixel=10.0, size=(670, 660))


def test_every_window_is_in_one_block_and_blocks_are_small(monkeypatch):
    grid = WindowGrid((5000, 4500), 64, 32)
    seen = set()
    for block in grid.blocks():
        pixels = (block.bottom - block.top - 1) * 32 + 64
        assert pixels <= 2048
        for row in range(block.top, block.bottom):
            for column in range(block.left, block.right):
                assert (row, column) not in seen
                seen.add((row, column))
    assert len(seen) == grid.windows[0] * grid.windows[1] == ((5000 - 64) // 32 + 1) * ((4500 - 64) // 32 + 1)


def test_windows_at_the_edge_are_counted_as_incomplete():
    grid = lay(SCENE, TileSize(64, 640.0), None, None)
    assert (grid.side, grid.stride, grid.windows, grid.cells, grid.incomplete) == (64, 64, (10, 10), (11, 11), 21)
    assert lay(SCENE, TileSize(64, 640.0), None, 320).stride == 32


@pytest.mark.parametrize(
    ("tile", "window", "stride", "message"),
    [
        (None, None, None, "--window PIXELS"),
        (TileSize(64, 1280.0), None, None, "gdalwarp -tr 20 20"),
        (TileSize(64, 640.0), 671, None, "660 x 670 pixels, a window has 671 x 671"),
        (TileSize(700, 7000.0), None, None, "a window has 700 x 700"),
        (TileSize(64, 640.0), None, 330, "--stride 330: a window has 640 m"),
        (TileSize(64, 640.0), None, 0, "--stride 0"),
        (TileSize(64, 640.0), None, 1280, "--stride 1280"),
        (TileSize(64, 640.0), None, float("nan"), "--stride"),
    ],
)
def test_windows_that_do_not_fit_are_refused(tile, window, stride, message):
    with pytest.raises(UsageError, match=message):
        lay(SCENE, tile, window, stride)


def test_the_size_of_the_runs_tiles(settled):
    assert tile_size(settled) == (64, 640.0)
    data = settled.result.dataset.model_copy(update={"id": "bigearthnet-v1"})
    assert tile_size(replace(settled, result=settled.result.model_copy(update={"dataset": data}))) == (120, 1200.0)
    data = settled.result.dataset.model_copy(update={"id": "folder:mine"})
    assert tile_size(replace(settled, result=settled.result.model_copy(update={"dataset": data}))) is None
