"""Encoded images as arrays: what is accepted, and what every failure says."""

from __future__ import annotations

import io

import numpy as np
import pytest
from eurosat_files import jpeg, unpack
from PIL import Image

from senbench.datasets.readers.image import EIGHT_BIT, ImageReader, rgb
from senbench.datasets.readers.sources import Folder
from senbench.datasets.tiles import TileError


def encoded(mode: str, kind: str = "PNG", size: tuple[int, int] = (6, 4)) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, 7 if mode in ("L", "P", "I;16", "F") else None).save(out, kind)
    return out.getvalue()


def test_an_image_has_its_height_first():
    tile = rgb(encoded("RGB"), "x")
    assert (tile.dtype, tile.shape, tile.flags.writeable) == (np.uint8, (4, 6, 3), True)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P"])
def test_eight_bits_a_channel_become_rgb(mode):
    assert rgb(encoded(mode), "x", modes=EIGHT_BIT).shape == (4, 6, 3)
    if mode != "RGB":
        with pytest.raises(TileError, match=f"tile x: PNG pixels of mode {mode}, not 8-bit RGB"):
            rgb(encoded(mode), "x")


@pytest.mark.parametrize(
    ("data", "how", "says"),
    [
        (encoded("RGB"), {"side": 6}, "6x4 pixels, expected 6x6"),
        (encoded("I;16"), {"modes": EIGHT_BIT}, "not 8-bit RGB; render it"),
        (encoded("L", "TIFF"), {"modes": EIGHT_BIT}, "TIFF pixels of mode L"),
        (b"", {}, r"not an image \(0 bytes\)"),
        (b"II*\0 and no more", {}, "a TIFF that is not 8-bit RGB"),
        (jpeg(1)[:300], {}, "cannot be decoded"),
    ],
)
def test_failures_are_one_line_with_the_tile(data, how, says):
    with pytest.raises(TileError, match=says) as error:
        rgb(data, "River_1.jpg in a.zip", **how)
    assert str(error.value).startswith("tile River_1.jpg in a.zip: ") and "\n" not in str(error.value)
    assert str(error.value).endswith("--on-error skip")


def test_a_reader_of_members(tmp_path):
    files = {"a/1.jpg": jpeg(1), "b/2.jpg": jpeg(2, (30, 20))}
    source = Folder(unpack(tmp_path, files))
    fixed, free = ImageReader(source, tuple(files), 64), ImageReader(source, tuple(files))
    assert np.array_equal(fixed.rgb(0), rgb(files["a/1.jpg"], "x"))
    assert free.rgb(1).shape == (20, 30, 3)
    with pytest.raises(TileError, match=r"tile b/2\.jpg in .*/: 30x20 pixels, expected 64x64"):
        fixed.rgb(1)
    assert fixed.portable and not free.portable  # images of any size need not be small
    assert fixed.key(0) == source.key("a/1.jpg") != fixed.key(1)
    before = fixed.stamp([0], ())
    (tmp_path / "b" / "2.jpg").write_bytes(b"changed")
    assert fixed.stamp([0], ()) == before != fixed.stamp([0, 1], ())
