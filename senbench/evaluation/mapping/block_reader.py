"""Reads a block of a scene once, and hands out its windows as tiles."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.bands import RGB, positions
from senbench.datasets.radiometry import NATIVE
from senbench.datasets.readers.geotiff import enlarge, stored
from senbench.datasets.readers.pixel_rules import HIGHEST, MOST_IMPOSSIBLE, SATURATED, digital
from senbench.datasets.tiles import Reader, Tiles
from senbench.evaluation.mapping.scene import reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from senbench.evaluation.mapping.scene import BandPlace, Scene
    from senbench.evaluation.mapping.window_grid import WindowBlock, WindowGrid

MOST_MISSING = 0.1
"""Largest share of a window's pixels that may be cloud or without data; one with more is left out."""
CLOUDS = (3, 8, 9, 10)
"""Classes of the scene classification (SCL) that hide the ground: cloud shadow, cloud of medium and of high
probability, thin cirrus."""
CLASSIFIED, NO_DATA, CLOUD, IMPOSSIBLE = 0, 1, 2, 3
"""What became of a window."""
_MARGIN = 2
"""Pixels of a coarser band that are read around a block, so that enlarging it knows its neighbours."""


class Pixels(NamedTuple):
    """Pixels of a block."""

    values: NDArray[Any]
    """Digital numbers without offset, uint16, or 8-bit RGB, uint8; (H, W, B); 0 where there is no data."""
    missing: NDArray[np.bool_]
    """Where no band has data, (H, W)."""
    cloudy: NDArray[np.bool_] | None
    """Where the scene classification has cloud or its shadow, (H, W); None: there is none."""
    impossible: NDArray[np.uint8] | None
    """Number of bands whose value cannot be, (H, W); None: all can."""


