"""A scene: one raster, a folder of band files or a `.SAFE` product, with its grid and what its numbers mean."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from senbench.datasets.bands import RGB
from senbench.datasets.folder.own_files import own_info
from senbench.datasets.folder.sentinel2 import RENDERING
from senbench.datasets.readers import geotiff, pixel_rules, product_metadata
from senbench.datasets.readers.pixel_rules import LEAVE_OUT, SIDECAR
from senbench.datasets.readers.sources import is_junk, stamp
from senbench.errors import UnavailableError, UsageError, brief
from senbench.io.plain_text import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from senbench.datasets.readers.pixel_rules import PixelHeader
    from senbench.datasets.readers.product_metadata import ProductFacts
    from senbench.schema.dataset import DatasetInfo

SUFFIXES = (".tif", ".tiff", ".jp2", ".vrt")
"""Rasters that a folder's bands may lie in."""
FACTORS = (1, 2, 4, 6)
"""Sides of a band's pixel, in pixels of the scene, that can be enlarged."""
GDAL = {"GDAL_CACHEMAX": 256, "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_NUM_THREADS": "1"}
"""Settings under which scenes are read: 256 MB of decoded blocks, whatever the machine has."""
LARGEST_XML = 64 << 20
"""Bytes of the largest product metadata that are read."""
_CLASSES = re.compile(r"(?<![A-Za-z])SCL(?![A-Za-z])")
_METADATA = re.compile(r"MTD_MSIL(?:1C|2A)\.xml")
_TAGS = ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET", "QUANTIFICATION_VALUE", "BOA_QUANTIFICATION_VALUE")
_TOLD = ("PROCESSING_BASELINE", "PROCESSING_LEVEL", "PRODUCT_TYPE")


class BandPlace(NamedTuple):
    """Where a band is."""

    path: str
    """Its file."""
    number: int
    """Its number in the file, from 1."""
    factor: int = 1
    """Side of its pixels in pixels of the scene."""


@dataclass(frozen=True)
class Scene:
    """An opened scene.

    Attributes:
        title: Name for people, without folders.
        info: Bands, unit, level and default rendering, as of a dataset.
        bands: Band -> where it is.
        clouds: Where the scene classification is; None: there is none.
        crs: Its projection, as rasterio has it.
        transform: Its affine transform, as rasterio has it: upright, square pixels.
        size: Height and width in pixels.
        told: Scale, offset and level by its metadata.
        offset: DN to be subtracted.
        stamp: Text that changes when a file does.
    """

    title: str
    info: DatasetInfo
    bands: dict[str, BandPlace]
    clouds: BandPlace | None
    crs: Any
    transform: Any
    size: tuple[int, int]
    told: ProductFacts
    offset: int
    stamp: str

    @property
    def pixel(self) -> float:
        """Side of a pixel in units of the projection, which are metres."""
        return float(self.transform.a)


class _Layer(NamedTuple):
    """One raster file as it is found."""

    path: str
    file: Any
    header: PixelHeader
    size: tuple[int, int]


def open_scene(where: str, dn_offset: str = "auto") -> Scene:
    """Look at a scene; no pixel is read.

    Args:
        where: A raster that GDAL reads (GeoTIFF, COG, VRT, JPEG 2000), a folder of band files, or a `.SAFE` folder.
        dn_offset: `0` or `1000`: what is subtracted from digital numbers; `auto`: what the metadata tell.

    Raises:
        UsageError: No scene, no projection in metres, a turned or oblong grid, bands that cannot be told or lie apart,
            values of another kind, an offset or scale that is not told.
        UnavailableError: A file cannot be read.
    """
    import rasterio

    path = Path(where).expanduser()
    if not path.exists():
        raise UsageError(f"{where}: no such scene")
    title = path.resolve().name
    files = [path] if path.is_file() else _rasters(path, title)
    with rasterio.Env(**GDAL):
        layers = [_looked(file, title) for file in files]
    found, clouds = _bands(path, layers, title)
    kinds = {pixel_rules.bit_depth(one.header) for one, _ in found.values()}
    if len(kinds) > 1:
        raise UsageError(f"{title}: some bands hold digital numbers, others 8-bit values: they do not mix")
    fine = min((layer for layer, _ in found.values()), key=lambda one: one.file["transform"].a)
    _upright(fine, title)
    places = {band: _place(layer, index, fine, f"{title}: band {band}") for band, (layer, index) in found.items()}
    digital = kinds.pop() == "digital"
    told = _told(path, [layer for layer, _ in found.values()], title) if digital else product_metadata.told({}, ())
    own = [str(file) for file in files]
    return Scene(
        title=title,
        info=_info(title, tuple(found), told, digital=digital),
        bands=places,
        clouds=None if clouds is None else _place(clouds, 1, fine, f"{title}: scene classification"),
        crs=fine.file["crs"],
        transform=fine.file["transform"],
        size=fine.size,
        told=told,
        offset=_offset(told, dn_offset, title) if digital else 0,
        stamp=stamp(own + [f"{name}.ovr" for name in own]),
    )


