"""Tiles that are rows of a hub dataset: files in bytes through the one reader of pictures, and arrays of values."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.bands import RGB, positions
from senbench.datasets.radiometry import UNDECIDED
from senbench.datasets.readers.pixel_rules import MOST_IMPOSSIBLE, VERSION, digital, impossible, impossible_share
from senbench.datasets.readers.sources import Source
from senbench.datasets.tiles import OR_SKIP, Reader, TileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class RowImages(Source):
    """Encoded images of a column as a source: one member per row.

    Args:
        column: The column, a `pyarrow.ChunkedArray` of bytes or of `{bytes, path}`.
        names: Member of each row.
        title: The dataset, for messages.
    """

    def __init__(self, column: Any, names: tuple[str, ...], title: str) -> None:
        self.title, self.names = title, names
        self._column = column
        self._row = {name: i for i, name in enumerate(names)}

    def read(self, name: str) -> bytes:
        """Encoded bytes of an image; raises TileError."""
        value = self._column[self._row[name]].as_py()
        if isinstance(value, dict):
            data, path = value.get("bytes"), value.get("path")
            if data is None and path:
                try:
                    data = Path(path).read_bytes()
                except OSError as error:
                    raise TileError(f"tile {name} in {self.title}: {error.strerror}; {OR_SKIP}") from error
            value = data
        if not value:
            raise TileError(f"tile {name} in {self.title}: the row holds no image; {OR_SKIP}")
        return bytes(value)


class ArrayReader(Reader):
    """Reads rows that hold arrays of values: 8-bit RGB or grey, or digital numbers whose bands were named.

    Args:
        column: The column, a `pyarrow.ChunkedArray` of nested lists.
        names: Id of each row, for messages.
        title: The dataset, for messages.
        bands: Names of the channels of digital numbers; empty: 8-bit.
        policy: Rendering of digital numbers, a key of `radiometry.POLICIES` or `radiometry.UNDECIDED`.
    """

    def __init__(self, column: Any, names: tuple[str, ...], title: str, bands: tuple[str, ...], policy: str) -> None:
        self._column, self.names, self.title = column, names, title
        self.channels, self.policy, self.digital = bands, policy, bool(bands)
        self._form = f"array {VERSION} {','.join(bands)}".encode()

    def values(self, i: int) -> NDArray[Any]:
        """The array as it is stored, channels last where it has three axes; raises TileError."""
        what = f"tile {self.names[i]} in {self.title}"
        value = self._column[i].as_py()
        try:
            found = np.array(value)
        except ValueError:
            found = np.array(None)
        if found.dtype.kind not in "iuf" or found.ndim not in (2, 3) or not found.size:
            raise TileError(f"{what}: no array of numbers (H, W) or (H, W, C); {OR_SKIP}")
        n = len(self.channels) or 3
        if found.ndim == 3 and found.shape[2] not in (n, 1):
            if found.shape[0] not in (n, 1):
                shape = "x".join(map(str, found.shape))
                raise TileError(f"{what}: shape {shape} has no axis of {n} bands; name them with ?bands=; {OR_SKIP}")
            found = found.transpose(1, 2, 0)
        return found if found.ndim == 3 else found[..., None]

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Rendered tile, or 8-bit values as they are; raises TileError."""
        if self.digital:
            if self.policy == UNDECIDED:
                raise TileError(f"tile {self.names[i]} in {self.title}: no rendering to 8-bit RGB is known for it")
            return radiometries.render(self.bands(i, RGB), self.policy)
        values = self.values(i)
        if values.dtype.kind == "f" or values.min() < 0 or values.max() > 255:
            has = f"{values.dtype} values from {values.min():g} to {values.max():g}"
            raise TileError(
                f"tile {self.names[i]} in {self.title}: {has}, not whole numbers 0 to 255; name the bands of digital "
                f"numbers with ?bands=; {OR_SKIP}"
            )
        return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], 3)).astype(np.uint8))

    def bands(self, i: int, names: tuple[str, ...]) -> NDArray[np.uint16]:
        """Digital numbers of the named bands; what is no number is no data."""
        what = f"tile {self.names[i]} in {self.title}"
        every = self.values(i)
        if every.shape[2] != len(self.channels):
            raise TileError(f"{what}: {every.shape[2]} bands, {len(self.channels)} are named; {OR_SKIP}")
        values = every[..., positions(self.channels, names)]
        missing = (values == 0) | ~np.isfinite(values)
        if missing.all():
            raise TileError(f"{what}: it holds nothing but no data; {OR_SKIP}")
        dn = digital(values, missing)
        if (share := impossible_share(dn)) > MOST_IMPOSSIBLE:
            raise TileError(f"{what}: {impossible(share)}; {OR_SKIP}")
        return dn

    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """Content key: hash of shape and values."""
        values = self.values(i)
        digest = hashlib.blake2b(self._form + str((values.shape, values.dtype)).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(values).tobytes())
        return digest.digest()

    def facts(self) -> Mapping[str, Any]:
        """What a result tells of the pixels."""
        if not self.digital:
            decisions = {"bit depth": "whole numbers 0 to 255: pictures", "bands": "red, green, blue, or grey"}
        else:
            decisions = {
                "bit depth": "arrays of digital numbers",
                "bands": f"{', '.join(self.channels)}: as named",
                "scale": "10,000 is reflectance 1",
                "offset": "0 DN: none is stated",
                "no data": "0, and what is no number",
            }
        return {"pixels": {"decisions": decisions}}
