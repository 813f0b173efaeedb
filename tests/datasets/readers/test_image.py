"""Encoded images as arrays: what is accepted, what becomes of its colours, and what every failure says."""

from __future__ import annotations

import io

import numpy as np
import pytest
from eurosat_files import jpeg, unpack
from PIL import Image
from sidecars import mask, metadata

from senbench.datasets.readers.image import PictureReader, jpeg_channels, picture
from senbench.datasets.readers.sources import Folder, TileFile
from senbench.datasets.tiles import TileError

COLOURS = np.stack([np.full((4, 6), value, np.uint8) for value in (200, 120, 40)], axis=-1)
PICTURE = Image.fromarray(COLOURS)


def encoded(mode: str, kind: str = "PNG", size: tuple[int, int] = (6, 4)) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, 7 if mode in ("L", "P", "I;16", "F") else None).save(out, kind)
    return out.getvalue()


def saved(image: Image.Image, kind: str, **how) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def test_an_image_has_its_height_first():
    tile = picture(TileFile(encoded("RGB")), "x").pixels
    assert (tile.dtype, tile.shape, tile.flags.writeable) == (np.uint8, (4, 6, 3), True)


@pytest.mark.parametrize(
    ("mode", "kind", "told"),
    [
        *(("RGB", kind, "") for kind in ("PNG", "JPEG", "WEBP", "BMP", "PPM", "TIFF", "JPEG2000")),
        *(("L", kind, "grey, shown in all three") for kind in ("PNG", "JPEG", "BMP", "PPM", "TIFF", "JPEG2000")),
        *(("P", kind, "colours of a palette") for kind in ("PNG", "GIF", "BMP", "TIFF")),
        *(("CMYK", kind, "four inks (CMYK)") for kind in ("JPEG",)),
        *(("1", kind, "grey of 1 bit, widened to 8") for kind in ("PNG", "PPM")),
        ("LA", "PNG", "grey, shown in all three"),
    ],
)
def test_what_becomes_of_colours(mode, kind, told):
    image = PICTURE.convert(mode)
    found = picture(TileFile(saved(image, kind, **({"quality": 100} if kind == "JPEG" else {}))), "x")
    assert np.abs(found.pixels.astype(int) - np.asarray(image.convert("RGB"))).max() <= 4
    assert (found.colours, found.missing) == (told, None)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_grey_of_few_bits_is_widened_in_a_tiff_as_in_a_png(bits, white_is_zero):
    from rasterio.io import MemoryFile

    most = 2**bits - 1
    values = (np.arange(24).reshape(1, 4, 6) % (most + 1)).astype("uint8")
    with MemoryFile() as memory:
        how = {"photometric": "MINISWHITE" if white_is_zero else "MINISBLACK", "nbits": bits}
        with memory.open(driver="GTiff", count=1, height=4, width=6, dtype="uint8", **how) as file:
            file.write(values)
        data = memory.read()
    expected = np.round(values[0] * (255 / most))
    if white_is_zero:
        expected = 255 - expected
    assert np.array_equal(picture(TileFile(data), "x").pixels, np.repeat(expected[..., None], 3, axis=2))


@pytest.mark.parametrize("order", ["LITTLE", "BIG"])
@pytest.mark.parametrize("kind", ["RGB", "L"])
def test_tiffs_of_either_byte_order(order, kind):
    from rasterio.io import MemoryFile

    values = COLOURS if kind == "RGB" else COLOURS[..., :1]
    with MemoryFile() as memory:
        shape = {"count": values.shape[2], "height": 4, "width": 6, "dtype": "uint8"}
        with memory.open(driver="GTiff", endianness=order, **shape) as file:
            file.write(values.transpose(2, 0, 1))
        data = memory.read()
    assert data[:2] == {"LITTLE": b"II", "BIG": b"MM"}[order]
    assert np.array_equal(picture(TileFile(data), "x").pixels, np.broadcast_to(values, (4, 6, 3)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright_with_their_mask(orientation):
    values = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    there = np.ones((4, 6), bool)
    there[0, :2] = False
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = picture(TileFile(saved(Image.fromarray(values), "PNG", exif=exif), {".msk": mask(there)}), "x")
    expected = np.where(there[..., None], values, 0)
    if orientation > 4:
        expected = expected.transpose(1, 0, 2)
    down, right = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}.get(orientation, (1, 1))
    assert np.array_equal(found.pixels, expected[::down, ::right])
    assert int(found.missing.sum()) == 2


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "PPM"])
def test_a_mask_beside_a_picture_is_no_data(kind):
    there = np.ones((4, 6), bool)
    there[:2] = False
    data = saved(PICTURE, kind, **({"quality": 100} if kind == "JPEG" else {}))
    plain, found = picture(TileFile(data), "x"), picture(TileFile(data, {".msk": mask(there)}), "x")
    assert np.array_equal(found.missing, ~there)
    assert np.array_equal(found.pixels, np.where(there[..., None], plain.pixels, 0))
    about = metadata('<Metadata><MDI key="STATISTICS_MEAN">9</MDI></Metadata>')
    statistics = picture(TileFile(data, {".aux.xml": about}), "x")
    assert statistics.missing is None and np.array_equal(statistics.pixels, plain.pixels)