def _info(title: str, bands: tuple[str, ...], told: ProductFacts, *, digital: bool) -> DatasetInfo:
    info = own_info("scene:", title, (), {"all": 1}).model_copy(update={"title": title})
    if not digital:
        return info
    rendering = RENDERING[told.level]
    return info.model_copy(update={"bands": bands, "unit": "dn", "level": told.level, "radiometry": rendering})


def _rasters(folder: Path, title: str) -> list[Path]:
    """Rasters of a folder; of a `.SAFE` those of its one granule."""
    inside = folder
    if _metadata(folder) is not None:
        granules = sorted(folder.glob("GRANULE/*/IMG_DATA"))
        if len(granules) != 1:
            raise UsageError(
                f"{title}: holds {len(granules)} granules, and a scene is one: give one product of one tile"
            )
        inside = granules[0]
    every = (file for file in sorted(inside.rglob("*")) if file.suffix.lower() in SUFFIXES)
    found = [file for file in every if not is_junk(file.relative_to(inside).as_posix())]
    named = [file for file in found if pixel_rules.band_name(file.stem) or _CLASSES.search(file.stem)]
    if not named:
        raise UsageError(
            f"{title}: holds no file whose name tells a band ({', '.join(SUFFIXES)}; such as B04.tif, "
            "T32UQD_20260601T101031_B04_10m.jp2)"
        )
    return named


def _looked(path: Path, title: str) -> _Layer:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
    try:
        with rasterio.open(path) as file:
            if pages := len(file.subdatasets):
                raise UsageError(f"{title}: {path.name} holds {pages} pages, of which a scene is one: give it alone")
            names = (path.stem, *path.resolve().parent.parts[:0:-1][:3])
            facts = {"crs": file.crs, "transform": file.transform, "told": geotiff.told(file, names)}
            return _Layer(str(path), facts, geotiff.header(file), (file.height, file.width))
    except (RasterioError, OSError) as error:
        raise UnavailableError(f"{title}: {path.name} cannot be read: {brief(error)}") from error


def _bands(path: Path, layers: list[_Layer], title: str) -> tuple[dict[str, tuple[_Layer, int]], _Layer | None]:
    """Band -> its file and its number in it, and the scene classification."""
    if path.is_file():
        layer = layers[0]
        sidecar = path.parent / SIDECAR
        try:
            named = pixel_rules.bands_of_sidecar(decode(sidecar.read_bytes(), SIDECAR)) if sidecar.is_file() else ()
            if pixel_rules.bit_depth(layer.header) == "8-bit":
                places, _ = pixel_rules.picture_places(layer.header, named)
                return {band: (layer, place + 1) for band, place in zip(RGB, places, strict=True)}, None
            order = named or pixel_rules.digital_order(layer.header)
        except ValueError as error:
            raise UsageError(f"{title}: {error}") from error
        if len(order) != len(layer.header.names):
            raise UsageError(f"{title}: has {len(layer.header.names)} bands, {SIDECAR} names {len(order)}")
        return {band: (layer, k + 1) for k, band in enumerate(order) if band != LEAVE_OUT}, None
    found: dict[str, tuple[_Layer, int]] = {}
    clouds: _Layer | None = None
    for layer in sorted(layers, key=lambda one: one.file["transform"].a, reverse=True):  # the finest of each wins
        stem = Path(layer.path).stem
        if _CLASSES.search(stem):
            clouds = layer
            continue
        if len(layer.header.names) != 1:
            raise UsageError(f"{title}: {Path(layer.path).name} holds {len(layer.header.names)} bands, expected one")
        try:
            pixel_rules.bit_depth(layer.header)
        except ValueError as error:
            raise UsageError(f"{title}: {Path(layer.path).name} {error}") from error
        found[pixel_rules.band_name(stem)] = (layer, 1)
    if not found:
        raise UsageError(f"{title}: holds a scene classification and no band")
    return dict(sorted(found.items())), clouds


