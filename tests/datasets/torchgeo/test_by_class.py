from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor

import eurosat_files
import numpy as np
import pytest
import torchgeo.datasets
from torchgeo_files import LAYOUTS, so2sat, treesatai

from senbench.datasets import radiometry
from senbench.datasets.open import dataset_info, open_dataset, prepare_dataset
from senbench.datasets.tiles import TileError
from senbench.datasets.torchgeo import known
from senbench.datasets.torchgeo.by_class import alias
from senbench.errors import UnavailableError, UsageError

PICTURES = ("UCMerced", "RESISC45", "PatternNet", "FireRisk", "MillionAID", "ADVANCE", "COWCDetection")


def opened(name, root, split=None, **how):
    return open_dataset(f"torchgeo:{name}", split=split, data_dir=str(root), offline=True, **how)


def reference(name, root, split, **how):
    if known.CLASSES[name].facts["splits"].keys() != {"all"}:
        how["split"] = split
    return getattr(torchgeo.datasets, name)(str(root), **how)


def by_file(dataset, tiles):
    """Positions of our tiles in TorchGeo's dataset: Million-AID's order there is that of the file system."""
    if hasattr(dataset, "files") and isinstance(dataset.files[0], dict):
        at = {str(one["image"]): i for i, one in enumerate(dataset.files)}
        return [next(i for path, i in at.items() if path.endswith(f"/{name}")) for name in tiles.tile_ids]
    return list(range(len(tiles)))


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_and_labels_equal_torchgeo_s(tmp_path, name):
    LAYOUTS[name](tmp_path)
    for split in known.CLASSES[name].facts["splits"]:
        tiles, theirs = opened(name, tmp_path, split), reference(name, tmp_path, split)
        assert len(tiles) == len(theirs) > 2
        names = getattr(theirs, "classes", ("no car", "car"))
        for i, j in enumerate(by_file(theirs, tiles)):
            sample = theirs[j]
            wanted = np.floor(sample["image"].numpy() + 0.5).astype(np.uint8).transpose(1, 2, 0)
            assert np.array_equal(tiles.read(i), wanted), (split, i)
            assert tiles.info.classes[tiles.tile_labels[i]] == names[int(sample["label"])]
        assert len(set(map(tiles.key, range(len(tiles))))) == len(tiles)
        assert tiles.n_expected == (tiles.info.splits[split] or len(tiles))


def test_a_picture_that_torchgeo_resizes_has_its_pixels(tmp_path):
    LAYOUTS["UCMerced"](tmp_path)
    tiles, theirs = opened("UCMerced", tmp_path), reference("UCMerced", tmp_path, "test")
    from PIL import Image

    assert Image.open(theirs.samples[0][0]).size == (250, 260)
    assert tiles.read(0).shape == (256, 256, 3)


def test_so2sat_is_reflectance_brought_to_digital_numbers(tmp_path):
    so2sat(tmp_path)
    for split in ("train", "validation", "test"):
        tiles = opened("So2Sat", tmp_path, split, radiometry="dn2000")
        theirs = reference("So2Sat", tmp_path, split, bands=torchgeo.datasets.So2Sat.BAND_SETS["s2"])
        assert len(tiles) == len(theirs) == 5 and tiles.info.unit == "dn"
        for i in range(5):
            image, label = theirs[i]["image"].numpy(), int(theirs[i]["label"])
            dn = np.floor(image.astype(np.float64) * 10_000 + 0.5).astype(np.uint16)
            order = known.S2_OF_SO2SAT
            assert np.array_equal(tiles.reader.bands(i, order), dn.transpose(1, 2, 0))
            assert np.array_equal(tiles.reader.bands(i, ("B8A", "B02"))[..., 0], dn[order.index("B8A")])
            rgb = dn[[order.index(band) for band in ("B04", "B03", "B02")]]
            assert np.array_equal(tiles.read(i), radiometry.render(rgb, "dn2000"))
            assert tiles.tile_labels[i] == label
    block = opened("So2Sat?version=3_block", tmp_path, radiometry="dn2000")
    assert block.info.id == "torchgeo:So2Sat?version=3_block"
    assert not np.array_equal(block.read(0), tiles.read(0))


def test_a_rendering_of_unknown_level_is_asked_for(tmp_path):
    so2sat(tmp_path)
    assert dataset_info("torchgeo:So2Sat").radiometry == "undecided"
    with pytest.raises(TileError, match="no rendering to 8-bit RGB is known"):
        opened("So2Sat", tmp_path).read(0)
    with pytest.raises(UsageError, match="unknown radiometry 'x'"):
        opened("So2Sat", tmp_path, radiometry="x")
    LAYOUTS["PatternNet"](tmp_path / "p")
    with pytest.raises(UsageError, match="'dn2000' does not apply to 8-bit images"):
        opened("PatternNet", tmp_path / "p", radiometry="dn2000")


