from __future__ import annotations

import io

import numpy as np
import pytest
from eurosat_files import dn_tile, jpeg, tiff, unpack
from PIL import Image

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
        ("x.png", lambda: image("PNG", "1"), "mode 1, not 8-bit"),
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
