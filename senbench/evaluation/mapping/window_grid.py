"""Which windows of a scene are classified: their size on the ground, their stride, and the blocks they are read in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from senbench.datasets.catalog import BUILTIN
from senbench.datasets.folder.images import SUFFIXES
from senbench.errors import UsageError
from senbench.results import places
from senbench.runtime.dataset_names import local_path

if TYPE_CHECKING:
    from senbench.evaluation.mapping.scene import Scene
    from senbench.evaluation.mapping.settled import Settled

GROUND = {"eurosat": 10.0, "bigearthnet": 10.0, "senbench-scenes": 10.0}
"""Collection -> side of a pixel of its tiles in metres."""
BLOCK_PIXELS = 2048
"""Side of the square of pixels that is read at a time, or that of one window where it is larger."""
SAME = 0.01
"""Relative difference up to which two pixel sizes are the same."""


class TileSize(NamedTuple):
    """Size of the tiles of a run."""

    pixels: int
    metres: float | None
    """Side on the ground; None: not known."""


class WindowBlock(NamedTuple):
    """Windows that are read together, by their numbers from the top left; ends are not included."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of windows."""
        return self.bottom - self.top, self.right - self.left


@dataclass(frozen=True)
class WindowGrid:
    """Windows over a scene, all of one size, row by row from the top left.

    Attributes:
        size: Height and width of the scene in pixels.
        side: Side of a window in pixels.
        stride: Pixels between two windows; it divides `side`. A cell of the map has this side.
    """

    size: tuple[int, int]
    side: int
    stride: int

    @property
    def windows(self) -> tuple[int, int]:
        """Rows and columns of complete windows."""
        high, wide = ((length - self.side) // self.stride + 1 for length in self.size)
        return high, wide

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells, which cover the scene."""
        high, wide = (-(-length // self.stride) for length in self.size)
        return high, wide

    @property
    def incomplete(self) -> int:
        """Windows that begin in the scene and end beyond its edge."""
        return self.cells[0] * self.cells[1] - self.windows[0] * self.windows[1]

    @property
    def covered(self) -> tuple[float, float]:
        """Shares of the map's height and width that lie in the scene."""
        return self.size[0] / (self.cells[0] * self.stride), self.size[1] / (self.cells[1] * self.stride)

    @property
    def overlap(self) -> int:
        """Windows along one side that cover a cell."""
        return self.side // self.stride

    def blocks(self) -> list[WindowBlock]:
        """Blocks of windows, row by row."""
        step = max(1, (BLOCK_PIXELS - self.side) // self.stride + 1)
        high, wide = self.windows
        return [
            WindowBlock(top, min(top + step, high), left, min(left + step, wide))
            for top in range(0, high, step)
            for left in range(0, wide, step)
        ]


def tile_size(settled: Settled) -> TileSize | None:
    """Size of the tiles that a run classified; None: not known, and its folder is not here."""
    data = settled.result.dataset
    if (known := BUILTIN.get(data.id)) is not None and known[1].tile_size is not None:
        pixel = GROUND.get(known[1].collection)
        return TileSize(known[1].tile_size, None if pixel is None else pixel * known[1].tile_size)
    place = local_path(places.dataset_here(settled.result))
    if place is None or place[0] != "folder:" or not (root := Path(place[1]).expanduser()).is_dir():
        return None
    first = next((file for file in sorted(root.rglob("*")) if file.suffix.lower() in SUFFIXES), None)
    return None if first is None else _size_of(first)


def _size_of(tile: Path) -> TileSize | None:
    """Size of one tile by its header; None: it cannot be read, or is oblong."""
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.open(tile) as file:
            metric = file.crs is not None and file.crs.is_projected
            side = file.transform.a * file.width if metric else None
            return TileSize(file.width, side) if file.width == file.height else None
    except (RasterioError, OSError):
        return None


def lay(scene: Scene, tile: TileSize | None, window: int | None, stride: float | None) -> WindowGrid:
    """Lay windows over a scene.

    Args:
        scene: The scene.
        tile: Size of the run's tiles; None: not known.
        window: Side of a window in pixels, as the user asks for; None: that of the tiles.
        stride: Metres between two windows; None: their side.

    Raises:
        UsageError: The size of the tiles is not known, their pixels are of another size, the scene is smaller than a
            window, or a stride that is no whole part of it.
    """
    pixel = scene.pixel
    if window is None:
        if tile is None:
            raise UsageError(
                "the size of the run's tiles is not known here: give the side of a window with --window PIXELS"
            )
        if tile.metres is not None and abs(tile.metres / tile.pixels / pixel - 1) > SAME:
            its = tile.metres / tile.pixels
            raise UsageError(
                f"{scene.title}: its pixels have {pixel:g} m, those of the run's tiles {its:g} m: bring the scene to "
                f"these (gdalwarp -tr {its:g} {its:g} -r average)"
            )
        window = tile.pixels
    if window < 1 or window > min(scene.size):
        raise UsageError(f"{scene.title}: {scene.size[1]} x {scene.size[0]} pixels, a window has {window} x {window}")
    if stride is not None and not 0 < stride < 1e9:
        raise UsageError(f"--stride {stride:g}: give metres above 0")
    step = window if stride is None else round(stride / pixel)
    if stride is not None and (step < 1 or abs(step * pixel - stride) > 1e-6 * pixel or window % step):
        parts = [window // k * pixel for k in range(1, window + 1) if window % k == 0][:5]
        raise UsageError(
            f"--stride {stride:g}: a window has {window * pixel:g} m, of which the stride is a whole part: "
            f"{', '.join(f'{part:g}' for part in parts)}, ..."
        )
    return WindowGrid(scene.size, window, step)
