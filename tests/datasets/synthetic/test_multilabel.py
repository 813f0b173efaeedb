from __future__ import annotations

import hashlib
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import rasterio
from bigearthnet_files import SEED, v1, v2
from places import ROOT

from senbench.datasets.bands import RGB
from senbench.datasets.bigearthnet.corine import CLASSES_19, TO_19
from senbench.datasets.catalog import S2_BANDS
from senbench.datasets.open import dataset_info, open_dataset, prepare_dataset
from senbench.datasets.synthetic import bigearthnet_covers
from senbench.datasets.synthetic import multilabel as scenes
from senbench.datasets.synthetic.scenes import CLASSES, scene
from senbench.errors import UnavailableError, UsageError

warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)


def test_rasterio_reads_what_was_written_by_hand(tmp_path):
    plan = v2(tmp_path, 3)
    for i in range(3):
        names, pixels = plan.names(i), plan.pixels(i, S2_BANDS)
        folder = tmp_path / "BigEarthNet-S2" / names["scene"] / names["v2"]
        assert len(list(folder.iterdir())) == 12
        for band, dn in zip(S2_BANDS, pixels, strict=True):
            factor = scenes.COARSE.get(band, 1)
            side = 120 // factor
            with rasterio.open(folder / f"{names['v2']}_{band}.tif") as file:
                found = file.read(1)
                assert (file.count, file.dtypes, file.shape) == (1, ("uint16",), (side, side))
                assert file.transform.a == 10 * factor and file.bounds.right - file.bounds.left == 1200
                assert file.crs.to_epsg() == int(f"326{names['mgrs'][:2]}")
                corner = (file.bounds.left, file.bounds.top)
            means = dn.reshape(side, factor, side, factor).mean((1, 3))
            assert np.array_equal(found, np.rint(means))
        scene, column, row = plan.place(i)
        _, _, east, north = scenes.SITES[scene % len(scenes.SITES)]
        assert corner == (1e5 * east + 1200 * column, 1e5 * north - 1200 * row)


