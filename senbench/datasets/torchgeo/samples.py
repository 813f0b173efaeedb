"""Tiles of TorchGeo's datasets, read from the files that TorchGeo's classes list: pictures, rasters and HDF5.

Files are decoded by the readers that everything else goes through, not by TorchGeo, which makes floats of all bands of
every file; tests hold the values against TorchGeo's own.
"""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.bands import RGB, positions
from senbench.datasets.channel_statistics import sample as evenly_spaced
from senbench.datasets.radiometry import UNDECIDED
from senbench.datasets.readers import geotiff
from senbench.datasets.readers.image import PictureReader
from senbench.datasets.readers.pixel_rules import (
    DIGITAL_RULES,
    LOOKED_AT,
    MOST_IMPOSSIBLE,
    VERSION,
    digital,
    impossible,
    impossible_share,
)
from senbench.datasets.readers.sources import MemberReader
from senbench.datasets.tiles import OR_SKIP, Reader, TileError
from senbench.errors import brief

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.datasets.readers.sources import NamedFiles
    from senbench.datasets.torchgeo.known import KnownClass
    from senbench.schema.dataset import DatasetInfo


class FilePictures(PictureReader):
    """Reads pictures that are files of one of TorchGeo's datasets.

    Args:
        source: The files.
        names: Member of each tile.
        dataset: TorchGeo's, asked where it changes the size of an image.
        resized: Height and width to which it brings every image; None: it leaves them as they are.
    """

    def __init__(self, source: NamedFiles, names: tuple[str, ...], dataset: Any, resized: int | None) -> None:
        super().__init__(source, names)
        self.dataset, self.resized = dataset, resized
        if resized is not None:
            self._form += f" TorchGeo {resized}".encode()

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Decoded image, at TorchGeo's size with values rounded half up; raises TileError."""
        pixels = super().rgb(i)
        if self.resized is None or pixels.shape[:2] == (self.resized, self.resized):
            return pixels
        values = self.dataset[i]["image"].numpy()
        return np.ascontiguousarray(np.floor(values + 0.5).clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


class RasterSamples(MemberReader):
    """Reads raster files with one band for each channel of one of TorchGeo's classes, which names them.

    Args:
        source: The files.
        names: Member of each tile.
        known: What is known of the class.
        info: Facts of the dataset.
        policy: Rendering of digital numbers, a key of `radiometry.POLICIES` or `radiometry.UNDECIDED`.
    """

    def __init__(
        self, source: NamedFiles, names: tuple[str, ...], known: KnownClass, info: DatasetInfo, policy: str
    ) -> None:
        super().__init__(source, names)
        self.known, self.policy, self.digital = known, policy, info.unit == "dn"
        self._form = f" TorchGeo {VERSION} {','.join(known.channels)}".encode()

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Rendered tile, or the three bands that are 8-bit already."""
        if self.digital:
            return _rendered(self.bands(i, RGB), self.policy, self.title(i))
        what = f"tile {self.title(i)}"
        with geotiff.opened(self.file(i), what) as file:
            self._check(file, what, ("uint8",))
            values: NDArray[np.uint8] = file.read([place + 1 for place in positions(self.known.channels, RGB)])
        return np.ascontiguousarray(values.transpose(1, 2, 0))

    def bands(self, i: int, names: tuple[str, ...]) -> NDArray[np.uint16]:
        """Digital numbers of the named bands; no data is 0."""
        what = f"tile {self.title(i)}"
        with geotiff.opened(self.file(i), what) as file:
            self._check(file, what)
            found = geotiff.numbers(file, positions(self.known.channels, names), what)
        return np.ascontiguousarray(found.transpose(1, 2, 0))

    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """Content key of the file, and of what is made of it."""
        return super().key(i) + self._form

    def stamp(self, indices: Any, names: tuple[str, ...]) -> str:
        """State of the files, and what is made of them."""
        return f"{super().stamp(indices, names)}{self._form.decode()}"

    def facts(self) -> dict[str, Any]:
        """What a result tells of the pixels."""
        return _facts(self.known, digital=self.digital)

    def _check(self, file: Any, what: str, kinds: tuple[str, ...] = ()) -> None:
        n = len(self.known.channels)
        if file.count != n or (kinds and file.dtypes[0] not in kinds):
            raise TileError(
                f"{what}: {file.count} bands of {file.dtypes[0]}, expected {n}{' of uint8' * bool(kinds)}; {OR_SKIP}"
            )


class Hdf5Samples(Reader):
    """Reads tiles of an array (N, H, W, C) in an HDF5 file, one channel for each band that its class names.

    Args:
        path: The file.
        array: Name of the array.
        ids: Id of each tile, for messages.
        known: What is known of the class.
        info: Facts of the dataset.
        policy: As of `RasterSamples`.
    """

    digital = True

    def __init__(
        self, path: Path, array: str, ids: tuple[str, ...], known: KnownClass, info: DatasetInfo, policy: str
    ) -> None:
        self.path, self.array, self.ids, self.known, self.policy = path, array, ids, known, policy
        self.name = info.id
        self._form = f"TorchGeo {VERSION} {known.gain} {','.join(known.channels)}".encode()
        self._open()

    def _open(self) -> None:
        self._lock = threading.Lock()
        self._file: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_lock", "_file")}

    def __setstate__(self, state: dict[str, Any]) -> None:  # another process opens the file anew
        vars(self).update(state)
        self._open()

    def values(self, i: int) -> NDArray[Any]:
        """The tile as it is stored, (H, W, C); raises TileError."""
        import h5py

        what = f"tile {self.ids[i]} in {self.name}"
        try:
            with self._lock:  # the library has one of its own
                self._file = self._file or h5py.File(self.path, "r")
                found: NDArray[Any] = self._file[self.array][i]
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise TileError(f"{what}: cannot be read: {brief(error)}; {OR_SKIP}") from error
        if found.ndim != 3 or found.shape[2] != len(self.known.channels):
            has = f"shape {'x'.join(map(str, found.shape))}, expected {len(self.known.channels)} bands"
            raise TileError(f"{what}: {has}; {OR_SKIP}")
        return found

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Rendered tile."""
        return _rendered(self.bands(i, RGB), self.policy, f"{self.ids[i]} in {self.name}")

    def bands(self, i: int, names: tuple[str, ...]) -> NDArray[np.uint16]:
        """Digital numbers of the named bands; no data is 0."""
        what = f"tile {self.ids[i]} in {self.name}"
        values = self.values(i)[..., positions(self.known.channels, names)].astype(np.float32)  # as TorchGeo has them
        missing = ~np.isfinite(values)
        if missing.all():
            raise TileError(f"{what}: it holds nothing but no data; {OR_SKIP}")
        dn = digital(values, missing, self.known.gain)
        if (share := impossible_share(dn)) > MOST_IMPOSSIBLE:
            raise TileError(f"{what}: {impossible(share)}; {OR_SKIP}")
        return dn

    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """Content key: hash of all values of the tile, and of what is made of them."""
        return hashlib.blake2b(self.values(i).tobytes() + self._form, digest_size=16).digest()

    def facts(self) -> dict[str, Any]:
        """What a result tells of the pixels: what was decided, from evenly spaced tiles."""
        looked, missing, size = 0, 0, 0
        for i in evenly_spaced(len(self.ids), LOOKED_AT):
            try:
                values = self.values(i)
            except TileError:
                continue
            looked, size = looked + 1, size + values.size
            missing += int(np.count_nonzero(~np.isfinite(values)))
        share = {"nodata_share": round(missing / size, 5) if size else 0.0, "values_seen_of": looked}
        return share | _facts(self.known, digital=True)


def _rendered(dn: NDArray[np.uint16], policy: str, what: str) -> NDArray[np.uint8]:
    if policy == UNDECIDED:
        raise TileError(f"tile {what}: no rendering to 8-bit RGB is known for it")
    table = radiometries.table(policy)
    return radiometries.render(dn, policy) if table is None else table.take(dn, mode="wrap")


def _facts(known: KnownClass, *, digital: bool) -> dict[str, Any]:
    bands = f"{', '.join(known.channels)}: order of TorchGeo's class"
    if not digital:
        return {"pixels": {"decisions": {"bit depth": "uint8: pictures, shown as they are", "bands": bands}}}
    decisions = DIGITAL_RULES | {"bands": bands}
    if known.gain != 1:
        decisions |= {
            "bit depth": "reflectance, brought to digital numbers",
            "scale": f"{known.gain:g} DN a unit: TorchGeo's class",
            "offset": "0 DN: none is stated",
            "no data": "values that are no number, shown as 0",
        }
    return {"pixels": {"decisions": decisions}}
