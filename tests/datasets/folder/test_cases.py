"""Inputs that went wrong once, or could, with the right answer: of `cases/README.md`, and made from real tiles here."""

from __future__ import annotations

import io
import json
import warnings

import numpy as np
import pytest
import rasterio
from eurosat_files import REAL
from PIL import Image
from sidecars import mask, metadata
from typer.testing import CliRunner

from senbench.cli.main import application
from senbench.datasets.open import open_dataset
from senbench.datasets.radiometry import render
from senbench.errors import UsageError

warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)

DN = ("--radiometry", "eurosat-jpeg")
RIGHT = {
    "u8_bgr_named20": ((), 58, 60),
    "q1000": (DN, 58, 60),
    "stac_tags_applied": (DN, 58, 60),
    "bands_bom": (DN, 12, 12),
    "u8_rgb_minisblack": ((), 12, 12),
    "ms_rgb_first_named": (("--dataset", "eurosat", "--split", "all"), 5, 6),
    "ms_zenodo_zip": (("--dataset", "eurosat", "--split", "all"), 5, 6),
    "z_backslash": (("--dataset", "eurosat-rgb"), 8, 20),
    "mixed_ext_ignored": ((), 41, 42),
}
REFUSED = {
    "png16_rgb": ((), "pass --radiometry"),
    "b1b4_bgrn": (DN, r"cannot be identified by their names \(b1, b2, b3, b4\).*bands\.txt"),
    "underflow": (DN, r"64\.4 % of the values lie above 32,767 DN"),
    "dn_scale_1e4_off+1000": (DN, "10,000,000 DN would be added .* or it means that 1,000 was added"),
    "dn_with_quicklook": (DN, "12 files hold digital numbers .* 12 are 8-bit images"),
}
NOTED = {
    "mask_filler": (DN, "50.0 % of the tiles' values are no data"),
    "rgba_nodata": ((), "31.2 % of the tiles' values are no data"),
    "numeric_classes": ((), "--class-names"),
    "mixed_ext_ignored": ((), "3 files not read, suffix .part: Forest/Forest_15.jpg.part"),
}


def run(root, more, tmp_path):
    given = more if "--dataset" in more else ("--dataset", f"folder:{root}", *more)
    where = ("--data-dir", str(root)) if "--dataset" in more else ()
    fixed = ["run", "--model", "mini", "--prompts", "generic", "--offline", "--no-cache", "--accept-pixels", "--json"]
    return CliRunner().invoke(application(), [*fixed, "--results", str(tmp_path), *given, *where])


def told(result):
    assert result.exception is None, result.output
    (one,) = json.loads(result.stdout)
    return one


@pytest.mark.shared
@pytest.mark.parametrize("case", RIGHT)
def test_cases_that_are_read(shared, case, tmp_path):
    more, right, n = RIGHT[case]
    one = told(run(shared / "cases" / case, more, tmp_path))
    assert one["dataset"]["n_evaluated"] == n
    assert round(one["metrics"]["top1"]["value"] * n) == right
    assert one["dataset"]["pixels"]["decisions"]["bands"]
    assert one["complete"] is (one["dataset"]["n_evaluated"] == one["dataset"]["n_expected"])


@pytest.mark.shared
@pytest.mark.parametrize("case", REFUSED)
def test_cases_that_are_refused(shared, case, tmp_path):
    more, says = REFUSED[case]
    failed = run(shared / "cases" / case, more, tmp_path)
    assert isinstance(failed.exception, UsageError)
    with pytest.raises(UsageError, match=says) as error:
        raise failed.exception
    assert "\n" not in str(error.value)


@pytest.mark.shared
@pytest.mark.parametrize("case", NOTED)
def test_cases_that_are_noted(shared, case, tmp_path):
    more, says = NOTED[case]
    one = told(run(shared / "cases" / case, more, tmp_path))
    assert any(says in note for note in one["warnings"])


@pytest.mark.shared
def test_16_bit_pictures_go_through_a_named_radiometry(shared, tmp_path):
    one = told(run(shared / "cases" / "png16_rgb", (*DN, "--dn-offset", "0"), tmp_path))
    assert round(one["metrics"]["top1"]["value"] * 60) == 58


@pytest.mark.shared
def test_bands_in_capital_suffixes(shared, tmp_path):
    root = shared / "cases" / "ben_upper_tif"
    one = told(run(root, ("--dataset", "bigearthnet-v1", "--split", "train"), tmp_path))
    assert one["dataset"]["n_evaluated"] == 4


PICTURES = {f"{key}/{key}_{n}": REAL / "2750" / key / f"{key}_{n}.jpg" for key in ("Forest", "River") for n in (1, 2)}
NAMES = ("B04", "B03", "B02")
THERE = np.repeat(np.arange(64) >= 16, 64).reshape(64, 64)
"""Where there are data: all but the first rows."""


def pixels(tile):
    return np.asarray(Image.open(PICTURES[tile]))


