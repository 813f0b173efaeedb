"""A scene to a map: the classes of its windows are those of tiles, whatever is read, stopped or shared."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import mapped_scenes
import numpy as np
import pytest
import rasterio
import settled_runs
from places import ROOT

from senbench.embedding import image_pass
from senbench.errors import UnavailableError, UsageError
from senbench.evaluation.mapping import map_scene as module
from senbench.evaluation.mapping import scene_pass, window_grid
from senbench.evaluation.mapping.map_scene import MapJob, map_scene
from senbench.evaluation.mapping.settled import Settled, Where
from senbench.evaluation.mapping.tile_answers import How, classify
from senbench.evaluation.mapping.tile_source import TileSource
from senbench.report import map_page
from senbench.runtime.progress import Silent

PLAIN = How()
HERE = Where(device="cpu", offline=True)
FILES = {
    "classes.qml",
    "classes.tif",
    "classes.tif.aux.xml",
    "index.html",
    "map.json",
    "map.png",
    "margin.tif",
    "scores.tif",
}


def mapped(settled, scene, out, how=PLAIN, **job):
    return map_scene(settled, MapJob(str(scene), str(out), **job), HERE, how, Silent(), map_page.render)


def raster(folder, name):
    with rasterio.open(folder / name) as file:
        return file.read()


def same(first, second) -> bool:
    return all(np.array_equal(raster(first, n), raster(second, n), equal_nan=True) for n in FILES if n.endswith(".tif"))


@pytest.fixture(scope="session")
def some(named_tiles):
    """Names and numbers of the run's 20 tiles."""
    return mapped_scenes.tiles(named_tiles)


@pytest.fixture
def scene(some, tmp_path):
    """The 20 tiles side by side, with 20 and 30 pixels beyond them."""
    return mapped_scenes.write(tmp_path / "s.tif", np.pad(mapped_scenes.mosaic(some[1], 5), ((0, 0), (0, 30), (0, 20))))