def test_treesatai_by_sensor_with_several_labels(tmp_path):
    treesatai(tmp_path)
    for split in ("train", "test"):
        aerial = opened("TreeSatAI", tmp_path, split)
        s2 = opened("TreeSatAI?sensors=s2", tmp_path, split, radiometry="dn2000")
        theirs = reference("TreeSatAI", tmp_path, split, sensors=("aerial", "s2"))
        for i in range(len(theirs)):
            sample = theirs[i]
            assert np.array_equal(aerial.tile_labels[i], sample["label"].numpy().astype(bool))
            image = sample["image_aerial"].numpy().astype(np.uint8)
            assert np.array_equal(aerial.read(i), image[[3, 1, 2]].transpose(1, 2, 0))
            dn = sample["image_s2"].numpy().astype(np.uint16)
            assert np.array_equal(s2.reader.bands(i, ("B04", "B8A")), dn[[2, 7]].transpose(1, 2, 0))
    assert aerial.info.task == "multi-label" and s2.info.id == "torchgeo:TreeSatAI?sensors=s2"


@pytest.mark.parametrize("name", [name for name in known.CLASSES if name.startswith("CopernicusBench")])
def test_copernicus_bench_by_band_name(tmp_path, name):
    LAYOUTS[name](tmp_path)
    one = known.CLASSES[name]
    for split in ("train", "val", "test"):
        tiles, theirs = opened(name, tmp_path, split, radiometry="dn2000"), reference(name, tmp_path, split)
        assert len(tiles) == len(theirs) >= 3
        assert one.channels == tuple(theirs.all_bands) and tiles.info.classes == tuple(theirs.classes)
        for i in range(len(theirs)):
            sample = theirs[i]
            image = np.floor(sample["image"].numpy().astype(np.float64) * one.gain + 0.5).astype(np.uint16)
            assert np.array_equal(tiles.reader.bands(i, one.channels), image.transpose(1, 2, 0))
            assert np.array_equal(tiles.tile_labels[i], sample["label"].numpy().astype(tiles.labels.dtype))
            rgb = image[[theirs.all_bands.index(band) for band in ("B04", "B03", "B02")]]
            assert np.array_equal(tiles.read(i), radiometry.render(rgb, "dn2000"))


def test_million_aid_with_several_labels(tmp_path):
    LAYOUTS["MillionAID"](tmp_path)
    tiles = opened("MillionAID?task=multi-label", tmp_path)
    named = [{tiles.info.classes[k] for k in np.flatnonzero(row)} for row in tiles.tile_labels]
    assert named == [
        {"agriculture_land", "arable_land", "dry_field"},
        {"agriculture_land", "grassland", "meadow"},
        {"water_area", "lake"},
    ]


def test_classes_that_senbench_reads_itself_go_by_its_own_ids(tmp_path):
    assert [alias(name) for name in known.ALIASES] == list(known.ALIASES.values())
    assert alias("BigEarthNet?num_classes=43") == "bigearthnet-v1-43" and alias("UCMerced") is None
    assert dataset_info("torchgeo:EuroSATSpatial").id == "eurosat-spatial"
    assert dataset_info("torchgeo:BigEarthNet?num_classes=19").id == "bigearthnet-v1"
    eurosat_files.unpack(tmp_path / eurosat_files.BASE, eurosat_files.tiffs())
    tiles = opened("EuroSAT", tmp_path, "all")
    assert tiles.info.id == "eurosat" and len(tiles) == 20 and tiles.reader.located


def test_threads_and_other_processes_read_the_same(tmp_path):
    so2sat(tmp_path / "s")
    LAYOUTS["RESISC45"](tmp_path / "r")
    for tiles in (opened("So2Sat", tmp_path / "s", radiometry="dn2000"), opened("RESISC45", tmp_path / "r")):
        alone = [tiles.read(i) for i in range(len(tiles))]
        with ThreadPoolExecutor(8) as pool:
            for _ in range(4):
                assert all(map(np.array_equal, pool.map(tiles.read, range(len(tiles))), alone))
        sent = pickle.loads(pickle.dumps(tiles.decode))
        assert np.array_equal(sent(0), alone[0])


def zipped(root, top):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted((root / top).rglob("*.*")):
            archive.write(path, path.relative_to(root))
    return out.getvalue()


@pytest.fixture
def hosted(tmp_path, hub, monkeypatch):
    """UC Merced at a local address, under the checksums of what is there."""
    source = tmp_path / "source"
    LAYOUTS["UCMerced"](source)
    kind = torchgeo.datasets.UCMerced
    data = zipped(source, "UCMerced_LandUse")
    monkeypatch.setattr(kind, "url", hub.url + "/uc/")
    monkeypatch.setattr(kind, "md5", hashlib.md5(data).hexdigest())
    archive = hub.add_url("/uc/UCMerced_LandUse.zip", data) and hub.files["/uc/UCMerced_LandUse.zip"]
    sums = {}
    for split, name in kind.split_filenames.items():
        text = (source / name).read_bytes()
        hub.add_url(f"/uc/{name}", text)
        sums[split] = hashlib.md5(text).hexdigest()
    monkeypatch.setattr(kind, "split_md5s", sums)
    return archive


