from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torchgeo.datasets
from eurosat_files import BASE, dn_tile, packed, tiff, tiffs, unpack
from rasterio.io import MemoryFile
from sidecars import mask, metadata

from senbench.datasets.bands import Pairing
from senbench.datasets.catalog import BANDS, EUROSAT
from senbench.datasets.eurosat import multispectral, splits
from senbench.datasets.open import dataset_info, open_dataset, prepare_dataset
from senbench.datasets.radiometry import render
from senbench.datasets.tiles import TileError
from senbench.errors import UnavailableError, UsageError

pytest_plugins = ["hub_server"]

REVISION = "1ce6f1bfb56db63fd91b6ecc466ea67f2509774c"


def names(*ids: str) -> bytes:
    return "".join(f"{i}.jpg\n" for i in ids).encode()


LISTS = {
    "train": names(*(f"{k}_1" for k in EUROSAT)),
    "val": names(*(f"{k}_2" for k in EUROSAT)),
    "test": names(*(f"{k}_{n}" for k in EUROSAT for n in (3, 4))),
}


@pytest.fixture
def lists(monkeypatch):
    """The generated split lists are the published ones for this test, here and in TorchGeo."""
    md5s = {part: hashlib.md5(text).hexdigest() for part, text in LISTS.items()}
    sha256s = {part: hashlib.sha256(text).hexdigest() for part, text in LISTS.items()}
    for cls in (torchgeo.datasets.EuroSAT, torchgeo.datasets.EuroSAT100):
        of_08 = hasattr(cls, "split_md5s")
        monkeypatch.setattr(cls, *(("split_md5s", md5s) if of_08 else ("split_sha256s", sha256s)))
    for kind in ("random", "100"):
        for part, md5 in md5s.items():
            key = f"{kind}-{part}"
            monkeypatch.setitem(splits.LISTS, key, replace(splits.LISTS[key], md5=md5))
    return LISTS


def layout(root, files, prefix="eurosat"):
    unpack(root / BASE, files)
    return unpack(root, {f"{prefix}-{part}.txt": text for part, text in LISTS.items()})


def opened(data_dir, split="all", name="eurosat", **kw):
    return open_dataset(name, split=split, data_dir=str(data_dir), offline=True, **kw)


def test_equals_torchgeo_tile_by_tile(tmp_path, lists):
    layout(tmp_path, tiffs(4))
    for part in ("train", "val", "test"):
        reference = torchgeo.datasets.EuroSAT(str(tmp_path), split=part, bands=("B04", "B03", "B02"))
        tiles = opened(tmp_path, part)
        by_id = {path.rsplit("/", 1)[1][:-4]: i for i, (path, _) in enumerate(reference.samples)}
        assert set(by_id) == set(tiles.ids)
        for i, tile in enumerate(tiles.ids):
            sample = reference[by_id[tile]]
            assert int(sample["label"]) == tiles.labels[i]
            assert np.array_equal(tiles.read(i), render(sample["image"].numpy(), "eurosat-jpeg"))
    assert opened(tmp_path, None).split == "test"
    assert opened(tmp_path, "all").n_expected == 27000


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_is_read_in_place_and_equals_the_folder(tmp_path, method):
    files = tiffs(2)
    path = packed(tmp_path / "EuroSATallBands.zip", files, BASE + "/", method)
    a, b = opened(tmp_path), opened(unpack(tmp_path / "folder", files))
    assert [p.name for p in tmp_path.iterdir() if p.name != "folder"] == ["EuroSATallBands.zip"]
    assert opened(path).index_hash() == a.index_hash() == b.index_hash()
    assert a.clusters() == b.clusters()
    with ThreadPoolExecutor(8) as pool:
        for i, tile in enumerate(pool.map(a.read, range(len(a)))):
            assert np.array_equal(tile, b.read(i))


def test_bands_are_red_green_blue_of_the_file(tmp_path):
    dn = np.zeros((13, 64, 64), np.uint16)
    for k, band in enumerate(BANDS):
        dn[k] = {"B04": 2750, "B03": 1375, "B02": 0}.get(band, 9999)
    unpack(tmp_path, {"River/River_1.tif": tiff(dn)})
    assert opened(tmp_path).read(0)[10, 10].tolist() == [255, 128, 1]


