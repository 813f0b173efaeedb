from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from places import ROOT

from senbench.datasets.synthetic import textures as tx
from senbench.datasets.synthetic.scenes import CLASSES, FRESH_SEED, scene, write_eurosat
from senbench.errors import UsageError

PUBLISHED_MEAN = np.array([1354, 1118, 1043, 948, 1199, 1999, 2369, 2297, 732, 12, 1819, 1119, 2594])
"""Band means of EuroSAT (DN), in file order."""


@pytest.fixture(scope="module")
def stack() -> np.ndarray:
    """Twelve scenes of each class, (10, 12, 13, 64, 64)."""
    return np.stack([[scene(key, FRESH_SEED + 777_000_000 + n) for n in range(12)] for key in CLASSES])


def test_layout_and_range(stack):
    assert stack.dtype == np.uint16
    assert stack.shape[2:] == (13, 64, 64)
    assert stack.min() >= 1
    assert np.percentile(stack, 99.9) < 12000


def test_same_seed_same_scene_and_nothing_else():
    a = scene("River", 5)
    assert np.array_equal(a, scene("River", 5))
    assert not np.array_equal(a, scene("River", 6))
    assert not np.array_equal(a, scene("Highway", 5))


def test_the_same_in_another_process_with_another_hash_seed():
    code = (
        "import hashlib; from senbench.datasets.synthetic.scenes import CLASSES, scene;"
        "print(hashlib.sha256(b''.join(scene(k, 3).tobytes() for k in CLASSES)).hexdigest())"
    )
    here = hashlib.sha256(b"".join(scene(k, 3).tobytes() for k in CLASSES)).hexdigest()
    env = {"PYTHONHASHSEED": "4711", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    there = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_band_means_are_near_those_of_eurosat(stack):
    mean = stack.astype(float).mean((0, 1, 3, 4))
    assert np.all(np.abs(mean / PUBLISHED_MEAN - 1) < 0.35)


def test_b8a_is_last(stack):
    # a swap of B8A with its neighbour by wavelength would put water vapour (B09) or SWIR last
    forest = stack[CLASSES.index("Forest")].astype(float).mean((0, 2, 3))
    assert tx.BANDS[-1] == "B8A"
    assert forest[12] > forest[7] * 0.9
    assert forest[12] > 2 * forest[8]


def test_classes_can_be_told_apart_but_not_by_one_colour(stack):
    mean = stack.astype(float).mean((3, 4))
    within, between = mean.std(1).mean(), mean.mean(1).std(0).mean()
    assert within > 0.3 * between  # variation inside the classes, not ten fixed pictures


def test_unknown_class_is_named():
    with pytest.raises(UsageError, match=r"'Lake'.*SeaLake"):
        scene("Lake", 0)


@pytest.mark.parametrize("bad", [{"per_class": 0}, {"seed": -1}, {"split": (0.9, 0.2)}, {"split": (-0.1, 0.2)}])
def test_bad_figures_are_refused_before_anything_is_written(tmp_path, bad):
    with pytest.raises(UsageError):
        write_eurosat(tmp_path / "x", **{"per_class": 1, "seed": 0, **bad})
    assert not (tmp_path / "x").exists()


def test_lists_partition_the_tiles(tmp_path):
    write_eurosat(tmp_path, per_class=5, seed=1)
    lists = {s: (tmp_path / f"eurosat-{s}.txt").read_text().split() for s in ("train", "val", "test")}
    assert {s: len(v) for s, v in lists.items()} == {"train": 30, "val": 10, "test": 10}
    names = [name for v in lists.values() for name in v]
    assert len(set(names)) == 50
    tiles = {p.name.replace(".tif", ".jpg") for p in tmp_path.rglob("*.tif")}
    assert set(names) == tiles


def test_other_seed_other_scenes(tmp_path):
    import rasterio

    for seed in (0, 1):
        write_eurosat(tmp_path / str(seed), per_class=1, seed=seed)
    pixels = []
    for seed in (0, 1):
        with rasterio.open(next((tmp_path / str(seed)).rglob("River_1.tif"))) as file:
            pixels.append(file.read())
            assert file.crs.is_projected
            assert file.res == (10.0, 10.0)
    assert not np.array_equal(*pixels)
    assert np.array_equal(pixels[0], scene("River", FRESH_SEED))


def test_tiles_form_clusters_without_overlap(tmp_path):
    import rasterio

    write_eurosat(tmp_path, per_class=9, seed=0)
    boxes = set()
    for path in tmp_path.rglob("*.tif"):
        with rasterio.open(path) as file:
            boxes.add((file.crs.to_epsg(), file.bounds.left, file.bounds.top))
            assert all(v % 640 == 420_000 % 640 for v in [file.bounds.left])
    assert len(boxes) == 90
    assert len({(epsg, top // 100_000) for epsg, _, top in boxes}) > 1


@pytest.mark.slow
def test_torchgeo_reads_it(tmp_path):
    from torchgeo.datasets import EuroSAT

    write_eurosat(tmp_path, per_class=2, seed=0, split=(0.5, 0.0))
    data = EuroSAT(str(tmp_path), split="test")
    assert len(data) == 10
    assert data.classes == list(CLASSES)
    sample = data[0]
    assert sample["image"].shape == (13, 64, 64)
    assert sample["image"].max() > 300