def test_same_arguments_same_patches_in_any_process(tmp_path):
    code = (
        "import hashlib; from senbench.datasets.synthetic.multilabel import plan; p = plan(30, 3);"
        "print(hashlib.sha256(b''.join(p.pixels(i, ('B04', 'B8A')).tobytes() for i in range(30))).hexdigest())"
    )
    here = scenes.plan(30, SEED)
    mine = hashlib.sha256(b"".join(here.pixels(i, ("B04", "B8A")).tobytes() for i in range(30))).hexdigest()
    env = {"PYTHONHASHSEED": "4711"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == mine
    other = scenes.plan(30, SEED + 1)
    assert not np.array_equal(here.covers, other.covers)


def test_patches_differ_and_are_no_scenes_of_the_training(tmp_path):
    plan = scenes.plan(400, SEED)
    seen = {plan.pixels(i, RGB).tobytes() for i in range(400)}
    assert len(seen) == 400
    covers_of_training = {scene(key, s)[3].tobytes() for key in CLASSES for s in range(3)}
    painted = scenes._painted(SEED)[:, :, 3]
    quarters = {painted[k, s, :64, :64].tobytes() for k in range(20) for s in range(scenes.SETS)}
    assert not quarters & covers_of_training


def test_labels_are_the_covers_that_are_there():
    plan = scenes.plan(300, SEED)
    masks, shares = scenes._borders(SEED)
    assert np.allclose(shares.sum(axis=1), 1) and (masks.sum(axis=1) == 1).all()
    for i in range(300):
        share = shares[plan.borders[i]]
        there = {bigearthnet_covers.COVERS[plan.covers[i, r]].name for r in range(scenes.REGIONS) if share[r] > 0}
        large = {
            bigearthnet_covers.COVERS[plan.covers[i, r]].name
            for r in range(scenes.REGIONS)
            if share[r] >= scenes.V2_SHARE
        }
        assert {TO_19.get(name, "none") for name in plan.labels(i, 1)} == there
        assert set(plan.labels(i, 2)) == large - {"none"}
    differing = sum({TO_19.get(n) for n in plan.labels(i, 1)} - {None} != set(plan.labels(i, 2)) for i in range(300))
    assert 20 < differing < 200  # relabelling alone changes something, not all


def test_frequency_differs_between_labels_and_between_tiles():
    plan = scenes.plan(6000, SEED)
    labels = np.array([[name in plan.labels(i, 2) for name in CLASSES_19] for i in range(6000)])
    prevalence = labels.mean(axis=0)
    assert prevalence.min() > 0 and prevalence.max() > 10 * prevalence.min()
    site = np.arange(6000) % plan.n_scenes % len(scenes.SITES)
    by_site = np.array([labels[site == s].mean(axis=0) for s in range(len(scenes.SITES))])
    naive = np.sqrt(prevalence * (1 - prevalence) / 500)
    assert (by_site.std(axis=0) > 2 * naive).mean() > 0.8  # noise alone would be at 1
    assert 0 < (~labels.any(axis=1)).sum() < 300


def test_a_large_plan_has_unique_names_and_any_size():
    plan = scenes.plan(200_000, SEED)
    step = 37
    names = [plan.names(i) for i in range(0, 200_000, step)]
    for key in ("v1", "v2", "radar"):
        assert len({n[key] for n in names}) == len(names)
    scene, column, row = np.array([plan.place(i) for i in range(0, 200_000, step)]).T
    assert column.max() < 90 and row.max() < 90 and scene.max() + 1 == plan.n_scenes


def test_shares_of_the_splits(tmp_path):
    v1(tmp_path / "a", 10, bands=RGB, split=(0.5, 0.2))
    lines = {p: (tmp_path / "a" / f"bigearthnet-{p}.csv").read_text().splitlines() for p in ("train", "val", "test")}
    assert {p: len(rows) for p, rows in lines.items()} == {"train": 5, "val": 2, "test": 3}
    v2(tmp_path / "b", 10, bands=RGB, split=(0.5, 0.2))
    table = pd.read_parquet(tmp_path / "b" / "metadata.parquet")
    assert table["split"].value_counts().to_dict() == {"train": 5, "test": 3, "validation": 2}
    assert {line.split(",")[0] for rows in lines.values() for line in rows} == set(table["s2v1_name"])


@pytest.mark.parametrize(
    "change", [{"n": 0}, {"seed": -1}, {"split": (0.7, 0.7)}, {"version": 3}, {"bands": ("B10",)}], ids=str
)
def test_figures_out_of_range_are_refused(tmp_path, change):
    with pytest.raises(UsageError, match="cannot write"):
        scenes.write_bigearthnet(**{"folder": tmp_path / "x", "n": 3, "seed": 0} | change)
    assert not (tmp_path / "x").exists()


def test_demo_is_made_once_complete_and_offline(monkeypatch, isolated_home, no_sockets):
    info = dataset_info("demo-multilabel")
    monkeypatch.setattr(
        "senbench.datasets.open.BUILTIN",
        {info.id: ("senbench.datasets.bigearthnet.patches", info.model_copy(update={"splits": {"test": 30}}))},
    )
    tiles = open_dataset("demo-multilabel", split=None, data_dir=None, offline=True)
    assert (len(tiles), tiles.n_expected, tiles.radiometry) == (30, 30, "eurosat-jpeg")
    assert len(set(tiles.clusters())) == 12 and tiles.info.synthetic and tiles.info.level is None
    made = list((isolated_home / "data").iterdir())
    assert len(made) == 1 and prepare_dataset("demo-multilabel") == made[0]
    before = made[0].stat().st_mtime_ns
    again = open_dataset("demo-multilabel", split=None, data_dir=None, offline=True)
    assert again.index_hash() == tiles.index_hash() and made[0].stat().st_mtime_ns == before
    assert tiles.reader.bands(0, S2_BANDS).shape == (120, 120, 12)
    with pytest.raises(UsageError, match="does not apply"):
        open_dataset("demo-multilabel", split=None, data_dir="x")


def test_demo_that_cannot_be_written_is_told(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("SENBENCH_HOME", str(tmp_path / "file"))
    with pytest.raises(UnavailableError, match=r"scenes cannot be written to .*set SENBENCH_HOME"):
        open_dataset("demo-multilabel", split=None, data_dir=None)