TEN = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
"""Bands of Llama3-MS-CLIP, in its order."""


def test_digital_numbers_are_picked_by_name_and_left_alone(tmp_path):
    dn = np.broadcast_to((np.arange(13, dtype=np.uint16) * 2500)[:, None, None], (13, 64, 64)).copy()
    dn[12, 3, 7] = 65535
    unpack(tmp_path, {"River/River_1.tif": tiff(dn)})
    tiles = opened(tmp_path)
    tile = tiles.paired(Pairing(TEN, native=True)).read(0)
    assert (tile.dtype, tile.shape) == (np.uint16, (64, 64, 10))
    assert tile[0, 0].tolist() == [2500 * k for k in (1, 2, 3, 4, 5, 6, 7, 12, 10, 11)]
    assert tile[3, 7, TEN.index("B8A")] == 65535
    assert tiles.paired(Pairing(("B01", "B10", "B09"), native=True)).read(0)[0, 0].tolist() == [0, 22500, 20000]


def test_digital_numbers_equal_torchgeos(tmp_path, lists):
    layout(tmp_path, tiffs(4))
    reference = torchgeo.datasets.EuroSAT(str(tmp_path), split="test", bands=TEN)
    tiles = opened(tmp_path, "test").paired(Pairing(TEN, native=True))
    by_id = {path.rsplit("/", 1)[1][:-4]: i for i, (path, _) in enumerate(reference.samples)}
    with ThreadPoolExecutor(8) as pool:
        for tile, dn in zip(tiles.ids, pool.map(tiles.read, range(len(tiles))), strict=True):
            assert np.array_equal(dn, reference[by_id[tile]]["image"].numpy().transpose(1, 2, 0))


def test_a_damaged_tile_is_named_natively_too(tmp_path):
    unpack(tmp_path, {"River/River_1.tif": tiff(dn_tile(1))[:20000]})
    with pytest.raises(TileError, match=r"River_1\.tif.*cannot be decoded"):
        opened(tmp_path).paired(Pairing(TEN, native=True)).read(0)


def test_radiometry_is_named_recorded_and_matters(tmp_path):
    unpack(tmp_path, tiffs(1))
    default, other = opened(tmp_path), opened(tmp_path, radiometry="dn3000")
    assert (default.radiometry, other.radiometry) == ("eurosat-jpeg", "dn3000")
    assert not np.array_equal(default.read(0), other.read(0))
    with pytest.raises(UsageError, match="unknown radiometry 'dn300'"):
        opened(tmp_path, radiometry="dn300")


def test_a_missing_class_neither_shifts_labels_nor_stops(tmp_path, lists):
    layout(tmp_path, tiffs(4, ("Forest", "SeaLake")))
    (tmp_path / BASE / "River").mkdir()
    tiles = opened(tmp_path, "test")
    assert [EUROSAT[k] for k in tiles.labels] == ["Forest", "Forest", "SeaLake", "SeaLake"]
    assert (len(tiles), tiles.n_expected) == (4, 5400)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: tiff(dn_tile(1))[:20000], "cannot be decoded"),
        (lambda: b"", "the file is empty"),
        (lambda: tiff(dn_tile(1, side=32)), "32x32 pixels"),
        (lambda: tiff(dn_tile(1, bands=12)), "12 bands, expected 64x64 and 13"),
        (lambda: tiff(dn_tile(1).astype(np.float32) / 1e4), "are not integers"),
    ],
)
def test_bad_tile_is_named(tmp_path, data, says):
    unpack(tmp_path, tiffs(1) | {"River/River_1.tif": data()})
    tiles = opened(tmp_path)
    with pytest.raises(TileError, match=says) as error:
        tiles.read(tiles.ids.index("River_1"))
    assert "River_1.tif" in str(error.value)
    assert "\n" not in str(error.value)
    clusters = tiles.clusters()
    assert clusters is not None
    assert len(clusters) == 10
    assert tiles.read(0).shape == (64, 64, 3)


def _named(path, names):
    with rasterio.open(path, "r+") as file:
        file.descriptions = names