def numbers(tile):
    """Digital numbers that `eurosat-jpeg` renders to the picture, (3, 64, 64)."""
    dn = np.round((np.maximum(pixels(tile).astype(float), 1) - 1) / 254 * 2750).astype(np.uint16)
    assert np.array_equal(render(dn, "eurosat-jpeg"), np.maximum(pixels(tile), 1))
    return dn.transpose(2, 0, 1)


def raster(values, names=NAMES, *, tags=None, bands=None, scaling=None, inside=None, **how):
    """A file of values (B, H, W) as rasterio writes it."""
    shape = dict(zip(("count", "height", "width"), values.shape, strict=True))
    with rasterio.MemoryFile() as memory:
        with memory.open(driver=how.pop("driver", "GTiff"), dtype=str(values.dtype), **shape, **how) as file:
            file.write(values)
            if names:
                file.descriptions = names
            file.update_tags(**tags or {})
            for band, said in (bands or {}).items():
                file.update_tags(band, **said)
            if scaling:
                file.scales, file.offsets = ([value] * len(values) for value in scaling)
            if inside is not None:
                file.write_mask(inside)
        return memory.read()


def image(of, kind, **how):
    out = io.BytesIO()
    of.save(out, kind, **how)
    return out.getvalue()


def turned(kind, **how):
    """The picture lying on its side, and told so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    said = {"tiffinfo": {274: 6}} if kind == "TIFF" else {"exif": exif}
    return lambda tile: image(Image.fromarray(pixels(tile)).transpose(Image.ROTATE_90), kind, **said, **how)


def turned_behind(tile):
    """The same, with EXIF's block behind the pixels of a PNG."""
    data = turned("PNG")(tile)
    at = data.index(b"eXIf") - 4
    block = data[at : at + 12 + int.from_bytes(data[at : at + 4], "big")]
    data, end = data.replace(block, b""), 12
    return data[:-end] + block + data[-end:]


def opaque(*, kind="TIFF", **how):
    return lambda tile: image(Image.fromarray(pixels(tile)).convert(how["mode"]), kind, **how.get("how", {}))


def clear(values, without):
    """Digital numbers with a band of transparency."""
    return np.concatenate([values, np.where(without, 65535, 0).astype(np.uint16)[None]])


def filled(values, filler):
    return np.where(THERE, values, filler)