def test_classes_are_those_of_the_same_pixels_cut_out_and_run_as_tiles(settled, scene, some, tmp_path):
    facts = mapped(settled, scene, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    cut = tmp_path / "cut"
    with rasterio.open(scene) as file:
        whole = file.read()
    for k in range(20):
        r, c = divmod(k, 5)
        mapped_scenes.write(cut / f"t{k:02d}.tif", whole[:, 64 * r : 64 * r + 64, 64 * c : 64 * c + 64])
    tiles = classify(settled, TileSource(str(cut)), HERE, How(), Silent())
    found = raster(tmp_path / "out", "classes.tif")[0]
    np.testing.assert_array_equal(found[:4, :5].ravel(), tiles.answers.best)
    np.testing.assert_allclose(
        raster(tmp_path / "out", "scores.tif")[:, :4, :5].reshape(10, 20).T, tiles.answers.scores, atol=1e-6
    )
    np.testing.assert_allclose(
        raster(tmp_path / "out", "margin.tif")[0, :4, :5].ravel(), tiles.answers.margin, atol=1e-6
    )
    assert (found[4] == 255).all()
    assert (found[:, 5] == 255).all()
    assert facts.windows == {
        "classified": 20,
        "no data": 0,
        "cloud": 0,
        "impossible values": 0,
        "incomplete at the edge": 10,
    }
    assert sum(one.cells for one in facts.classes) == facts.classified == 20


def test_the_files_say_where_what_and_of_which_run(settled, scene, tmp_path):
    mapped(settled, scene, tmp_path / "out")
    for name in ("classes", "margin", "scores"):
        with rasterio.open(tmp_path / "out" / f"{name}.tif") as file, rasterio.open(scene) as source:
            assert file.crs == source.crs
            for row, column in ((0, 0), (3, 4), (5, 6)):
                np.testing.assert_allclose(
                    file.xy(row, column, offset="ul"), source.xy(64 * row, 64 * column, offset="ul"), atol=1e-9
                )
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert json.loads(file.tags()["SENBENCH"])["run"] == settled.result.run_id
    with rasterio.open(tmp_path / "out" / "classes.tif") as file:
        assert [file.tags(1)[f"CLASS_{k}"] for k in range(10)] == list(settled.classes)
        assert len({file.colormap(1)[k] for k in range(10)}) == 10
    with rasterio.open(tmp_path / "out" / "scores.tif") as file:
        assert file.descriptions == settled.classes


def test_overlapping_windows_are_averaged_and_blocks_change_nothing(settled, scene, tmp_path, monkeypatch):
    mapped(settled, scene, tmp_path / "one", stride=320)
    monkeypatch.setattr(window_grid, "BLOCK_PIXELS", 130)
    facts = mapped(settled, scene, tmp_path / "many", stride=320)
    assert facts.cells == (9, 11)
    for name in ("scores.tif", "margin.tif"):
        np.testing.assert_allclose(raster(tmp_path / "one", name), raster(tmp_path / "many", name), atol=1e-6)
    np.testing.assert_array_equal(raster(tmp_path / "one", "classes.tif"), raster(tmp_path / "many", "classes.tif"))


def test_a_stopped_map_goes_on_and_is_the_same(settled, scene, tmp_path, monkeypatch):
    monkeypatch.setattr(window_grid, "BLOCK_PIXELS", 130)
    monkeypatch.setattr(image_pass, "SHARD_ROWS", 2)
    mapped(settled, scene, tmp_path / "whole", How(batch_size=2))
    write, written = scene_pass.PartFiles.write, []

    def stops(self, k, part):
        write(self, k, part)
        written.append(k)
        if len(written) == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(scene_pass.PartFiles, "write", stops)
        mapped(settled, scene, tmp_path / "out", How(batch_size=2))
    assert not (tmp_path / "out").exists()
    assert (tmp_path / ".out.parts").is_dir()
    monkeypatch.setattr(scene_pass.PartFiles, "write", lambda self, k, part: (written.append(k), write(self, k, part)))
    mapped(settled, scene, tmp_path / "out", How(batch_size=2))
    assert len(written) == 11  # as many as in one go, and the one at which it was stopped
    assert same(tmp_path / "whole", tmp_path / "out")
    assert not (tmp_path / ".out.parts").exists()


def test_other_settings_or_pixels_begin_anew(settled, scene, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(UnavailableError):
        patch.setattr(
            module.map_rasters, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        )
        mapped(settled, scene, tmp_path / "out")
    os.utime(scene, (1, 1))
    calls = []
    monkeypatch.setattr(scene_pass.ImagePass, "embed", _counting(scene_pass.ImagePass.embed, calls))
    mapped(settled, scene, tmp_path / "out")
    assert calls == [20]


def _counting(embed, calls):
    def counted(self, todo, key, advance):
        calls.append(len(todo))
        return embed(self, todo, key, advance)

    return counted


def test_a_full_disk_leaves_the_parts_and_nothing_else(settled, scene, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with (
        monkeypatch.context() as patch,
        pytest.raises(UnavailableError, match="cannot be written: No space left") as caught,
    ):
        patch.setattr(module.map_rasters, "write", full)
        mapped(settled, scene, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"s.tif", ".out.parts"}
    calls = []
    monkeypatch.setattr(scene_pass.ImagePass, "embed", _counting(scene_pass.ImagePass.embed, calls))
    mapped(settled, scene, tmp_path / "out")
    assert calls == []


def test_a_block_that_cannot_be_read_is_said_in_one_line(settled, some, tmp_path):
    scene = mapped_scenes.write(tmp_path / "s.tif", mapped_scenes.mosaic(some[1], 5), compress="zstd")
    data = bytearray(scene.read_bytes())
    part = slice(len(data) // 4, 3 * len(data) // 4)
    data[part] = bytes(part.stop - part.start)
    scene.write_bytes(data)
    with pytest.raises(UnavailableError, match=r"s\.tif: a block cannot be read") as caught:
        mapped(settled, scene, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_no_data_and_clouds_are_left_out(settled, some, tmp_path):
    values = mapped_scenes.mosaic(some[1], 5)
    values[:, :64, :64] = 0
    scl = np.full((values.shape[1] // 2, values.shape[2] // 2), 4, np.uint8)
    scl[32:64, 32:64] = 8
    product = mapped_scenes.safe(tmp_path, values + 1000 * (values > 0).astype(np.uint16), scl=scl)
    facts = mapped(settled, product, tmp_path / "out")
    found = raster(tmp_path / "out", "classes.tif")[0]
    assert np.argwhere(found == 255).tolist() == [[0, 0], [1, 1]]
    assert (facts.windows["no data"], facts.windows["cloud"], facts.windows["classified"]) == (1, 1, 18)
    assert any("another level" in mark for mark in facts.marks)


def test_a_product_of_jp2s_and_the_same_as_geotiff_give_one_map(settled, some, tmp_path):
    values = mapped_scenes.mosaic(some[1], 5) + 1000
    for driver in ("JP2OpenJPEG", "GTiff"):
        product = mapped_scenes.safe(tmp_path / driver, values, driver=driver)
        mapped(settled, product, tmp_path / f"out-{driver}")
    tags = {"PROCESSING_BASELINE": "05.10", "PRODUCT_TYPE": "S2MSI2A"}
    mapped(settled, mapped_scenes.write(tmp_path / "t.tif", values, tags=tags), tmp_path / "out-one")
    assert same(tmp_path / "out-JP2OpenJPEG", tmp_path / "out-GTiff")
    assert same(tmp_path / "out-JP2OpenJPEG", tmp_path / "out-one")


@pytest.mark.parametrize(
    ("job", "kind", "message"),
    [
        ({"window": 5000}, UsageError, "a window has 5000 x 5000"),
        ({"stride": 100}, UsageError, "--stride 100"),
        ({"scene": "none.tif"}, UsageError, "no such scene"),
        ({"out": "s.tif"}, UsageError, "exists"),
        ({"out": "no/where"}, UnavailableError, "there is no folder"),
        ({"truth": "x.tif"}, UsageError, "belong together"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    settled, scene, tmp_path, monkeypatch, job, kind, message
):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    with pytest.raises(kind, match=message) as caught:
        map_scene(settled, MapJob(**{"scene": "s.tif", "out": "out", **job}), HERE, How(), Silent(), map_page.render)
    assert "\n" not in str(caught.value)
    assert set(tmp_path.iterdir()) == before


def test_missing_bands_and_answers_that_need_all_tiles_are_refused(settled, some, tmp_path):
    scene = mapped_scenes.write(tmp_path / "s.tif", mapped_scenes.mosaic(some[1], 5, ("B08", "B11")), ("B08", "B11"))
    with pytest.raises(UsageError, match=r"lack B04, B03, B02"):
        mapped(settled, scene, tmp_path / "out")
    together = settled.__class__(
        settled.result.model_copy(update={"postprocess": "column-mean"}), settled.model, settled.prompts
    )
    with pytest.raises(UsageError, match="column-mean, which compares all tiles"):
        mapped(together, scene, tmp_path / "out")


def test_pixels_that_cannot_be_sentinel_2_stop_it_unless_accepted(settled, some, tmp_path):
    scene = mapped_scenes.write(tmp_path / "s.tif", (mapped_scenes.mosaic(some[1], 5) // 200 + 1).astype(np.uint16))
    with pytest.raises(UsageError, match="--accept-pixels"):
        mapped(settled, scene, tmp_path / "out")
    mapped(settled, scene, tmp_path / "out", How(accept_pixels=True))


@pytest.mark.slow
def test_two_processes_give_the_map_of_one(demo_run, settled, scene, tmp_path, monkeypatch):
    patched = tmp_path / "sitecustomize.py"
    patched.write_text("from senbench.evaluation.mapping import window_grid\nwindow_grid.BLOCK_PIXELS = 130\n")
    words = ["map", str(scene), "--like", str(demo_run.folder), "--device", "cpu", "--offline", "--out"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}", "OMP_NUM_THREADS": "1"}
    one = [sys.executable, "-m", "senbench", *words, str(tmp_path / "one")]
    two = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "senbench",
        *words,
        str(tmp_path / "two"),
    ]
    for command in (one, two):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
    assert same(tmp_path / "one", tmp_path / "two")


@pytest.mark.shared
@pytest.mark.slow
def test_real_patches_on_a_canvas_of_their_zone_get_the_labels_of_the_tiles(tmp_path, isolated_home, shared):
    run = settled_runs.run(
        tmp_path / "results", isolated_home, dataset="bigearthnet-v1", data_dir=str(shared / "bigearthnet-v1"),
        split="train", accept_pixels=True,
    )  # fmt: skip
    own = Settled.of(run.result)
    source = TileSource("bigearthnet-v1", "train", str(shared / "bigearthnet-v1"))
    tiles = classify(own, source, HERE, How(accept_pixels=True), Silent())
    root = shared / "bigearthnet-v1" / "BigEarthNet-v1.0"
    for k, name in enumerate(tiles.ids):
        bands = []
        for band in ("B02", "B03", "B04"):
            with rasterio.open(root / name / f"{name}_{band}.tif") as file:
                bands.append(file.read(1))
                crs, transform = file.crs, file.transform
        canvas = np.zeros((3, 360, 480), np.uint16)  # the patch in the second row and third column, no data around
        canvas[:, 120:240, 240:360] = bands
        corner = transform @ transform.translation(-240, -120)
        path = mapped_scenes.write(
            tmp_path / f"{name}.tif", canvas, ("B02", "B03", "B04"), crs=crs, transform=corner, nodata=0,
            tags={"PROCESSING_BASELINE": "02.05", "PRODUCT_TYPE": "S2MSI2A"},
        )  # fmt: skip
        facts = mapped(own, path, tmp_path / f"out-{k}", How(accept_pixels=True))
        assert (facts.windows["classified"], facts.windows["no data"]) == (1, 11)
        np.testing.assert_allclose(
            raster(tmp_path / f"out-{k}", "scores.tif")[:, 1, 2], tiles.answers.scores[k], atol=1e-6
        )
        labels = raster(tmp_path / f"out-{k}", "classes.tif")[:, 1, 2]
        np.testing.assert_array_equal(labels.astype(bool), own.labels(tiles.answers.scores)[k])
        with rasterio.open(tmp_path / f"out-{k}" / "classes.tif") as file:
            assert file.xy(1, 2, offset="ul") == (transform.c, transform.f)
            assert file.descriptions == own.classes