def test_a_value_for_no_data_beside_a_picture():
    grey = np.full((4, 6, 3), 9, np.uint8)
    grey[0] = 200
    beside = {".aux.xml": metadata(*["<NoDataValue>200</NoDataValue>"] * 3)}
    found = picture(TileFile(saved(Image.fromarray(grey), "PNG"), beside), "x")
    assert found.missing.sum() == 6 and not found.pixels[0].any() and (found.pixels[1:] == 9).all()


def ppm(most: int) -> bytes:
    return b"P6\n# made\n2 1\n%d\n" % most + bytes(12 if most > 255 else 6)


AVIF10 = b"\0\0\0\x20ftypavif" + b"\0" * 20 + b"av1C\x81\x00\x4c\x00" + b"mdat"


@pytest.mark.parametrize(
    ("data", "how", "says"),
    [
        (encoded("RGB"), {"side": 6}, "6x4 pixels, expected 6x6"),
        (encoded("RGB", "TIFF"), {"side": 6}, "6x4 pixels, expected 6x6"),
        (encoded("I;16"), {}, "16-bit PNG pixels of mode I;16, not 8-bit RGB; render it"),
        (encoded("I;16", "TIFF"), {}, "has uint16 values, not 8-bit RGB"),
        (encoded("F", "TIFF"), {}, "has float32 values, not 8-bit RGB"),
        (ppm(65535), {}, "16-bit PPM pixels of mode RGB"),
        (ppm(1000), {}, "10-bit PPM pixels of mode RGB"),
        (b"P5 2 1 65535 \0\0\0\0", {}, "16-bit PPM pixels of mode I,"),
        (saved(PICTURE, "GIF", save_all=True, append_images=[Image.new("RGB", (6, 4))]), {}, "holds 2 pictures"),
        (saved(PICTURE, "PNG", save_all=True, append_images=[Image.new("RGB", (6, 4))]), {}, "holds 2 pictures"),
        (saved(PICTURE, "WEBP", save_all=True, append_images=[Image.new("RGB", (6, 4))]), {}, "holds 2 pictures"),
        (saved(PICTURE, "TIFF", save_all=True, append_images=[Image.new("RGB", (6, 4))]), {}, "holds 2 pages"),
        (saved(PICTURE, "EPS"), {}, r"not an image \(\d+ bytes\)"),  # PIL would run a program for it
        (saved(PICTURE, "TGA"), {}, "not an image"),
        (b"", {}, r"not an image \(0 bytes\)"),
        (b"II*\0 and no more", {}, "cannot be decoded"),
        (jpeg(1)[:300], {}, "cannot be decoded"),
    ],
)
def test_failures_are_one_line_with_the_tile(data, how, says):
    with pytest.raises(TileError, match=says) as error:
        picture(TileFile(data), "River_1.jpg in a.zip", **how)
    assert str(error.value).startswith("tile River_1.jpg in a.zip: ") and "\n" not in str(error.value)
    assert str(error.value).endswith("--on-error skip") and "vsimem" not in str(error.value)