def test_named_bands_in_another_order_are_honoured(tmp_path):
    path = tmp_path / "River" / "River_1.tif"
    unpack(tmp_path, {"River/River_1.tif": tiff(dn_tile(1), descriptions=True)})
    stored = np.moveaxis(dn_tile(1), 0, -1)
    first = ("B04", "B03", "B02", "B01", *BANDS[4:])
    for names in (first, tuple(name.replace("B0", "B") for name in first)):
        _named(path, names)
        assert np.array_equal(opened(tmp_path).read(0), render(stored[..., :3], "eurosat-jpeg"))
    _named(path, (*BANDS[:8], "B8A", *BANDS[8:12]))  # B8A where GeoTIFFs made elsewhere have it
    tile = opened(tmp_path).paired(Pairing(("B8A", "B12"), native=True)).read(0)
    assert np.array_equal(tile, stored[..., [8, 12]])
    _named(path, tuple(f"b{k}" for k in range(1, 14)))  # they only count
    assert np.array_equal(opened(tmp_path).read(0), render(stored[..., [3, 2, 1]], "eurosat-jpeg"))


def test_names_that_contradict_are_refused(tmp_path):
    unpack(tmp_path, {"River/River_1.tif": tiff(dn_tile(1))})
    _named(tmp_path / "River" / "River_1.tif", ("B04", *("x" for _ in range(12))))
    with pytest.raises(TileError, match="expected B01, B02"):
        opened(tmp_path).read(0)


def test_scale_mask_and_values_that_cannot_be(tmp_path):
    dn = dn_tile(1)
    unpack(tmp_path, {"River/River_1.tif": tiff(dn), "River/River_2.tif": tiff(dn), "River/River_3.tif": tiff(dn)})
    stored = np.moveaxis(dn, 0, -1)
    with rasterio.open(tmp_path / "River" / "River_1.tif", "r+") as file:
        file.update_tags(QUANTIFICATION_VALUE="5000", BOA_ADD_OFFSET="-500")
    with rasterio.open(tmp_path / "River" / "River_2.tif", "r+") as file:
        file.nodata = float(dn[3, 0, 0])
    with rasterio.open(tmp_path / "River" / "River_3.tif", "r+") as file:
        file.write(np.full_like(dn, 64_600))
    tiles = opened(tmp_path).paired(Pairing(("B04",), native=True))
    want = np.clip(2 * stored[..., 3].astype(int) - 1000, 0, None)
    assert np.array_equal(tiles.read(0)[..., 0], want)
    assert tiles.read(1)[0, 0, 0] == 0
    with pytest.raises(TileError, match=r"River_3.*100\.0 % of the values lie above 32,767 DN"):
        tiles.read(2)


def test_facts_are_torchgeos():
    known = {"eurosat": "EuroSAT", "eurosat-spatial": "EuroSATSpatial", "eurosat-100": "EuroSAT100"}
    assert multispectral.PUBLISHED.keys() == known.keys()
    for name, here in multispectral.PUBLISHED.items():
        theirs = getattr(torchgeo.datasets, known[name])
        assert (here.archive, multispectral.FOLDER) == (theirs.filename, theirs.base_dir)
        of_08 = hasattr(theirs, "md5")  # later versions of TorchGeo know a sha256 instead
        assert not of_08 or here.md5 == theirs.md5
        assert f"{splits.REPO}/resolve/{splits.REVISION}/" in theirs.url
        assert tuple(theirs.all_band_names) == BANDS
        for part, n in dataset_info(name).splits.items():
            if part != "all":
                own = splits.LISTS[f"{here.lists}-{part}"]
                assert (own.file, own.n) == (theirs.split_filenames[part], n)
                assert not of_08 or own.md5 == theirs.split_md5s[part]


