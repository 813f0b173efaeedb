"""Reads from the headers of a user's files, without assumptions: kind of values, bands, scale, offset and level."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from senbench.datasets.distances import block_at
from senbench.datasets.readers import geotiff, pixel_rules
from senbench.datasets.readers.pixel_rules import LEAVE_OUT, SIDECAR
from senbench.datasets.readers.sources import Archive, Folder, tile_file
from senbench.datasets.tiles import TileError
from senbench.errors import UsageError, brief
from senbench.io.plain_text import decode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from senbench.datasets.readers.pixel_rules import PixelHeader
    from senbench.datasets.readers.product_metadata import ProductFacts
    from senbench.schema.terms import Level

RASTERS = (".tif", ".tiff", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc")
"""Files whose header states whether they contain digital numbers; for PNG the first bytes do."""


class TileHeader(NamedTuple):
    """Facts about a tile from its header."""

    pixels: PixelHeader
    """Type, bands and masks."""
    told: ProductFacts
    """Scale, offset and level."""
    place: str | None
    """Spatial cluster, None without a position in metres."""


class Look(NamedTuple):
    """Facts about the tiles of a folder from their headers."""

    headers: tuple[TileHeader | str | None, ...]
    """One header per tile, or a text why it cannot be read; None for a picture in a format without such facts."""
    order: tuple[str, ...]
    """Band names in file order, `-` for skipped bands; for pictures only if a sidecar file names them."""
    source: str
    """Source of the order."""
    digital: bool = False
    """Whether the tiles contain digital numbers; otherwise they are 8-bit pictures."""
    level: Level | None = None
    """Processing level, if all tiles state it."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Return the bands of the tiles."""
        return tuple(band for band in self.order if band != LEAVE_OUT)


def look(source: Folder | Archive, names: Sequence[str], title: str) -> Look:
    """Headers of the tiles, those of a folder read once while the files stay as they are.

    Args:
        source: The folder or archive.
        names: The tiles, `<class>/<file>`.
        title: The source for messages.

    Raises:
        UsageError: Values are of another kind, bands or scale cannot be determined, or tiles disagree.
    """
    if isinstance(source, Archive):
        return _headers(source, tuple(names), title, source.read(SIDECAR) if SIDECAR in source.names else None)
    sidecar = source.root / SIDECAR
    named = sidecar.read_bytes() if sidecar.is_file() else None
    beside = tuple((name, source.beside(name)) for name in names if source.beside(name))
    told = [name for name in names if name.lower().endswith((*RASTERS, ".png"))]  # other files have no such header
    state = source.stamp([*told, *(other for _, others in beside for other in others)])
    return _look(source.root, tuple(names), title, named, (beside, state))


@lru_cache(maxsize=4)
def _look(root: Path, names: tuple[str, ...], title: str, named: bytes | None, state: Any) -> Look:
    return _headers(Folder(root, title), names, title, named)


def _headers(source: Folder | Archive, names: tuple[str, ...], title: str, named: bytes | None) -> Look:
    order = () if named is None else _sidecar(named, title)
    headers = tuple(_header(source, name) if _may_be_digital(source, name) else None for name in names)
    every = list(zip(names, headers, strict=True))
    read = [(name, header) for name, header in every if isinstance(header, TileHeader)]
    digital = [one for one in read if _rule(title, one[0], pixel_rules.bit_depth, one[1].pixels) == "digital"]
    if not digital:
        for name, header in read:
            _rule(title, name, pixel_rules.picture_places, header.pixels, order)
        return Look(headers, order, SIDECAR if order else "")
    if pictures := [
        name
        for name, header in every
        if header is None or (isinstance(header, TileHeader) and (name, header) not in digital)
    ]:
        first, kind = digital[0][0], digital[0][1].pixels.dtype
        raise UsageError(
            f"{title}: {len(digital)} files hold digital numbers ({first}: {kind}), {len(pictures)} are 8-bit images "
            f"({pictures[0]}): they cannot be mixed; remove the quicklooks, or pass separate folders"
        )
    return _digital(headers, digital, order, title)