SHIFTED, TENTH = (lambda tile: numbers(tile) + np.uint16(1000)), (lambda tile: numbers(tile) // 10)
QUARTER = "a quarter is no data"
READ = {
    # values of other types, scales and offsets
    "signed": (".tif", lambda tile: raster(numbers(tile).astype(np.int16)), "0", ""),
    "reflectance": (
        *(".tif", lambda tile: raster((numbers(tile) / 10000).astype("f4"), tags={"QUANTIFICATION_VALUE": "1"})),
        *("0", ""),
    ),
    "percent": (
        *(".tif", lambda tile: raster((numbers(tile) / 100).astype("f8"), tags={"QUANTIFICATION_VALUE": "100"})),
        *("0", ""),
    ),
    "scale and offset of bands": (".tif", lambda tile: raster(SHIFTED(tile), scaling=(1e-4, -0.1)), "auto", ""),
    "offsets band by band": (
        *(".tif", lambda tile: raster(SHIFTED(tile), tags={f"RADIO_ADD_OFFSET_{k}": "-1000" for k in range(3)})),
        *("auto", ""),
    ),
    "scale_factor of netCDF": (".tif", lambda tile: raster(TENTH(tile), tags={"B04#scale_factor": "0.001"}), "0", "10"),
    "add_offset of netCDF": (
        *(".tif", lambda tile: raster(SHIFTED(tile), tags={"scale_factor": "0.0001", "add_offset": "-0.1"})),
        *("auto", ""),
    ),
    "quantification of the second band": (
        *(".tif", lambda tile: raster(TENTH(tile), bands={2: {"QUANTIFICATION_VALUE": "1000"}})),
        *("0", "10"),
    ),
    "12 bits": (".tif", lambda tile: raster(numbers(tile), nbits=12), "0", ""),
    "big endian": (
        *(".tif", lambda tile: raster(numbers(tile), endianness="BIG", interleave="band", compress="LZW", predictor=2)),
        *("0", ""),
    ),
    # bands and what is no data
    "blue first": (".tif", lambda tile: raster(numbers(tile)[::-1], ("blue", "Green", "RED (665 nm)")), "0", ""),
    "transparent": (
        ".tif",
        lambda tile: raster(clear(numbers(tile), THERE), None, photometric="RGB", alpha="YES"),
        "0",
        QUARTER,
    ),
    "transparent PNG": (".png", lambda tile: raster(clear(numbers(tile), THERE), None, driver="PNG"), "0", QUARTER),
    "65535": (".tif", lambda tile: raster(filled(numbers(tile), 65535).astype("u2"), nodata=65535), "0", QUARTER),
    "mask in the file": (
        *(".tif", lambda tile: raster(filled(numbers(tile), 9000).astype("u2"), inside=THERE)),
        *("0", QUARTER),
    ),
    "not a number": (
        ".tif",
        lambda tile: raster(filled(numbers(tile) / 10000, np.nan).astype("f4"), tags={"QUANTIFICATION_VALUE": "1"}),
        *("0", QUARTER),
    ),
    # pictures
    "palette": (".tif", opaque(mode="P"), None, "P"),
    "palette GIF": (".gif", opaque(mode="P", kind="GIF"), None, "P"),
    "grey": (".jpg", opaque(mode="L", kind="JPEG", how={"quality": 100}), None, "L"),
    "inks": (".jpg", opaque(mode="CMYK", kind="JPEG", how={"quality": 100}), None, ""),
    "inks in a TIFF": (".tif", opaque(mode="CMYK", how={"compression": "tiff_adobe_deflate"}), None, ""),
    "YCbCr in a TIFF": (".tif", opaque(mode="YCbCr"), None, ""),
    "turned JPEG": (".jpg", turned("JPEG", quality=100, subsampling=0), None, ""),
    "turned TIFF": (".tif", turned("TIFF"), None, ""),
    "turned PNG": (".png", turned_behind, None, ""),
    "turned WebP": (".webp", turned("WEBP", lossless=True), None, ""),
}
NOT_READ = {
    "no scale": (lambda tile: raster((numbers(tile) / 10000).astype("f4")), "does not state their scale"),
    "a picture in 16 bits": (
        lambda tile: raster(pixels(tile).transpose(2, 0, 1).astype("u2")),
        "no value is above 160 in 4 tiles",
    ),
    "signs lost": (lambda tile: raster((numbers(tile).astype(int) - 600).astype("u2")), "lie above 32,767 DN"),
    "bytes swapped": (lambda tile: raster(numbers(tile).byteswap()), "lie above 32,767 DN"),
    "scale of Landsat": (lambda tile: raster(numbers(tile), scaling=(2.75e-5, -0.2)), "Sentinel-2 has no such offset"),
    "two scales": (
        *(lambda tile: raster(numbers(tile), scaling=(1e-3, 0.0), tags={"QUANTIFICATION_VALUE": "10000"}),),
        "states two scales",
    ),
    "0 is white": (lambda tile: raster(numbers(tile)[:1], ("B04",), photometric="MINISWHITE"), "0 is white"),
    "signed bytes": (lambda tile: raster((numbers(tile) // 30).astype("i1")), "int8 values"),
    "no names": (lambda tile: raster(numbers(tile), None), r"write their names in file order into bands\.txt"),
}


def made(root, suffix, make):
    for tile in PICTURES:
        path = root / f"{tile}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make(tile))
    return root


def shown(root, offset="auto"):
    radiometry = "eurosat-jpeg" if offset is not None else None
    return open_dataset(f"folder:{root}", split=None, data_dir=None, radiometry=radiometry, dn_offset=offset or "auto")


@pytest.mark.parametrize("case", READ)
def test_made_cases_give_the_picture(tmp_path, case):
    suffix, make, offset, about = READ[case]
    tiles = shown(made(tmp_path, suffix, make), offset)
    for i, tile in enumerate(name.rpartition(".")[0] for name in tiles.ids):
        expected = pixels(tile).astype(int)
        if about in ("P", "L"):
            expected = np.asarray(Image.fromarray(pixels(tile)).convert(about).convert("RGB")).astype(int)
        if about == QUARTER:
            expected = np.where(THERE[..., None], expected, 1)
        close = 12 if about == "10" else 4 if suffix == ".jpg" or "YCbCr" in case else 1
        assert np.abs(tiles.read(i).astype(int) - expected).max() <= close
    assert tiles.facts_of_source.get("nodata_share", 0) == (0.25 if about == QUARTER else 0)


@pytest.mark.parametrize("case", NOT_READ)
def test_made_cases_that_cannot_be_right_are_refused(tmp_path, case):
    make, says = NOT_READ[case]
    with pytest.raises(UsageError, match=says) as error:
        shown(made(tmp_path, ".tif", make), "auto" if "Landsat" in case else "0")
    assert "\n" not in str(error.value)


def test_a_mask_and_names_beside_digital_numbers(tmp_path):
    made(tmp_path, ".tif", lambda tile: raster(numbers(tile), None))
    made(tmp_path, ".tif.aux.xml", lambda _: metadata(*(f"<Description>{name}</Description>" for name in NAMES)))
    plain = shown(tmp_path, "0")
    assert np.abs(plain.read(0).astype(int) - pixels("Forest/Forest_1")).max() <= 1
    made(tmp_path, ".tif.msk", lambda _: mask(THERE))
    masked = shown(tmp_path, "0")
    assert masked.facts_of_source["nodata_share"] == 0.25
    assert np.array_equal(masked.read(0), np.where(THERE[..., None], plain.read(0), 1))
    assert masked.key(0) != plain.key(0)
