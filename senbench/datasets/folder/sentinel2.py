"""A user's own Sentinel-2 tiles: GeoTIFFs of digital numbers, one folder per class, bands by name.

Nothing about the values is assumed: their bands, the offset of newer products and the processing level are read from
the files, or the user is asked for them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.bands import RGB
from senbench.datasets.channel_statistics import sample
from senbench.datasets.folder.headers import Look, TileHeader
from senbench.datasets.radiometry import UNDECIDED
from senbench.datasets.readers import geotiff
from senbench.datasets.readers.pixel_rules import (
    LOOKED_AT,
    MOST_IMPOSSIBLE,
    VERSION,
    digital,
    impossible,
    impossible_share,
)
from senbench.datasets.readers.sources import Archive, Folder, MemberReader
from senbench.datasets.tiles import OR_SKIP, TileError
from senbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.datasets.readers.sources import Places
    from senbench.schema.dataset import DatasetInfo
    from senbench.schema.terms import Level

MOST_OF_8_BITS = 255
"""Highest value of 8-bit pictures; in any set of tiles some ground has a reflectance above 0.0255."""
RENDERING: dict[Level | None, str] = {"L1C": "eurosat-jpeg", "L2A": "dn2000", None: UNDECIDED}
"""Processing level -> default rendering, that of EuroSAT (L1C) or BigEarthNet (L2A)."""


def describe(info: DatasetInfo, look: Look) -> DatasetInfo:
    """Return the facts of a folder of digital numbers.

    Args:
        info: Facts that it shares with a folder of 8-bit images.
        look: Its headers.
    """
    sizes = {header.pixels.size for header in look.headers if isinstance(header, TileHeader)}
    height, width = sizes.pop()
    return info.model_copy(
        update={
            "bands": look.bands,
            "unit": "dn",
            "level": look.level,
            "tile_size": height if not sizes and height == width else None,
            "radiometry": RENDERING[look.level],
        }
    )


class DigitalReader(MemberReader):
    """Reads a user's GeoTIFFs of digital numbers.

    Args:
        source: The folder.
        names: The tiles, `<class>/<file>`.
        look: Their headers.
        dn_offset: `0` or `1000` to subtract this offset; `auto` for the offset in the metadata of each tile.
        policy: Rendering, a key of `radiometry.POLICIES` or `radiometry.UNDECIDED`.
        places: As in `MemberReader`; None to use the positions in the files.

    Raises:
        UsageError: The offset is neither stated in the files nor given.
    """

    digital = True

    def __init__(
        self,
        source: Folder | Archive,
        names: tuple[str, ...],
        look: Look,
        dn_offset: str,
        policy: str,
        places: Places | None = None,
    ) -> None:
        super().__init__(source, names, places)
        self.seen, self.dn_offset, self.policy = look, dn_offset, policy
        self.offsets = _offsets(look, names, dn_offset, source.title)
        self._blocks = [header.place if isinstance(header, TileHeader) else None for header in look.headers]
        self.located = places is not None or any(self._blocks)

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Rendered tile."""
        if self.policy == UNDECIDED or not set(RGB) <= set(self.seen.bands):
            raise TileError(f"tile {self.title(i)}: no rendering to 8-bit RGB is known for it")
        return radiometries.render(self.bands(i, RGB), self.policy)

    def bands(self, i: int, names: tuple[str, ...]) -> NDArray[np.uint16]:
        """Return digital numbers of the named bands without the offset; no data is 0."""
        values, missing = self.values(i, names)
        if missing.all():
            raise TileError(f"tile {self.title(i)}: it contains only no-data pixels; {OR_SKIP}")
        facts, what = self._header(i).told, f"tile {self.title(i)}"
        return np.ascontiguousarray(geotiff.checked(values, missing, facts, self.offsets[i], what).transpose(1, 2, 0))

    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """Return the content key, which includes the offset and the order of the bands."""
        return hashlib.blake2b(super().key(i) + self._form(i), digest_size=16).digest()

    def stamp(self, indices: Sequence[int], names: tuple[str, ...]) -> str:
        """Return the state of the files with the rules applied to their values."""
        parts = [super().stamp(indices, names) or "", *(self._form(i).decode() for i in indices)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def locate(self, indices: Sequence[int]) -> list[str]:
        """Return the block that contains each tile's centre, or the cluster from a table."""
        if self.places is not None:
            return self.places(indices)
        return [self._blocks[i] or f"unlocated/{self.names[i]}" for i in indices]

    def values(self, i: int, names: Sequence[str]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return stored values and a mask of missing ones, both (B, H, W); raises TileError."""
        self._header(i)
        tile, what = self.file(i), f"tile {self.title(i)}"
        geotiff.upright(tile.data, what)
        with geotiff.opened(tile, what) as file:
            return geotiff.stored(file, [self.seen.order.index(band) for band in names])

    def facts(self) -> Mapping[str, Any]:
        """Return facts about the values for results: the offset and its source, and shares over evenly spaced tiles.

        Raises:
            UsageError: Too large a share of the values is impossible.
        """
        offsets, dn_offset = self.offsets, self.dn_offset
        pairs = zip(self.seen.headers, offsets, strict=True)
        sources = [(header.told, offset) for header, offset in pairs if isinstance(header, TileHeader)]
        used = Counter(offset for _, offset in sources)
        if dn_offset == "auto":
            how = "; ".join(sorted({what.source for what, _ in sources})[:4])
        else:
            others = sorted({what.source for what, offset in sources if what.offset not in (None, offset)})
            how = f"--dn-offset {dn_offset}" + (f", against {others[0]}" if others else "")
        looked, size, without, below, cannot, highest = 0, 0, 0, 0, 0.0, 0.0
        for i in sample(len(offsets), LOOKED_AT):
            try:
                values, missing = self.values(i, self.seen.bands)
            except TileError:
                continue
            looked += 1
            gain = self._header(i).told.gain
            size += values.size
            without += int(missing.sum())
            below += int(((values * gain < offsets[i]) & ~missing).sum())
            highest = max(highest, float(values.max(initial=0, where=~missing)))
            cannot += impossible_share(digital(values, missing, gain)) * values.size
        share = cannot / size if size else 0.0
        if 0 < highest <= MOST_OF_8_BITS and self._whole():
            raise UsageError(
                f"{self.source.title}: no value is above {highest:.0f} in {looked} tiles: 8-bit pictures in files for "
                "digital numbers; save them as uint8, or write the tag QUANTIFICATION_VALUE that holds into them"
            )
        if share > MOST_IMPOSSIBLE:
            raise UsageError(f"{self.source.title}: {impossible(share)}")
        dn_taken = next(iter(used)) if len(used) == 1 else {str(offset): n for offset, n in sorted(used.items())}
        return {
            "dn_offset": dn_taken,
            "dn_offset_from": how,
            "nodata_share": round(without / size, 5) if size else 0.0,
            "below_offset_share": round(below / size, 5) if size else 0.0,
            "values_seen_of": looked,
            "pixels": {"decisions": self._decisions(how, dn_taken, share)},
        }

    def _decisions(self, source: str, offset: int | Mapping[str, int], impossible_of_all: float) -> dict[str, str]:
        """Return the decisions about the pixels by topic, with their sources."""
        headers = [header for header in self.seen.headers if isinstance(header, TileHeader)]
        kinds = sorted({header.pixels.dtype for header in headers})
        scales = sorted({f"{header.told.gain:g} DN a unit: {header.told.gain_source}" for header in headers})
        nodata = sorted({f"{header.pixels.nodata:g}" for header in headers if header.pixels.nodata is not None})
        masks = sorted({mask for header in headers for mask in header.pixels.masks} - {"nodata"})
        taken = offset if isinstance(offset, int) else ", ".join(f"{dn} ({n} tiles)" for dn, n in offset.items())
        signs = "values below 0 become 0"
        if impossible_of_all:
            signs += f"; {100 * impossible_of_all:.3f} % of the values lie above 32,767 DN, which cannot be"
        return {
            "bit depth": f"{' and '.join(kinds)}: digital numbers",
            "bands": f"{', '.join(self.seen.order)}: {self.seen.source}",
            "scale": "; ".join(scales[:4]),
            "offset": f"{taken} DN: {source}",
            "sign": signs,
            "no data": ", ".join(dict.fromkeys(["0", *nodata, *(f"mask ({mask})" for mask in masks)])),
        }

    def _whole(self) -> bool:
        """Return whether stored values are integer digital numbers."""
        headers = [header for header in self.seen.headers if isinstance(header, TileHeader)]
        return all(one.told.gain == 1 and "float" not in one.pixels.dtype for one in headers)

    def _header(self, i: int) -> TileHeader:
        header = self.seen.headers[i]
        if isinstance(header, TileHeader):
            return header
        raise TileError(f"tile {self.title(i)}: cannot be decoded: {header or 'no raster file'}; {OR_SKIP}")

    def _form(self, i: int) -> bytes:
        header, form = self.seen.headers[i], f"{VERSION} {self.offsets[i]} {','.join(self.seen.order)}"
        if isinstance(header, TileHeader) and (header.told.gain != 1 or header.pixels.masks not in ((), ("nodata",))):
            form += f" x {header.told.gain} {' '.join(header.pixels.masks)}"
        return form.encode()


def _offsets(look: Look, ids: Sequence[str], dn_offset: str, title: str) -> list[int]:
    """Return the DN to subtract from each tile."""
    if dn_offset != "auto":
        return [int(dn_offset)] * len(ids)
    offsets = []
    for name, header in zip(ids, look.headers, strict=True):
        offset = header.told.offset if isinstance(header, TileHeader) else 0  # an error is raised when it is read
        if isinstance(header, TileHeader) and offset is None:
            raise UsageError(
                f"{title}: {name} does not state whether its values include the +1000 DN of processing "
                f"baseline 04.00 and "
                f"later ({header.told.source}): pass --dn-offset 1000 if they do, --dn-offset 0 if not"
            )
        offsets.append(offset or 0)
    return offsets