def test_torchgeo_fetches_and_checks(hosted, isolated_home, capsys):
    tiles = open_dataset("torchgeo:UCMerced", split="val", data_dir=None)
    assert len(tiles) == 4 and tiles.n_expected == 420
    assert capsys.readouterr().out == ""
    assert prepare_dataset("torchgeo:UCMerced", offline=True) == isolated_home / "data" / "torchgeo-UCMerced"


def test_a_damaged_download_is_refused(hosted):
    hosted.corrupt = True
    with pytest.raises(
        UnavailableError, match=r"torchgeo:UCMerced test: TorchGeo cannot fetch it: .*try again"
    ) as error:
        open_dataset("torchgeo:UCMerced", split=None, data_dir=None)
    assert "\n" not in str(error.value)


def test_no_network(monkeypatch):
    monkeypatch.setattr(torchgeo.datasets.UCMerced, "url", "http://127.0.0.1:9/")
    with pytest.raises(UnavailableError, match="torchgeo:UCMerced test: TorchGeo cannot fetch it"):
        open_dataset("torchgeo:UCMerced", split=None, data_dir=None)
    with pytest.raises(UnavailableError, match="--offline forbids to fetch it"):
        open_dataset("torchgeo:UCMerced", split=None, data_dir=None, offline=True)
    with pytest.raises(UnavailableError, match="TorchGeo cannot fetch it; put it there"):
        open_dataset("torchgeo:So2Sat", split=None, data_dir=None)


def test_names_splits_and_options_that_do_not_exist(tmp_path):
    for name, says in (
        ("UCmerced", "unknown classification dataset of TorchGeo 'UCmerced'. Did you mean 'UCMerced'"),
        ("QuakeSet", "torchgeo:QuakeSet cannot be run: its tiles are pairs of radar images"),
        ("So2Sat?version=9", "unknown version of torchgeo:So2Sat '9'"),
        ("UCMerced?version=2", "no option 'version'; it has none"),
        ("UCMerced?colour=2", "no option 'colour'"),
        ("EuroSAT?num_classes=43", "no option 'num_classes'; it has none"),
    ):
        with pytest.raises(UsageError) as error:
            opened(name, tmp_path)
        assert says in str(error.value)
    with pytest.raises(UsageError, match=r"unknown split of torchgeo:FireRisk 'test'.*train, val"):
        opened("FireRisk", tmp_path, "test")
    with pytest.raises(UsageError, match="lacks what follows the colon"):
        opened("", tmp_path)


def test_a_split_whose_list_is_missing(tmp_path):
    LAYOUTS["RESISC45"](tmp_path)
    (tmp_path / "resisc45-val.txt").unlink()
    with pytest.raises(UnavailableError, match=r"torchgeo:RESISC45 val: TorchGeo cannot open .*resisc45-val.txt"):
        opened("RESISC45", tmp_path, "val")


def test_a_class_that_it_does_not_have(tmp_path):
    LAYOUTS["PatternNet"](tmp_path)
    (tmp_path / "PatternNet/images/beach").rename(tmp_path / "PatternNet/images/castle")
    with pytest.raises(UsageError, match="torchgeo:PatternNet: label 'castle' is none of its 38 classes"):
        opened("PatternNet", tmp_path)


def test_labels_out_of_range(tmp_path):
    so2sat(tmp_path, classes=40)
    with pytest.raises(UsageError, match=r"labels go from \d+ to \d+, of 17 classes"):
        opened("So2Sat", tmp_path, "train")
    (tmp_path / "COWC").mkdir()
    LAYOUTS["COWCDetection"](tmp_path / "COWC")
    listing = tmp_path / "COWC" / "COWC_test_list_detection.txt"
    listing.write_text(listing.read_text().replace(" 1\n", " 7\n"))
    with pytest.raises(UsageError, match="labels go from 0 to 7, of 2 classes"):
        opened("COWCDetection", tmp_path / "COWC")


def test_nothing_in_a_split(tmp_path):
    so2sat(tmp_path, n=0)
    with pytest.raises(UsageError, match="torchgeo:So2Sat test: it has no tile"):
        opened("So2Sat", tmp_path)


def test_a_truncated_file_is_named(tmp_path):
    LAYOUTS["RESISC45"](tmp_path / "r")
    tiles = opened("RESISC45", tmp_path / "r")
    path = tmp_path / "r" / "NWPU-RESISC45" / tiles.tile_ids[1]
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(TileError, match=rf"{tiles.tile_ids[1]} in torchgeo:RESISC45: cannot be decoded"):
        tiles.read(1)
    treesatai(tmp_path / "t")
    trees = opened("TreeSatAI?sensors=s2", tmp_path / "t", radiometry="dn2000")
    path = tmp_path / "t" / "s2" / "60m" / trees.tile_ids[0]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(TileError, match=rf"{trees.tile_ids[0]} in torchgeo:TreeSatAI\?sensors=s2: cannot be decoded"):
        trees.read(0)
    so2sat(tmp_path / "s")
    h5 = tmp_path / "s" / "testing.h5"
    h5.write_bytes(h5.read_bytes()[:5000])
    with pytest.raises(UnavailableError, match="torchgeo:So2Sat test: TorchGeo cannot open"):
        opened("So2Sat", tmp_path / "s")
