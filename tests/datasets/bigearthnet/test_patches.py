from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from bigearthnet_files import complete, opened, patch, tiff
from sidecars import mask
from stubs import StubEncoder

from senbench.datasets.bands import RGB, Pairing
from senbench.datasets.bigearthnet import patches
from senbench.datasets.bigearthnet.corine import CLASSES_19, CLASSES_43
from senbench.datasets.bigearthnet.patches import relabel
from senbench.datasets.catalog import S2_BANDS
from senbench.datasets.open import dataset_info, open_dataset
from senbench.datasets.radiometry import render
from senbench.datasets.tiles import TileError, stratified
from senbench.embedding.engine import embed_images
from senbench.embedding.image_pass import EmbedOptions
from senbench.errors import UnavailableError, UsageError
from senbench.prompts.vocabulary import vocabulary_for

warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)

TEN = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


def same_as_torchgeo(tiles, reference):
    """Every band in TorchGeo's order, the labels, and the order of the patches."""
    assert len(tiles) == len(reference) > 0
    for i in range(len(tiles)):
        sample = reference[i]
        image = sample["image"].numpy()
        assert image.shape == (12, 120, 120)
        assert np.array_equal(tiles.reader.bands(i, S2_BANDS).transpose(2, 0, 1), image)
        assert np.array_equal(tiles.reader.bands(i, RGB).transpose(2, 0, 1), image[[3, 2, 1]])
        assert np.array_equal(tiles.read(i), render(image[[3, 2, 1]], "dn2000"))
        assert np.array_equal(tiles.labels[i], sample["label"].numpy())


@pytest.mark.parametrize(("name", "classes"), [("bigearthnet-v1", 19), ("bigearthnet-v1-43", 43)])
def test_v1_equals_torchgeo_sample_by_sample(one, name, classes):
    from torchgeo.datasets import BigEarthNet

    for split in ("train", "val", "test"):
        reference = BigEarthNet(str(one[0]), split=split, bands="s2", num_classes=classes)
        tiles = opened(name, one[0], split)
        same_as_torchgeo(tiles, reference)
        assert [Path(f["s2"]).name for f in reference.folders] == list(tiles.ids)


def test_v2_equals_torchgeo_sample_by_sample(copy):
    from torchgeo.datasets import BigEarthNetV2

    complete(copy)
    for split in ("train", "val", "test"):
        reference = BigEarthNetV2(str(copy), split=split, bands="s2")
        tiles = opened("bigearthnet-v2", copy, split)
        same_as_torchgeo(tiles, reference)
        assert list(reference.metadata_df["patch_id"]) == list(tiles.ids)


@pytest.mark.shared
@pytest.mark.parametrize(("name", "classes"), [("bigearthnet-v1", 19), ("bigearthnet-v1-43", 43)])
def test_real_v1_patches_equal_torchgeos(shared, name, classes):
    from torchgeo.datasets import BigEarthNet

    root = shared / "bigearthnet-v1"
    for split, n in (("train", 4), ("test", 1)):
        tiles = opened(name, root, split)
        assert (len(tiles), tiles.n_expected) == (n, dataset_info(name).splits[split])
        same_as_torchgeo(tiles, BigEarthNet(str(root), split=split, bands="s2", num_classes=classes))
    tiles = opened(name, root, "train")
    assert tiles.clusters() == ["29UPU", "29UPU", "29SND", "35VPK"]
    assert tiles.facts("date") == ["2017-06-17", "2017-06-17", "2017-12-21", "2017-09-24"]
    with pytest.raises(UnavailableError, match=r"bigearthnet-val\.csv lists no patch"):
        opened(name, root, "val")


def test_descriptions():
    counts = {"bigearthnet-v1": 269695 + 123723 + 125866, "bigearthnet-v2": 480038}
    for name in ("bigearthnet-v1", "bigearthnet-v1-43", "bigearthnet-v2", "demo-multilabel"):
        info = dataset_info(name)
        assert (info.task, info.default_split, info.unit, info.tile_size) == ("multi-label", "test", "dn", 120)
        assert info.bands == S2_BANDS and info.radiometry == ("eurosat-jpeg" if info.synthetic else "dn2000")
        vocabulary, _ = vocabulary_for(info, None)
        assert tuple(entry.key for entry in vocabulary.classes) == info.classes
        assert len(info.classes) == (43 if name.endswith("43") else 19)
        if name in counts:
            assert sum(info.splits.values()) == counts[name]