def _digital(
    headers: tuple[TileHeader | str | None, ...],
    read: list[tuple[str, TileHeader]],
    named: tuple[str, ...],
    title: str,
) -> Look:
    """Combine the headers of tiles of digital numbers."""
    first, one = read[0]
    order = named or _rule(title, f"bands of {first}", pixel_rules.digital_order, one.pixels)
    for name, header in read:
        if header.told.doubt:
            raise UsageError(f"{title}: {name} {header.told.doubt}")
        if not pixel_rules.agrees(header.pixels, order):
            its = [text for text in header.pixels.names if text] or [f"{len(header.pixels.names)} bands"]
            raise UsageError(
                f"{title}: {name} has {', '.join(its)}, expected {', '.join(order)} as in "
                f"{SIDECAR if named else first}: all tiles must have the same bands in the same order"
            )
        if not named and _order_of(header) != order:
            raise UsageError(f"{title}: the bands of {name} have no names, those of {first} have: name them")
    levels = {header.told.level: name for name, header in read}
    if {"L1C", "L2A"} <= levels.keys():
        raise UsageError(
            f"{title}: {levels['L1C']} is L1C, {levels['L2A']} is L2A: levels cannot be mixed, pass separate folders"
        )
    named_in_file = pixel_rules.bands_by_name([one.pixels.names[i] for i in one.pixels.shown]) is not None
    source = SIDECAR if named else "names of the bands" if named_in_file else "colours of the bands"
    return Look(headers, order, source, digital=True, level=levels.popitem()[0] if len(levels) == 1 else None)


def _order_of(header: TileHeader) -> tuple[str, ...] | None:
    try:
        return pixel_rules.digital_order(header.pixels)
    except ValueError:
        return None


def _may_be_digital(source: Folder | Archive, name: str) -> bool:
    lower = name.lower()
    if not lower.endswith(".png"):
        return lower.endswith(RASTERS)
    try:
        return pixel_rules.bits_beyond_8(source.head(name, 32)) is not None
    except TileError:
        return False


def _header(source: Folder | Archive, name: str) -> TileHeader | str:
    from rasterio.errors import RasterioError

    where = "" if isinstance(source, Archive) else f"{source.root}/"
    own = source.title if isinstance(source, Archive) else source.root.resolve().name
    try:
        with _opened(source, name) as file:
            if isinstance(source, Folder):
                geotiff.single(file, (source.root / name).stat().st_size, f"tile {name} in {source.title}")
            names = (Path(name).stem, *Path(name).parent.parts[::-1], own)
            place = None
            if file.crs is not None and file.crs.is_projected:
                x, y = sum(file.bounds[::2]) / 2, sum(file.bounds[1::2]) / 2  # left, bottom, right, top
                place = block_at(file.crs.to_string()[:40], x, y)
            return TileHeader(geotiff.header(file), geotiff.told(file, names), place)
    except (RasterioError, OSError, TileError) as error:
        return brief(error).replace(where, "") if where else brief(error)


@contextmanager
def _opened(source: Folder | Archive, name: str) -> Iterator[Any]:
    """A tile as rasterio's dataset: its header alone is read, unless files beside it belong to it."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
    if isinstance(source, Archive) or source.beside(name):
        with geotiff.opened(tile_file(source, name), f"tile {name} in {source.title}") as file:
            yield file
        return
    # other files next to it are ignored, since the content key would not change with them
    with (
        rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_PAM_ENABLED="NO"),
        rasterio.open(source.root / name, driver=geotiff.driver(source.head(name, 12))) as file,
    ):
        yield file


def _sidecar(data: bytes, title: str) -> tuple[str, ...]:
    text = decode(data, f"{title}: {SIDECAR}")
    try:
        return pixel_rules.bands_of_sidecar(text)
    except ValueError as error:
        raise UsageError(f"{title}: {error}") from error


def _rule(title: str, name: str, rule: Any, *of: Any) -> Any:
    """Apply a rule; UsageError if it cannot decide."""
    try:
        return rule(*of)
    except ValueError as error:
        raise UsageError(f"{title}: {name} {error}") from error
