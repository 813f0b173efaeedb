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


def rows(stack: np.ndarray, key: str, band: str) -> np.ndarray:
    return stack[CLASSES.index(key), :, tx.BANDS.index(band)].astype(float)


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


def test_physics_of_the_covers(stack):
    # vegetation: red edge; water: nothing in the near infrared; air: blue above red over dark ground
    for key in ("Forest", "Pasture"):
        assert np.median(rows(stack, key, "B08")) > 3 * np.median(rows(stack, key, "B04"))
    assert np.median(rows(stack, "SeaLake", "B08")) < 400
    assert np.median(rows(stack, "SeaLake", "B02")) > 1.5 * np.median(rows(stack, "SeaLake", "B04"))
    assert np.median(rows(stack, "Industrial", "B04")) > 2 * np.median(rows(stack, "Forest", "B04"))
    assert np.median(stack[:, :, tx.BANDS.index("B10")]) < 40


def test_b8a_is_last(stack):
    # a swap of B8A with its neighbour by wavelength would put water vapour (B09) or SWIR last
    forest = stack[CLASSES.index("Forest")].astype(float).mean((0, 2, 3))
    assert tx.BANDS[-1] == "B8A"
    assert forest[12] > forest[7] * 0.9
    assert forest[12] > 2 * forest[8]


def test_coarse_bands_are_smoother():
    rng = np.random.default_rng(0)
    ground = np.where(rng.random((tx.FINE, tx.FINE, 1)) < 0.5, 200.0, 4000.0) * np.ones(13)
    air = tx.Atmosphere(haze=0.5, noise=0.0, gain=np.ones(13), sigma=1.0)
    dn = tx.observe(rng, ground, air).astype(float)
    rough = np.abs(np.diff(dn, axis=2)).mean((1, 2)) / tx._CLEAR
    b02, b05, b09 = (rough[tx.BANDS.index(b)] for b in ("B02", "B05", "B09"))
    assert b02 > 1.5 * b05 > 3 * b09


def test_haze_brightens_blue_most():
    ground = np.full((tx.FINE, tx.FINE, 13), 300.0)
    clear, hazy = (
        tx.observe(np.random.default_rng(0), ground, tx.Atmosphere(h, 0.0, np.ones(13), 1.0)).mean((1, 2))
        for h in (0.2, 3.0)
    )
    rise = hazy - clear
    assert rise[1] > rise[3] > rise[7] > rise[11] > 0


def test_random_fields_have_unit_variance():
    rng = np.random.default_rng(1)
    for knots in (3, 16, 64):
        values = np.stack([tx.smooth(rng, knots) for _ in range(300)])
        assert np.allclose(values.std(0), 1, atol=0.25)
    assert abs(np.stack([tx.fractal(rng, 0.6) for _ in range(100)]).std() - 1) < 0.1


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