def test_opening_imports_no_torchgeo(tmp_path):
    unpack(tmp_path, tiffs(1))
    code = (
        "import sys; from senbench.datasets.open import open_dataset;"
        "tiles = open_dataset('eurosat', split='all', data_dir=sys.argv[1]); print(tiles.read(0).shape);"
        "print([m for m in ('torchgeo', 'torch', 'pandas') if m in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout
    assert told.splitlines() == ["(64, 64, 3)", "[]"]


def test_clusters_are_blocks_of_one_projection(tmp_path):
    def at(east, epsg=32633):
        return tiff(dn_tile(1), east=east, epsg=epsg)

    unpack(
        tmp_path,
        {
            "River/River_1.tif": at(500_000),
            "River/River_2.tif": at(500_640),
            "River/River_3.tif": at(510_000),
            "River/River_4.tif": at(500_000, 32634),
            "River/River_5.tif": at(500_000, None),
        },
    )
    tiles = opened(tmp_path)
    one, two, far, zone, nowhere = tiles.clusters() or []
    assert one == two == "EPSG:32633/100_1039"
    assert len({one, far, zone, nowhere}) == 4
    assert nowhere == "unlocated/River_5"
    assert tiles.take([4, 0]).clusters() == [nowhere, one]


def test_no_positions_and_no_warnings(tmp_path, recwarn):
    unpack(tmp_path, tiffs(1, epsg=None))
    recwarn.clear()
    tiles = opened(tmp_path)
    assert not tiles.reader.located
    tiles.read(0)
    assert not [w for w in recwarn if "Georeferenced" in w.category.__name__]


def test_split_file_and_unknown_split(tmp_path):
    unpack(tmp_path / "d", tiffs(2))
    (tmp_path / "mine.txt").write_text("River_2.jpg\nForest_1.tif\n")
    tiles = opened(tmp_path / "d", str(tmp_path / "mine.txt"))
    assert (tiles.ids, tiles.n_expected, tiles.split) == (("Forest_1", "River_2"), 2, "file:mine.txt")
    with pytest.raises(UsageError, match="Did you mean 'test'"):
        opened(tmp_path / "d", "tets")


def test_missing_data_names_file_place_and_command(tmp_path, isolated_home, no_sockets):
    with pytest.raises(UnavailableError) as error:
        opened(tmp_path)
    text = str(error.value)
    assert "EuroSATallBands.zip (2.07 GB)" in text and str(tmp_path) in text
    assert "senbench datasets fetch eurosat" in text and "\n" not in text
    for name in ("eurosat", "eurosat-spatial", "eurosat-100", "eurosat-rgb"):
        with pytest.raises(UnavailableError, match=f"senbench datasets fetch {name}`"):
            open_dataset(name, split=None, data_dir=None, offline=True)


def test_truncated_archive(tmp_path):
    path = packed(tmp_path / "EuroSATallBands.zip", tiffs(1), BASE + "/")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UnavailableError, match="no complete zip"):
        opened(tmp_path)
    packed(path, {"readme.txt": b"x"}, "")
    with pytest.raises(UnavailableError, match="no <Class>/"):
        opened(tmp_path)


def test_the_whole_data_set_is_not_eurosat_100(tmp_path):
    """Both unpack to the same path; 100 expected and 110 found is another dataset."""
    unpack(tmp_path, tiffs(11))
    with pytest.raises(UnavailableError, match="holds 110 tiles, split all has 100"):
        opened(tmp_path, "all", "eurosat-100")


@pytest.fixture
def hosted(hub, tmp_path, lists, monkeypatch):
    """EuroSAT100 in its real layout on a hub, as TorchGeo knows it."""
    zipped = packed(tmp_path / "made.zip", tiffs(4), BASE + "/", zipfile.ZIP_DEFLATED).read_bytes()
    known = multispectral.PUBLISHED["eurosat-100"]._replace(md5=hashlib.md5(zipped).hexdigest())
    monkeypatch.setitem(multispectral.PUBLISHED, "eurosat-100", known)
    for part, text in lists.items():
        hub.add("torchgeo/eurosat", f"eurosat-100-{part}.txt", text, revision=REVISION, repo_type="dataset")
    return hub.add("torchgeo/eurosat", "EuroSAT100.zip", zipped, revision=REVISION, repo_type="dataset")


