"""Pictures of maps: each cell in the colour of its class, at most so large."""

from __future__ import annotations

import io

import mapped_scenes
import numpy as np
from PIL import Image

from senbench.evaluation.mapping import map_pictures
from senbench.evaluation.mapping.scene import open_scene


def test_cells_have_the_colours_of_their_classes(tmp_path):
    cells = np.array([[[0, 1, 255], [2, 0, 1]]], np.uint8)
    path = mapped_scenes.write(tmp_path / "c.tif", cells, None, nodata=255)
    found = map_pictures.of_classes(path, ("#ff0000", "#00ff00", "#0000ff"), several=False)
    assert found.shape == (600, 900, 3)
    assert found[0, 0].tolist() == [255, 0, 0]
    assert found[0, 300].tolist() == [0, 255, 0]
    assert found[-1, 0].tolist() == [0, 0, 255]
    assert found[0, -1].tolist() == list(map_pictures._EMPTY)
    again = Image.open(io.BytesIO(map_pictures.webp(found)))
    np.testing.assert_array_equal(np.asarray(again), found)


def test_of_several_labels_the_highest_is_shown(tmp_path):
    scores = np.array([[[-0.5, np.nan]], [[-0.2, np.nan]]], np.float32)
    path = mapped_scenes.write(tmp_path / "s.tif", scores, None, nodata=float("nan"))
    found = map_pictures.of_classes(path, ("#ff0000", "#00ff00"), several=True)
    assert found[0, 0].tolist() == [0, 255, 0]
    assert found[0, -1].tolist() == list(map_pictures._EMPTY)


def test_a_large_scene_is_shown_small_and_one_without_colours_not_at_all(tmp_path):
    values = np.full((4, 200, 2000), 1000, np.uint16)
    scene = open_scene(str(mapped_scenes.write(tmp_path / "s.tif", values)))
    shown = Image.open(io.BytesIO(map_pictures.of_scene(scene, "eurosat-jpeg")))
    assert shown.size == (900, 90)
    infrared = open_scene(str(mapped_scenes.write(tmp_path / "i.tif", values[:2], ("B08", "B11"))))
    assert map_pictures.of_scene(infrared, "eurosat-jpeg") is None


def test_the_legend_names_every_class():
    picture = np.zeros((50, 40, 3), np.uint8)
    sheet = Image.open(io.BytesIO(map_pictures.with_legend(picture, ("a", "b"), ("#ff0000", "#00ff00"), "title")))
    colours = {colour for _, colour in sheet.convert("RGB").getcolors(10**6)}
    assert {(255, 0, 0), (0, 255, 0)} <= colours