def test_labels_are_what_was_painted(one, two):
    for name, (root, plan), version, classes in (
        ("bigearthnet-v1-43", one, 1, CLASSES_43),
        ("bigearthnet-v2", two, 2, CLASSES_19),
    ):
        tiles = opened(name, root)
        rows = np.flatnonzero(plan.part == 2)
        assert tiles.labels.dtype == bool and tiles.labels.shape == (len(rows), len(classes))
        for i, row in enumerate(rows):
            assert {classes[k] for k in np.flatnonzero(tiles.labels[i])} == set(plan.labels(row, version))
            assert np.array_equal(tiles.reader.bands(i, RGB), plan.pixels(row, S2_BANDS)[[3, 2, 1]].transpose(1, 2, 0))


def test_tile_date_and_country_come_with_each_patch(one, two):
    (root, plan), name = two, "bigearthnet-v2"
    tiles = opened(name, root)
    expected = [plan.names(i) for i in np.flatnonzero(plan.part == 2)]
    assert tiles.clusters() == [e["mgrs"] for e in expected]
    assert tiles.facts("country") == [e["country"] for e in expected]
    assert tiles.facts("date") == [e["date"] for e in expected]
    assert tiles.facts("s2v1_name") == [e["v1"] for e in expected]
    assert tiles.take([3, 1]).facts("date") == [expected[3]["date"], expected[1]["date"]]
    assert tiles.facts("colour") is None
    old = opened("bigearthnet-v1", one[0])
    assert old.clusters() == [e["mgrs"] for e in expected] and old.facts("country") is None
    assert not any(e["mgrs"] in e["v1"] for e in expected)  # v1's own names do not tell


def test_only_the_bands_asked_for_are_opened(two, monkeypatch):
    tiles = opened("bigearthnet-v2", two[0])
    read, real = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: read.append(self.name[-7:-4]) or real(self))
    tiles.read(0)
    assert read == list(RGB)
    read.clear()
    tiles.paired(Pairing(TEN, native=True)).read(0)
    assert read == list(TEN)


def test_threads_and_processes_may_share_the_reader(two):
    tiles = opened("bigearthnet-v2", two[0])
    many = list(range(len(tiles))) * 8
    with ThreadPoolExecutor(8) as pool:
        for i, tile in zip(many, pool.map(tiles.read, many), strict=True):
            assert np.array_equal(tile, tiles.read(i))
    assert np.array_equal(pickle.loads(pickle.dumps(tiles.decode))(0), tiles.read(0))


def test_content_keys_follow_the_files_that_are_read(copy):
    tiles = opened("bigearthnet-v2", copy)
    native = tiles.paired(Pairing(TEN, native=True))
    before, digital, stamp = tiles.key(0), native.key(0), tiles.reader.stamp([0], RGB)
    assert len({tiles.key(i) for i in range(len(tiles))}) == len(tiles)
    path = patch(copy, tiles.ids[0]) / f"{tiles.ids[0]}_B8A.tif"
    path.write_bytes(path.read_bytes()[:-2] + b"xy")
    assert tiles.key(0) == before and native.key(0) != digital and tiles.reader.stamp([0], RGB) == stamp
    path = path.with_name(path.name.replace("B8A", "B02"))
    path.write_bytes(path.read_bytes()[:-2] + b"xy")
    assert tiles.key(0) != before and tiles.reader.stamp([0], RGB) != stamp
    for names, view in ((None, tiles), (TEN, native)):
        key, tile = tiles.reader.keyed(0, names)
        assert key == view.key(0) and np.array_equal(tile, view.read(0))