class SceneReader:
    """Reads blocks of some bands of a scene.

    Args:
        scene: The scene.
        bands: The bands, in the order in which they are wanted.
    """

    def __init__(self, scene: Scene, bands: Sequence[str]) -> None:
        self.scene, self.bands = scene, tuple(bands)
        self._open: dict[str, Any] = {}

    def read(self, top: int, bottom: int, left: int, right: int) -> Pixels:
        """Pixels between two rows and two columns of the scene; raises UnavailableError."""
        with reading(self.scene):
            planes, without, bad = [], None, None
            for band in self.bands:
                plane, missing, wrong = self._plane(self.scene.bands[band], (top, bottom, left, right))
                planes.append(plane)
                without = missing if without is None else without & missing
                if wrong is not None:
                    bad = wrong.astype(np.uint8) if bad is None else bad + wrong
            cloudy = None
            if self.scene.clouds is not None:
                cloudy = self._classes(self.scene.clouds, (top, bottom, left, right))
        assert without is not None
        return Pixels(np.stack(planes, axis=-1), without, cloudy, bad)

    def _file(self, path: str) -> Any:
        import rasterio

        if path not in self._open:
            self._open[path] = rasterio.open(path)
        return self._open[path]

    def _plane(
        self, place: BandPlace, at: tuple[int, int, int, int]
    ) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_] | None]:
        top, bottom, left, right = at
        factor = place.factor
        spread = 0 if factor == 1 else _MARGIN
        file = self._file(place.path)
        first, last = max(top // factor - spread, 0), min(-(-bottom // factor) + spread, file.height)
        west, east = max(left // factor - spread, 0), min(-(-right // factor) + spread, file.width)
        values, missing = stored(file, (place.number - 1,), (first, last, west, east))
        plane, gone = values[0], missing[0]
        if self.scene.info.unit != "dn":
            return np.where(gone, np.uint8(0), plane), gone, None
        told, offset = self.scene.told, self.scene.offset
        dn = digital(plane, gone, told.gain)
        wrong = (dn > HIGHEST) & (dn != SATURATED) if dn.max(initial=0) > HIGHEST else None
        if offset:
            dn = digital(plane, gone, told.gain, offset)
        if factor > 1:
            inside = (
                slice(top - first * factor, bottom - first * factor),
                slice(left - west * factor, right - west * factor),
            )
            near = enlarge(gone.astype(np.uint16) * 1000, factor)[inside] > 0  # of which a neighbour has no data
            dn, gone = enlarge(dn, factor)[inside], gone.repeat(factor, 0).repeat(factor, 1)[inside]
            dn = np.where(near, np.uint16(0), dn)
            wrong = None if wrong is None else wrong.repeat(factor, 0).repeat(factor, 1)[inside]
        return dn, gone, wrong

    def _classes(self, place: BandPlace, at: tuple[int, int, int, int]) -> NDArray[np.bool_]:
        from rasterio.windows import Window

        (top, bottom, left, right), factor = at, place.factor
        first, west = top // factor, left // factor
        part = Window(west, first, -(-right // factor) - west, -(-bottom // factor) - first)
        hidden = np.isin(self._file(place.path).read(place.number, window=part), CLOUDS)
        whole = hidden.repeat(factor, 0).repeat(factor, 1)
        return np.asarray(
            whole[top - first * factor : bottom - first * factor, left - west * factor : right - west * factor]
        )

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            file.close()
        self._open = {}


class WindowReader(Reader):
    """The windows of a block as tiles.

    Args:
        pixels: The block.
        bands: Its bands, in order.
        grid: The windows of the scene.
        shape: Rows and columns of windows in the block.
        policy: Rendering to 8-bit RGB.
    """

    def __init__(
        self, pixels: Pixels, bands: tuple[str, ...], grid: WindowGrid, shape: tuple[int, int], policy: str
    ) -> None:
        self.pixels, self.names, self.grid, self.shape, self.policy = pixels, bands, grid, shape, policy
        self.digital = pixels.values.dtype != np.uint8

    def _window(self, i: int) -> tuple[slice, slice]:
        row, column = divmod(i, self.shape[1])
        side, stride = self.grid.side, self.grid.stride
        return slice(row * stride, row * stride + side), slice(column * stride, column * stride + side)

    @cached_property
    def _picture(self) -> NDArray[np.uint8] | None:
        """The block in 8-bit RGB where that does not depend on the window; None: it does."""
        if not self.digital:
            return np.ascontiguousarray(self.pixels.values[..., positions(self.names, RGB)])
        if (table := radiometries.table(self.policy)) is None:
            return None
        return table.take(self.pixels.values[..., positions(self.names, RGB)], mode="wrap")

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Window i in 8-bit RGB."""
        if (picture := self._picture) is not None:
            return np.ascontiguousarray(picture[self._window(i)])
        return radiometries.render(self.bands(i, RGB), self.policy)

    def bands(self, i: int, names: tuple[str, ...]) -> NDArray[np.uint16]:
        """Digital numbers of window i."""
        return np.ascontiguousarray(self.pixels.values[self._window(i)][..., positions(self.names, names)])

    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """Hash of the window's pixels."""
        tile: NDArray[Any] = self.rgb(i) if names is None else self.bands(i, names)
        return hashlib.blake2b(tile.tobytes(), digest_size=16).digest()

    def state(self) -> NDArray[np.uint8]:
        """What is known of each window before it is classified, (rows, columns): 0, or why it is left out."""
        found = np.zeros(self.shape, np.uint8)
        total = self.grid.side**2
        absent = self._counts(self.pixels.missing)
        if self.pixels.impossible is not None:
            most = MOST_IMPOSSIBLE * total * len(self.names)
            found[self._counts(self.pixels.impossible) > most] = IMPOSSIBLE
        if self.pixels.cloudy is not None:
            found[self._counts(self.pixels.cloudy | self.pixels.missing) > MOST_MISSING * total] = CLOUD
        found[absent > MOST_MISSING * total] = NO_DATA
        return found

    def _counts(self, mask: NDArray[Any]) -> NDArray[np.int64]:
        """Sum over the pixels of each window."""
        stride, overlap = self.grid.stride, self.grid.overlap
        high, wide = (n + overlap - 1 for n in self.shape)
        cells = mask[: high * stride, : wide * stride].reshape(high, stride, wide, stride).sum((1, 3), dtype=np.int64)
        sums = np.pad(cells.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        return np.asarray(
            sums[overlap:, overlap:]
            - sums[:-overlap, overlap:]
            - sums[overlap:, :-overlap]
            + sums[:-overlap, :-overlap]
        )


def windows_of(scene: Scene, reader: WindowReader, radiometry: str | None) -> Tiles:
    """The windows of a block as tiles, which a run's model takes by `Settled.as_seen`."""
    n = reader.shape[0] * reader.shape[1]
    policy = NATIVE if scene.info.unit == "uint8" else radiometry or scene.info.radiometry
    return Tiles(
        info=scene.info,
        split="all",
        source=scene.title,
        ids=tuple(map(str, range(n))),
        labels=np.zeros((n, 0), bool),
        reader=reader,
        n_expected=n,
        radiometry=policy,
    )


def read_block(source: SceneReader, grid: WindowGrid, block: WindowBlock, policy: str) -> WindowReader:
    """Read the pixels of a block's windows; raises UnavailableError."""
    top, left = block.top * grid.stride, block.left * grid.stride
    bottom, right = (block.bottom - 1) * grid.stride + grid.side, (block.right - 1) * grid.stride + grid.side
    return WindowReader(source.read(top, bottom, left, right), source.bands, grid, block.shape, policy)