def test_first_use_with_nothing_prepared(hub, hosted, isolated_home, capsys):
    tiles = open_dataset("eurosat-100", split=None, data_dir=None)
    assert (len(tiles), tiles.n_expected, tiles.split) == (20, 20, "test")
    assert tiles.read(0).shape == (64, 64, 3)
    err = capsys.readouterr().err
    assert "EuroSAT100.zip" in err and "torchgeo/eurosat" in err
    hub.requests.clear()
    assert open_dataset("eurosat-100", split=None, data_dir=None).index_hash() == tiles.index_hash()
    assert open_dataset("eurosat-100", split="test", data_dir=None, offline=True).ids == tiles.ids
    assert hub.requests == []
    with pytest.raises(UnavailableError, match=r"eurosat-100-val\.txt"):
        open_dataset("eurosat-100", split="val", data_dir=None, offline=True)


def test_fetching_ahead(hosted, isolated_home, no_sockets_later):
    assert prepare_dataset("eurosat-100") == isolated_home / "data" / "eurosat-100"
    no_sockets_later()
    for part in ("train", "val", "test", "all"):
        assert len(open_dataset("eurosat-100", split=part, data_dir=None, offline=True))


@pytest.fixture
def no_sockets_later(monkeypatch):
    import socket

    def refuse(*args):
        raise AssertionError("a socket was opened")

    return lambda: monkeypatch.setattr(socket.socket, "connect", refuse)


def test_a_corrupted_archive_is_never_opened(hosted, isolated_home):
    hosted.corrupt = True
    with pytest.raises(UnavailableError, match="damaged file was deleted"):
        open_dataset("eurosat-100", split=None, data_dir=None)
    assert not list(isolated_home.rglob("*.zip"))
    hosted.corrupt = False
    assert len(open_dataset("eurosat-100", split=None, data_dir=None)) == 20


def test_demo_is_generated_once_and_whole(isolated_home, monkeypatch):
    from senbench.datasets.synthetic import scenes

    calls = []

    def write(folder, per_class, seed, split):
        assert split == (0, 0)  # every scene belongs to the test split
        calls.append((per_class, seed))
        unpack(folder / BASE, tiffs(2))
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(scenes, "write_eurosat", write, raising=False)
    monkeypatch.setattr(multispectral, "DEMO_PER_CLASS", 2)
    with pytest.raises(KeyboardInterrupt):
        open_dataset("demo", split=None, data_dir=None, offline=True)
    assert list((isolated_home / "data").iterdir()) == []  # half-made scenes are never left
    tiles = open_dataset("demo", split=None, data_dir=None, offline=True)
    open_dataset("demo", split="test", data_dir=None, offline=True)
    assert len(calls) == 2
    assert len(tiles) == 20
    assert tiles.info.synthetic
    assert "synthetic" in tiles.info.title
    with pytest.raises(UsageError, match="does not apply"):
        open_dataset("demo", split=None, data_dir="x", offline=True)


@pytest.mark.shared
def test_real_tiles(shared, tmp_path):
    files = {f"AnnualCrop/{p.name}": p.read_bytes() for p in (shared / "eurosat-ms").iterdir()}
    tiles = opened(unpack(tmp_path, files))
    assert tiles.ids == ("AnnualCrop_1", "AnnualCrop_2", "AnnualCrop_3")
    clusters = tiles.clusters()
    assert clusters is not None
    assert clusters[0].startswith("EPSG:32635/")
    jpegs = open_dataset("eurosat-rgb", split="all", data_dir=str(shared / "eurosat"), offline=True)
    for i, tile in enumerate(tiles.ids):
        difference = tiles.read(i).astype(int) - jpegs.read(jpegs.ids.index(tile))
        assert np.abs(difference).mean() < 1.5