def test_opening_imports_no_pandas(two):
    code = (
        "import sys; from senbench.datasets.open import open_dataset;"
        "tiles = open_dataset('bigearthnet-v2', split='test', data_dir=sys.argv[1]); print(len(tiles.read(0)));"
        "print([m for m in ('pandas', 'torchgeo', 'torch', 'rasterio') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code, str(two[0])], capture_output=True, text=True, check=True).stdout
    assert told.split("\n")[:2] == ["120", "[]"]


def test_radiometry_is_the_callers(two):
    tiles = opened("bigearthnet-v2", two[0], radiometry="minmax-per-image")
    dn = tiles.reader.bands(0, RGB)
    assert tiles.radiometry == "minmax-per-image"
    assert np.array_equal(tiles.read(0), render(dn, "minmax-per-image"))
    assert tiles.read(0).max() == 255 and tiles.read(0).min() == 0


def test_a_users_own_part_of_v2_runs(copy):
    """Fewer rows, three bands, no Sentinel-1, no maps, no optional columns."""
    path = copy / "metadata.parquet"
    table = pd.read_parquet(path).query("split == 'test'")[["patch_id", "labels", "split"]].iloc[2:6]
    table.to_parquet(path)
    for file in (copy / "BigEarthNet-S2").rglob("*.tif"):
        if file.name[-7:-4] not in RGB:
            file.unlink()
    tiles = opened("bigearthnet-v2", copy)
    assert (len(tiles), tiles.n_expected) == (4, 119825)
    found = embed_images(StubEncoder(), tiles, None)
    assert found.positions.tolist() == [0, 1, 2, 3]
    assert tiles.facts("country") is None and tiles.facts("date") is not None
    with pytest.raises(TileError, match=r"patch S2A_\w+: S2A_\w+_B05\.tif is not there"):
        tiles.paired(Pairing(TEN, native=True)).read(0)


def test_labels_of_v1_on_v2_patches(one, two):
    new, old = opened("bigearthnet-v2", two[0]), opened("bigearthnet-v1", one[0])
    for root in (one[0], one[0] / "BigEarthNet-v1.0"):
        tiles = relabel(new, root)
        assert np.array_equal(tiles.labels, old.labels) and not np.array_equal(tiles.labels, new.labels)
        assert tiles.ids == new.ids and np.array_equal(tiles.read(2), new.read(2))
    assert tiles.source == "BigEarthNet-S2/ with labels of v1"
    assert tiles.index_hash() != new.index_hash()
    view = relabel(new.take([4, 2]), one[0])
    assert np.array_equal(view.tile_labels, old.labels[[4, 2]])


def test_labels_of_v1_need_its_label_files(one, two, copy, tmp_path):
    new = opened("bigearthnet-v2", two[0])
    with pytest.raises(UnavailableError, match=r"give the folder that holds BigEarthNet-v1\.0/"):
        relabel(new, None)
    with pytest.raises(UnavailableError, match="datasets fetch bigearthnet-v1"):
        relabel(new, tmp_path / "nowhere")
    part = Path(shutil.copytree(one[0], tmp_path / "part"))
    shutil.rmtree(part / "BigEarthNet-v1.0" / new.facts("s2v1_name")[1])
    with pytest.raises(UnavailableError, match=r"for 1 of \d+ patches .*: listed, but its folder is not there"):
        relabel(new, part)
    pd.read_parquet(copy / "metadata.parquet").drop(columns="s2v1_name").to_parquet(copy / "metadata.parquet")
    with pytest.raises(UnavailableError, match="no column 's2v1_name'"):
        relabel(opened("bigearthnet-v2", copy), one[0])


def test_index_hash_tells_images_and_labels(two):
    tiles = opened("bigearthnet-v2", two[0])
    whole = tiles.index_hash()
    order = np.random.default_rng(0).permutation(len(tiles))
    assert tiles.take(order).index_hash() == whole != tiles.take(order[1:]).index_hash()
    other = tiles.labels.copy()
    other[0, 3] ^= True
    assert opened("bigearthnet-v2", two[0]).index_hash() == whole
    assert patches.replace(tiles, labels=other).index_hash() != whole


def test_limit_keeps_every_label_it_can():
    rng = np.random.default_rng(1)
    labels = rng.random((5000, 19)) < np.geomspace(0.4, 0.0008, 19)
    labels[:, 7] = False  # a label without any patch asks for nothing
    assert 0 < labels[:, 18].sum() < 15
    for limit in (40, 300):
        chosen = stratified(labels, limit, 3)
        assert len(set(chosen.tolist())) == limit and (np.diff(chosen) > 0).all()
        assert np.array_equal(labels[chosen].any(axis=0), labels.any(axis=0))
        assert np.array_equal(chosen, stratified(labels, limit, 3))
        assert not np.array_equal(chosen, stratified(labels, limit, 4))
    assert len(stratified(labels, 5, 3)) == 5
    assert labels[stratified(labels, 1, 3)][0, 18]  # the rarest comes first
    assert np.array_equal(stratified(labels, 6000, 3), np.arange(5000))
    assert abs(labels[stratified(labels, 2000, 3), 0].mean() - labels[:, 0].mean()) < 0.03


DAMAGE = {
    "missing": (lambda path: path.unlink(), "B03.tif is not there"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:9000]), "B03.tif: cannot be decoded"),
    "empty": (lambda path: path.write_bytes(b""), "B03.tif: the file is empty"),
    "size": (lambda path: path.write_bytes(tiff(np.ones((60, 60), np.uint16))), "60x60 pixels, expected 120x120"),
    "type": (
        lambda path: path.write_bytes(tiff(np.ones((120, 120), np.float32))),
        "are not integers",
    ),
    "folder": (lambda path: shutil.rmtree(path.parent), "listed, but its folder is not there"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_one_bad_patch_stops_or_is_left_out_by_name(copy, kind):
    tiles = opened("bigearthnet-v2", copy)
    damage, message = DAMAGE[kind]
    damage(patch(copy, tiles.ids[2]) / f"{tiles.ids[2]}_B03.tif")
    with pytest.raises(TileError, match=f"patch {tiles.ids[2]}.*{message}") as caught:
        embed_images(StubEncoder(), tiles, None)
    assert "\n" not in str(caught.value) and caught.value.exit_code == 3
    found = embed_images(StubEncoder(), tiles, None, EmbedOptions(on_error="skip"))
    assert list(found.skipped) == [2] and message in found.skipped[2]
    assert len(found.positions) == len(tiles) - 1


def test_unknown_names_are_refused_before_anything_is_read(tmp_path):
    with pytest.raises(UsageError, match=r"'tset'.*Did you mean 'test'"):
        opened("bigearthnet-v2", tmp_path, "tset")
    with pytest.raises(UsageError, match="radiometry"):
        opened("bigearthnet-v2", tmp_path, radiometry="dn1234")
    with pytest.raises(UnavailableError, match=r"no BigEarthNet-v1\.0/ in it; `senbench datasets fetch"):
        open_dataset("bigearthnet-v1", split=None, data_dir=None, offline=True)


def test_a_suffix_in_capitals_is_read(copy):
    tiles = opened("bigearthnet-v2", copy)
    before = tiles.read(2)
    path = patch(copy, tiles.ids[2]) / f"{tiles.ids[2]}_B03.tif"
    path.rename(path.with_suffix(".TIF"))
    assert np.array_equal(opened("bigearthnet-v2", copy).read(2), before)


def test_a_mask_beside_a_band_is_no_data(copy):
    """Where one of the patches looked at has one, every band is asked for it."""
    there = np.ones((120, 120), bool)
    there[:60] = False
    plain = opened("bigearthnet-v2", copy)
    key, before = plain.key(0), plain.reader.bands(0, ("B02", "B03"))
    assert not plain.reader.sidecars
    folder = copy / "BigEarthNet-S2" / plain.reader.rows.folders[0]
    (folder / f"{plain.ids[0]}_B02.tif.msk").write_bytes(mask(there))
    masked = opened("bigearthnet-v2", copy)
    assert masked.reader.sidecars and pickle.loads(pickle.dumps(masked.reader)).sidecars
    found = masked.reader.bands(0, ("B02", "B03"))
    assert np.array_equal(found[..., 0], np.where(there, before[..., 0], 0))
    assert np.array_equal(found[..., 1], before[..., 1])
    assert masked.key(0) != key and masked.key(1) == plain.key(1)
    assert np.array_equal(masked.reader.keyed(0, ("B02",))[1][..., 0], found[..., 0])
    assert masked.reader.stamp([0], ("B02",)) != plain.reader.stamp([0], ("B02",))


def test_files_of_bands_that_are_not_read_are_counted(copy):
    tiles = opened("bigearthnet-v2", copy)
    for i in range(2):
        folder = copy / "BigEarthNet-S2" / tiles.reader.rows.folders[i]
        (folder / f"{tiles.ids[i]}_B02.tif").rename(folder / f"{tiles.ids[i]}_B02.jp2")
        (folder / f"{tiles.ids[i]}_B03.tif.aux.xml").write_bytes(b"<PAMDataset/>")
    again = opened("bigearthnet-v2", copy)
    (one,) = again.facts_of_source["pixels"]["left_out"]
    assert (one["reason"], one["n"]) == ("suffix .jp2", 2)
    assert one["names"] == [f"{tile}_B02.jp2" for tile in tiles.ids[:2]]
    with pytest.raises(TileError, match=rf"{tiles.ids[0]}_B02\.tif is not there \({tiles.ids[0]}_B02\.jp2 is"):
        again.read(0)
    assert "left_out" not in tiles.facts_of_source["pixels"]