@pytest.mark.parametrize(("flags", "depth"), [(0x00, None), (0x40, 10), (0x60, 12), (0x80, None)])
def test_the_depth_of_an_avif(flags, depth):
    from senbench.datasets.readers.pixel_rules import bits_beyond_8

    data = b"\0\0\0\x20ftypavif" + bytes(20) + b"av1C\x81\x00" + bytes([flags]) + b"\0mdat av1C\0\0\x60"
    assert bits_beyond_8(data) == depth


def test_an_avif_of_8_bits_is_read():
    found = picture(TileFile(saved(PICTURE.resize((64, 64)), "AVIF", quality=100)), "x").pixels
    assert np.abs(found.astype(int) - (200, 120, 40)).max() <= 4


def test_channels_of_jpegs():
    assert [jpeg_channels(saved(PICTURE.convert(mode), "JPEG")) for mode in ("L", "RGB", "CMYK")] == [1, 3, 4]
    exif = Image.Exif()
    exif[0x010E] = "x" * 9000
    assert jpeg_channels(saved(PICTURE, "JPEG", exif=exif, progressive=True)) == 3
    whole = jpeg(1)
    assert {jpeg_channels(whole[:cut]) for cut in range(0, len(whole), 5)} == {None, 3}
    assert jpeg_channels(encoded("RGB")) is jpeg_channels(b"") is None


def test_a_reader_of_members(tmp_path):
    files = {"a/1.jpg": jpeg(1), "b/2.jpg": jpeg(2, (30, 20))}
    source = Folder(unpack(tmp_path, files))
    fixed, free = PictureReader(source, tuple(files), side=64), PictureReader(source, tuple(files))
    assert np.array_equal(fixed.rgb(0), picture(TileFile(files["a/1.jpg"]), "x").pixels)
    assert free.rgb(1).shape == (20, 30, 3)
    with pytest.raises(TileError, match=r"tile b/2\.jpg in .*/: 30x20 pixels, expected 64x64"):
        fixed.rgb(1)
    assert fixed.portable and not free.portable  # images of any size need not be small
    assert fixed.key(0) == free.key(0) != fixed.key(1)
    before = fixed.stamp([0], ())
    (tmp_path / "b" / "2.jpg").write_bytes(b"changed")
    assert fixed.stamp([0], ()) == before != fixed.stamp([0, 1], ())


def test_a_mask_beside_a_tile_changes_its_key_and_its_stamp(tmp_path):
    source = unpack(tmp_path, {"a/1.png": encoded("RGB")})
    before = PictureReader(Folder(source), ("a/1.png",))
    (tmp_path / "a" / "1.png.MSK").write_bytes(mask(np.eye(4, 6, dtype=bool)))
    after = PictureReader(Folder(source), ("a/1.png",))
    assert before.key(0) != after.key(0) and before.stamp([0], ()) != after.stamp([0], ())
    assert after.seen(0).missing.sum() == 20
    (tmp_path / "a" / "1.png.MSK").write_bytes(mask(np.ones((4, 6), bool)))
    assert after.key(0) != PictureReader(Folder(source), ("a/1.png",)).key(0) or after.seen(0).missing is None


def test_what_a_result_tells_of_colours(tmp_path):
    files = {f"a/{k}.jpg": jpeg(k, mode="L" if k < 3 else "RGB") for k in range(8)}
    reader = PictureReader(Folder(unpack(tmp_path, files)), tuple(files))
    told = reader.facts()["pixels"]["decisions"]
    assert told["bands"] == "red, green, blue: order of 8-bit images; grey, shown in all three (3 of 8 tiles looked at)"
    assert set(told) == {"bit depth", "bands"}


def test_far_more_pixels_than_bytes_are_not_unpacked():
    """An image of one colour, of 300 MB in some kilobytes."""
    from rasterio.io import MemoryFile

    with MemoryFile() as memory:
        shape = {"count": 3, "height": 10_000, "width": 10_000, "dtype": "uint8", "sparse_ok": True}
        with memory.open(driver="GTiff", compress="deflate", tiled=True, **shape):
            pass
        tiled = memory.read()
    grey = saved(Image.new("L", (10_000, 10_000)), "PNG")
    for data in (tiled, grey):
        with pytest.raises(TileError, match=r"takes [\d,]+ bytes and would unpack to [13]00,000,000"):
            picture(TileFile(data), "x")
