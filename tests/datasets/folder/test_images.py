from __future__ import annotations

import io

import numpy as np
import pytest
from eurosat_files import dn_tile, jpeg, tiff, unpack
from PIL import Image
from sidecars import mask

from senbench.datasets.open import dataset_info, open_dataset
from senbench.datasets.tiles import TileError
from senbench.errors import UsageError


def image(kind: str, mode: str = "RGB", size=(40, 30)) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, (7, 7, 7, 255) if mode == "RGBA" else 7).save(out, kind)
    return out.getvalue()


FILES = {
    "water/tile_10.jpg": jpeg(1, (80, 50)),
    "water/tile_2.PNG": image("PNG", "RGBA"),
    "water/notes.txt": b"x",
    "forest/a.tif": image("TIFF"),
    "forest/b.png": image("PNG", "P"),
    ".DS_Store": b"x",
    "readme.md": b"x",
}


def opened(root, **kw):
    return open_dataset(f"folder:{root}", split=kw.pop("split", None), data_dir=None, **kw)


def test_reads_class_folders_of_any_size(tmp_path):
    tiles = opened(unpack(tmp_path / "mine", FILES))
    assert tiles.info.id == "folder:mine"
    assert tiles.info.classes == ("forest", "water")
    assert tiles.ids == ("forest/a.tif", "forest/b.png", "water/tile_2.PNG", "water/tile_10.jpg")
    assert tiles.labels.tolist() == [0, 0, 1, 1]
    assert tiles.n_expected == 4
    assert [tiles.read(i).shape for i in range(4)] == [(30, 40, 3)] * 3 + [(50, 80, 3)]
    assert all(tiles.read(i).dtype == np.uint8 for i in range(4))
    assert str(tmp_path) not in tiles.info.id + tiles.info.title + tiles.source
    assert dataset_info(f"folder:{tmp_path / 'mine'}") == tiles.info


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({"loose.jpg": b"x"}, "loose.jpg is in no class folder"),
        ({"water/deep/x.jpg": b"x"}, "water/deep lies too deep"),
        ({"empty/readme.txt": b"x"}, "class folder empty holds no image"),
    ],
)
def test_other_layouts_are_refused(tmp_path, extra, says):
    with pytest.raises(UsageError, match=says) as error:
        opened(unpack(tmp_path, FILES | extra))
    assert str(tmp_path) in str(error.value)


def test_too_few_classes_and_no_folder(tmp_path):
    with pytest.raises(UsageError, match="0 class folders, need at least 2"):
        opened(tmp_path)
    with pytest.raises(UsageError, match="1 class folders"):
        opened(unpack(tmp_path, {"a/x.jpg": b"x"}))
    with pytest.raises(UsageError, match="no such folder"):
        opened(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("x.jpg", lambda: tiff(dn_tile(1)), "not 8-bit RGB"),  # under a wrong suffix
        ("x.jpg", lambda: image("PNG", "I;16"), "16-bit PNG pixels of mode I;16"),
        ("x.jpg", lambda: jpeg(1)[:100], "cannot be decoded|not an image"),
    ],
)
def test_what_is_not_8_bit_rgb_is_refused_by_name(tmp_path, name, data, says):
    tiles = opened(unpack(tmp_path, {"a/a.jpg": jpeg(0), f"b/{name}": data()}))
    with pytest.raises(TileError, match=says) as error:
        tiles.read(1)
    assert f"b/{name}" in str(error.value)
    assert "\n" not in str(error.value)


def test_options_that_do_not_apply(tmp_path):
    unpack(tmp_path, FILES)
    for kw in ({"split": "test"}, {"radiometry": "dn3000"}):
        with pytest.raises(UsageError):
            opened(tmp_path, **kw)
    with pytest.raises(UsageError, match="does not apply"):
        open_dataset(f"folder:{tmp_path}", split=None, data_dir="x")
    assert opened(tmp_path).info.vocabulary == ""


def two(root, name, data):
    """Two classes of one file each."""
    return unpack(root, {f"a/{name}": data, f"b/{name}": data})


def saved(image, kind, **how):
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