@pytest.mark.shared
def test_real_digital_numbers_by_band_name(shared, tmp_path):
    """What reaches a model under a name is what the GeoTIFF holds at the place of that band (B8A is its last)."""
    import rasterio

    path = shared / "eurosat-ms" / "AnnualCrop_1.tif"
    place = {
        name: i
        for i, name in enumerate(
            ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A"], 1
        )
    }
    tiles = opened(unpack(tmp_path, {"AnnualCrop/AnnualCrop_1.tif": path.read_bytes()}))
    got = tiles.paired(Pairing(TEN, native=True)).read(0)
    with rasterio.open(path) as file:
        for k, name in enumerate(TEN):
            assert np.array_equal(got[..., k], file.read(place[name]))
        # B8A and B08 overlap in the spectrum, B09 (water vapour) and B10 (cirrus) do not: the file itself tells
        near = np.corrcoef(file.read(place["B8A"]).ravel(), got[..., TEN.index("B08")].ravel())[0, 1]
        assert near > 0.95
        assert np.corrcoef(file.read(place["B10"]).ravel(), got[..., TEN.index("B08")].ravel())[0, 1] < near - 0.2


@pytest.mark.parametrize("how", ["folder", "stored", "deflated"])
def test_clusters_of_an_archive_ask_rasterio_once_a_projection(tmp_path, monkeypatch, how):
    files = {**tiffs(3), "River/River_9.tif": tiff(dn_tile(7), epsg=32634)}
    if how == "folder":
        for name, data in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(data)
    else:
        packed(tmp_path / "EuroSATallBands.zip", files, "x/", {"stored": 0, "deflated": 8}[how])
    tiles = open_dataset("eurosat", split="all", data_dir=str(tmp_path), offline=True)
    asked = []
    opened = MemoryFile.open
    monkeypatch.setattr(MemoryFile, "open", lambda self, **options: asked.append(1) or opened(self, **options))
    clusters = tiles.clusters()
    assert len(asked) == 1  # the first tiles were looked at when they were opened
    monkeypatch.setattr("senbench.datasets.readers.geotiff.centre", lambda _head: None)
    assert tiles.clusters() == clusters
    assert len(asked) == 32
    assert len(set(clusters)) > len(EUROSAT)


@pytest.mark.parametrize("zipped", [False, True])
def test_what_lies_beside_a_tile_belongs_to_it(tmp_path, zipped):
    """A mask is no data, and names of bands are honoured, as if they were in the file."""
    there = np.ones((64, 64), bool)
    there[:16] = False
    named = ("B04", "B03", "B02", "B01", *BANDS[4:])
    files = tiffs(1)
    beside = {
        "River/River_1.tif.msk": mask(there),
        "Forest/Forest_1.tif.aux.xml": metadata(*(f"<Description>{name}</Description>" for name in named)),
    }

    def tiles(members, name):
        root = tmp_path / name
        if not zipped:
            return opened(layout(root, members))
        root.mkdir()
        packed(root / "EuroSATallBands.zip", members, f"{BASE}/")
        return opened(root)

    plain, found = tiles(files, "plain"), tiles(files | beside, "beside")
    river, forest, lake = (plain.ids.index(f"{key}_1") for key in ("River", "Forest", "SeaLake"))
    before = plain.reader.bands(river, BANDS)
    assert np.array_equal(found.reader.bands(river, BANDS), np.where(there[..., None], before, 0))
    assert np.array_equal(found.reader.bands(forest, named), plain.reader.bands(forest, BANDS))
    assert [found.key(i) == plain.key(i) for i in (river, forest, lake)] == [False, False, True]
    assert found.reader.stamp([river], ()) != plain.reader.stamp([river], ())
    assert "left_out" not in found.facts_of_source["pixels"]


def test_tiles_kept_under_other_rules_are_not_used_again(tmp_path):
    """Version 1 took bands by place where their names had no zero."""
    tiles = opened(unpack(tmp_path / "EuroSAT_MS", tiffs(1)).parent)
    key = tiles.key(0)
    assert key.endswith(b" rules 2") and tiles.reader.source.key(tiles.reader.names[0]) != key


def test_big_endian_files(tmp_path):
    dn = dn_tile(5)
    with MemoryFile() as memory:
        shape = {"count": 13, "height": 64, "width": 64, "dtype": "uint16"}
        with memory.open(driver="GTiff", endianness="BIG", **shape) as file:
            file.write(dn)
        data = memory.read()
    assert data[:2] == b"MM"
    tiles = opened(unpack(tmp_path, {"EuroSAT_MS/River/River_1.tif": data}))
    assert np.array_equal(tiles.reader.bands(0, BANDS), dn.transpose(1, 2, 0))