def _upright(layer: _Layer, title: str) -> None:
    """Refuse grids on which windows of one ground size cannot be laid."""
    crs, transform = layer.file["crs"], layer.file["transform"]
    if crs is None:
        raise UsageError(f"{title}: has no projection: write the one that holds into it (gdal_edit.py -a_srs)")
    if transform.b or transform.d or transform.a <= 0 or transform.e >= 0:
        raise UsageError(f"{title}: its grid is turned: bring it to one with north on top (gdalwarp)")
    if not crs.is_projected or crs.linear_units_factor[1] != 1.0:
        raise UsageError(
            f"{title}: its projection is not in metres ({crs.to_string()[:40]}): gdalwarp it to its UTM zone"
        )
    if abs(transform.a + transform.e) > 1e-6 * transform.a:
        raise UsageError(f"{title}: its pixels are {transform.a:g} x {-transform.e:g} m: gdalwarp it to square ones")


def _place(layer: _Layer, index: int, fine: _Layer, what: str) -> BandPlace:
    own, grid = layer.file["transform"], fine.file["transform"]
    factor = round(own.a / grid.a)
    expected = tuple(-(-side // factor) for side in fine.size) if factor else ()
    apart = max(abs(own.c - grid.c), abs(own.f - grid.f), abs(own.a - factor * grid.a), abs(own.e - factor * grid.e))
    if layer.file["crs"] != fine.file["crs"] or layer.size != expected or apart > 1e-6 * grid.a or own.b or own.d:
        raise UsageError(f"{what} lies on another grid than the finest band: gdalwarp both to one grid")
    if factor not in FACTORS:
        raise UsageError(
            f"{what} has pixels {factor} times as large as the finest band; of {FACTORS} it can be enlarged"
        )
    return BandPlace(layer.path, index, factor)


def _told(path: Path, layers: list[_Layer], title: str) -> ProductFacts:
    """What the product's metadata tell, or those of all files alike."""
    if (metadata := _metadata(path)) is not None:
        found = [product_metadata.told(_tags(metadata, title), (title, metadata.stem))]
    else:
        found = [layer.file["told"] for layer in layers]
    for one in found:
        if one.doubt:
            raise UsageError(f"{title}: {one.doubt}")
        if (one.offset, one.gain, one.level) != (found[0].offset, found[0].gain, found[0].level):
            raise UsageError(
                f"{title}: its files tell different scales, offsets or levels: they are of several products"
            )
    return found[0]


def _metadata(path: Path) -> Path | None:
    """`MTD_MSIL1C.xml` or `MTD_MSIL2A.xml` of a product's folder."""
    if not path.is_dir():
        return None
    return next((file for file in sorted(path.iterdir()) if _METADATA.fullmatch(file.name)), None)


def _tags(metadata: Path, title: str) -> dict[str, str]:
    """What a product's XML tells of its values, as tags."""
    from xml.etree import ElementTree

    try:
        if metadata.stat().st_size > LARGEST_XML:
            raise UsageError(f"{title}: {metadata.name} is larger than {LARGEST_XML:,} bytes; not read")
        data = metadata.read_bytes()
        if b"<!ENTITY" in data:
            raise UsageError(f"{title}: {metadata.name} declares entities, which no product does; not read")
        root = ElementTree.fromstring(data)
    except (OSError, ElementTree.ParseError) as error:
        raise UnavailableError(f"{title}: {metadata.name} cannot be read: {brief(error)}") from error
    found: dict[str, list[str]] = {}
    for element in root.iter():
        name = element.tag.rpartition("}")[2]
        if name in (*_TAGS, *_TOLD) and element.text:
            found.setdefault(name, []).append(element.text.strip())
    return {name: ", ".join(dict.fromkeys(texts)) for name, texts in found.items()}


def _offset(told: ProductFacts, dn_offset: str, title: str) -> int:
    if dn_offset != "auto":
        return int(dn_offset)
    if told.offset is None:
        raise UsageError(
            f"{title} does not tell whether its values carry the +1000 DN of processing baseline 04.00 and later "
            f"({told.source}): pass --dn-offset 1000 if they do, --dn-offset 0 if not"
        )
    return told.offset


@contextmanager
def reading(scene: Scene) -> Iterator[None]:
    """What GDAL raises inside becomes one line."""
    import rasterio
    from rasterio.errors import RasterioError

    try:
        with rasterio.Env(**GDAL):
            yield
    except RasterioError as error:
        raise UnavailableError(f"{scene.title}: a block cannot be read: {brief(error)}") from error