COLOURS = np.stack([np.full((8, 6), value, np.uint8) for value in (200, 120, 40)], axis=-1)
PICTURE = Image.fromarray(COLOURS)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("x.webp", "WEBP"), ("x.bmp", "BMP"), ("x.jfif", "JPEG"), ("x.JPEG", "JPEG"), ("x.jp2", "JPEG2000")),
        *(("x.gif", "GIF"), ("x.TIF", "TIFF"), ("x.TIFF", "TIFF"), ("x.png", "PNG")),
    ],
)
def test_every_format_is_read(tmp_path, name, kind):
    tiles = opened(two(tmp_path, name, saved(PICTURE, kind, **({"lossless": True} if kind == "WEBP" else {}))))
    assert np.abs(tiles.read(0).astype(int) - COLOURS).max() <= 3
    assert len(tiles) == tiles.n_expected == 2


@pytest.mark.parametrize("mode", ["L", "P", "CMYK"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_palette_and_inks_become_rgb(tmp_path, mode, kind):
    if (mode, kind) == ("CMYK", "PNG"):
        pytest.skip("PNG has no CMYK")
    image = PICTURE.convert(mode)
    tiles = opened(two(tmp_path, f"x.{kind.lower()}", saved(image, kind)))
    assert np.array_equal(tiles.read(0), np.asarray(image.convert("RGB")))


def eight_bit_tiff(path, names, bands, **how):
    import rasterio

    path.parent.mkdir(parents=True, exist_ok=True)
    shape = {"count": len(bands), "height": 8, "width": 6, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", **shape, **how) as file:
        file.write(np.stack(bands))
        if names:
            file.descriptions = names


@pytest.mark.parametrize("names", [("B02", "B03", "B04"), ("b2", "b3", "b4"), ("blue", "green", "red")])
@pytest.mark.parametrize("photometric", ["RGB", "MINISBLACK"])
def test_names_of_8_bit_bands_are_honoured(tmp_path, names, photometric):
    for key in "ab":
        bgr = [COLOURS[..., k] for k in (2, 1, 0)]
        eight_bit_tiff(tmp_path / key / "x.tif", names, bgr, photometric=photometric)
    tiles = opened(tmp_path)
    assert np.array_equal(tiles.read(0), COLOURS)
    assert tiles.facts_of_source["pixels"]["decisions"]["bands"] == "red, green, blue: names of the bands"
    (tmp_path / "bands.txt").write_bytes(b"\xef\xbb\xbfB04 B03 B02\r\n\r\n")
    other = opened(tmp_path)
    assert np.array_equal(other.read(0), COLOURS[..., ::-1])
    assert other.key(0) != tiles.key(0)


def test_8_bit_bands_without_names(tmp_path):
    for key in "ab":
        eight_bit_tiff(tmp_path / "three" / key / "x.tif", None, list(COLOURS.transpose(2, 0, 1)))
        eight_bit_tiff(tmp_path / "four" / key / "x.tif", None, [COLOURS[..., 0]] * 4, photometric="MINISBLACK")
    assert np.array_equal(opened(tmp_path / "three").read(0), COLOURS)
    eight_bit_tiff(tmp_path / "four" / "a" / "x.tif", ("b1", "b2", "b3", "b4"), [COLOURS[..., 0]] * 4, alpha="NO")
    with pytest.raises(UsageError, match=r"x\.tif has 4 8-bit bands without names: .*bands\.txt"):
        opened(tmp_path / "four")


@pytest.mark.parametrize(("name", "kind"), [("x.png", "PNG"), ("x.webp", "WEBP"), ("x.tif", "TIFF")])
def test_transparent_pixels_are_no_data_and_counted(tmp_path, name, kind):
    magenta = Image.new("RGBA", (6, 8), (255, 0, 255, 0))
    magenta.paste(PICTURE.crop((0, 0, 6, 4)), (0, 0))
    tiles = opened(two(tmp_path, name, saved(magenta, kind, **({"lossless": True} if kind == "WEBP" else {}))))
    assert np.array_equal(tiles.read(0)[:4], COLOURS[:4])
    assert not tiles.read(0)[4:].any()
    assert tiles.facts_of_source["nodata_share"] == 0.5
    empty = saved(Image.new("RGBA", (6, 8), (9, 9, 9, 0)), "PNG")
    with pytest.raises(TileError, match="only no-data pixels"):
        opened(two(tmp_path / "empty", "x.png", empty)).read(0)


def test_a_value_for_no_data_in_8_bits(tmp_path):
    values = COLOURS.copy()
    values[:2] = 255
    for key in "ab":
        eight_bit_tiff(tmp_path / key / "x.tif", None, list(values.transpose(2, 0, 1)), nodata=255)
    tiles = opened(tmp_path)
    assert not tiles.read(0)[:2].any() and np.array_equal(tiles.read(0)[2:], COLOURS[2:])
    assert tiles.facts_of_source["nodata_share"] == 0.25


def test_pictures_are_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    tiles = opened(two(tmp_path, "x.jpg", saved(PICTURE, "JPEG", exif=exif)))
    assert tiles.read(0).shape == (6, 8, 3)


def test_16_bit_pictures_need_a_radiometry(tmp_path):
    import rasterio

    for key in "ab":
        (tmp_path / key).mkdir()
        shape = {"count": 3, "height": 8, "width": 6, "dtype": "uint16"}
        with rasterio.open(tmp_path / key / "x.png", "w", driver="PNG", **shape) as file:
            file.write(COLOURS.transpose(2, 0, 1).astype("uint16") * 10)
    assert dataset_info(f"folder:{tmp_path}").unit == "dn"
    tiles = opened(tmp_path, radiometry="dn2000", dn_offset="0")
    assert tiles.info.bands == ("B04", "B03", "B02")
    assert tiles.read(0)[0, 0].tolist() == [255, 153, 51]
    with pytest.raises(UsageError, match="--dn-offset"):
        opened(tmp_path, radiometry="dn2000")


def test_files_that_are_not_read_are_counted(tmp_path):
    files = FILES | {"water/c.jpg.part": b"x", "water/d.npy": b"x", "forest/e.heic": b"x", "forest/a.tif.aux.xml": b"x"}
    tiles = opened(unpack(tmp_path, files))
    assert (len(tiles), tiles.n_expected, tiles.info.splits) == (4, 7, {"all": 7})
    found = {one["reason"]: one["names"] for one in tiles.facts_of_source["pixels"]["left_out"]}
    assert found == {
        "suffix .heic": ["forest/e.heic"],
        "suffix .npy": ["water/d.npy"],
        "suffix .part": ["water/c.jpg.part"],
    }


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("Sea & Lake", "Sea-Lake"), "differ in marks or case alone, .*rename one of them"),
        (("W\u00e4lder", "Wa\u0308lder"), "rename one of them"),
        ((b"W\xe4lder".decode(errors="surrogateescape"), "b"), "is not UTF-8: rename it"),
    ],
)
def test_names_of_classes_that_cannot_be_told_apart_or_written(tmp_path, names, says):
    with pytest.raises(UsageError, match=says):
        opened(unpack(tmp_path, {f"{name}/x.jpg": jpeg(1) for name in names}))