def test_files_that_are_not_read_are_counted(tmp_path):
    files = tiffs(1) | {"River/River_2.npy": b"x", "River/River_3.tif.part": b"x", "River/notes.txt": b"x"}
    tiles = opened(unpack(tmp_path / "EuroSAT_MS", files).parent)
    assert {one["reason"]: one["names"] for one in tiles.facts_of_source["pixels"]["left_out"]} == {
        "suffix .npy": ["River/River_2.npy"],
        "suffix .part": ["River/River_3.tif.part"],
    }


def test_bands_that_the_user_names(tmp_path):
    """`bands.txt` among the class folders says what the files do not."""
    folder = unpack(tmp_path / "EuroSAT_MS", tiffs(1))
    plain = opened(tmp_path)
    order = ("B04", "B03", "B02", "B01", *BANDS[4:])
    (folder / "bands.txt").write_text(" ".join(order), encoding="utf-16")
    named = opened(tmp_path)
    assert np.array_equal(named.reader.bands(0, order), plain.reader.bands(0, BANDS))
    assert named.key(0) != plain.key(0)
    assert named.facts_of_source["pixels"]["decisions"]["bands"] == f"{', '.join(order)}: bands.txt"
    for text, says in (("B04 B03 B02", "name each of B01"), ("B04 B99", "names 'B99'"), (" ".join(BANDS * 2), "once")):
        (folder / "bands.txt").write_text(text)
        with pytest.raises(UsageError, match=says):
            opened(tmp_path)


VALUES = dn_tile(5).astype(int) + 1


@pytest.mark.parametrize(
    ("values", "how", "right"),
    [
        (VALUES // 10, {"tags": {"QUANTIFICATION_VALUE": "1000"}}, VALUES // 10 * 10),
        (VALUES + 1000, {"tags": {"BOA_ADD_OFFSET": "-1000"}}, VALUES),
        (VALUES + 1000, {"tags": {"s2:processing_baseline": "05.11"}}, VALUES),
        (VALUES / 10_000, {"dtype": "float32", "tags": {"QUANTIFICATION_VALUE": "1"}}, VALUES),
        (VALUES - 500, {"dtype": "int16"}, np.maximum(VALUES - 500, 0)),
        (np.where(VALUES % 5, VALUES, 9000), {"nodata": 9000}, np.where(VALUES % 5, VALUES, 0)),
        (VALUES[::-1], {"names": BANDS[::-1]}, VALUES),
        (VALUES[::-1], {"names": [name.replace("B0", "b") for name in BANDS[::-1]]}, VALUES),
        (VALUES // 10, {"tags": {"scale_factor": "0.001"}}, VALUES // 10 * 10),
    ],
)
def test_scale_offset_sign_no_data_and_names_of_tiles(tmp_path, values, how, right):
    how = dict(how)
    tags, names, kind = how.pop("tags", {}), how.pop("names", None), how.pop("dtype", "uint16")
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", count=13, height=64, width=64, dtype=kind, **how) as file:
            file.write(values.astype(kind))
            file.update_tags(**tags)
            if names:
                file.descriptions = names
        data = memory.read()
    tiles = opened(unpack(tmp_path, {"EuroSAT_MS/River/River_1.tif": data}))
    assert np.array_equal(tiles.reader.bands(0, BANDS).transpose(2, 0, 1), right)


@pytest.mark.parametrize(
    ("values", "kind", "says"),
    [
        (VALUES - 500, "uint16", "lie above 32,767 DN"),
        (VALUES / 10_000, "float32", "has values that are not integers and does not state their scale"),
        (VALUES % 256, "uint8", "values are uint8, expected uint16 DN"),
        (np.concatenate([VALUES, VALUES[:1]]), "uint16", "14 bands, expected 64x64 and 13"),
    ],
)
def test_tiles_that_cannot_be_right(tmp_path, values, kind, says):
    data = tiff(values.astype(kind))
    tiles = opened(unpack(tmp_path, {"EuroSAT_MS/River/River_1.tif": data}))
    with pytest.raises(TileError, match=says) as error:
        tiles.reader.bands(0, BANDS)
    assert "\n" not in str(error.value)