@pytest.mark.parametrize(("name", "kind"), [("x.png", "PNG"), ("x.tif", "TIFF"), ("x.jpg", "JPEG")])
def test_a_mask_beside_a_picture_is_counted_and_not_left_out(tmp_path, name, kind):
    there = np.ones((8, 6), bool)
    there[:2] = False
    unpack(two(tmp_path, name, saved(PICTURE, kind)), {f"a/{name}.msk": mask(there), "b/orphan.tif.msk": b"x"})
    tiles = opened(tmp_path)
    assert tiles.facts_of_source["nodata_share"] == (0.125 if kind != "JPEG" else 0.25)
    assert not tiles.read(0)[:2].any() and tiles.read(1)[:2].any()
    assert [one["names"] for one in tiles.facts_of_source["pixels"]["left_out"]] == [["b/orphan.tif.msk"]]


def test_colours_are_told(tmp_path):
    grey, bits = saved(PICTURE.convert("L"), "PNG"), saved(PICTURE.convert("1"), "PNG")
    tiles = opened(unpack(tmp_path, {"a/1.png": grey, "a/2.png": bits, "b/1.png": saved(PICTURE, "PNG")}))
    assert tiles.facts_of_source["pixels"]["decisions"]["bands"] == (
        "red, green, blue: order of 8-bit images; grey of 1 bit, widened to 8 (1 of 3 tiles looked at); "
        "grey, shown in all three (1 of 3 tiles looked at)"
    )
    assert set(np.unique(tiles.read(1))) <= {0, 255}


def test_a_file_of_several_pages_is_no_tile(tmp_path):
    pages = saved(PICTURE, "TIFF", save_all=True, append_images=[PICTURE])
    tiles = opened(unpack(tmp_path, {"a/1.tif": pages, "b/1.tif": saved(PICTURE, "TIFF")}))
    with pytest.raises(TileError, match=r"a/1\.tif.* holds 2 pages"):
        tiles.read(0)
