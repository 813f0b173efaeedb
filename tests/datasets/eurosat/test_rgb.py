from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import eurosat_files
import numpy as np
import pytest
from eurosat_files import jpeg, jpegs, packed, unpack
from PIL import Image

from senbench.datasets.catalog import EUROSAT
from senbench.datasets.eurosat import rgb as eurosat_rgb
from senbench.datasets.eurosat import splits
from senbench.datasets.open import open_dataset
from senbench.datasets.tiles import TileError
from senbench.errors import UnavailableError, UsageError

pytest_plugins = ["hub_server"]


def opened(data_dir, split=None, **kw):
    return open_dataset("eurosat-rgb", split=split, data_dir=str(data_dir), offline=True, **kw)


def failure(kind, data_dir, split=None, **kw) -> str:
    with pytest.raises(kind) as error:
        opened(data_dir, split, **kw)
    text = str(error.value)
    assert "\n" not in text
    return text


LAYOUTS = ["2750", "EuroSAT_RGB", "eurosat/2750", "."]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_folders(tmp_path, layout):
    files = jpegs(2)
    unpack(tmp_path / layout, files)
    tiles = opened(tmp_path)
    assert tiles.ids == tuple(name.split("/")[1].removesuffix(".jpg") for name in files)
    assert tiles.labels.tolist() == np.repeat(np.arange(10), 2).tolist()
    assert (len(tiles), tiles.n_expected, tiles.split) == (20, 27000, "all")
    assert (tiles.radiometry, tiles.band_order, tiles.reader.located) == ("native-jpeg", "rgb", False)
    assert str(tmp_path) not in tiles.source or layout == "."


@pytest.mark.parametrize("prefix", ["2750/", "EuroSAT_RGB/", "", "./2750/"])
@pytest.mark.parametrize("direct", [True, False])
def test_zip_in_place(tmp_path, prefix, direct):
    path = packed(tmp_path / "EuroSAT.zip", jpegs(2), prefix)
    before = sorted(p.name for p in tmp_path.iterdir())
    tiles = opened(path if direct else tmp_path)
    assert len(tiles) == 20
    assert tiles.source == "EuroSAT.zip"
    reference = np.asarray(Image.open(io.BytesIO(jpegs(2)["River/River_2.jpg"])))
    assert np.array_equal(tiles.read(tiles.ids.index("River_2")), reference)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_zip_and_folder_agree_and_threads_do_not_mix_tiles(tmp_path):
    files = jpegs(3)
    a = opened(packed(tmp_path / "EuroSAT.zip", files, method=zipfile.ZIP_DEFLATED))
    b = opened(unpack(tmp_path / "2750", files))
    assert a.ids == b.ids
    assert a.index_hash() == b.index_hash()
    order = list(range(len(a))) * 10
    with ThreadPoolExecutor(8) as pool:
        for i, tile in zip(order, pool.map(a.read, order), strict=True):
            assert np.array_equal(tile, b.read(i))
    tile = a.read(0)
    assert tile.shape == (64, 64, 3)
    assert tile.dtype == np.uint8
    assert tile.flags.writeable


def test_order_is_natural(tmp_path):
    names = [1, 2, 9, 10, 11, 100]
    unpack(tmp_path / "2750", {f"River/River_{n}.jpg": jpeg(n) for n in reversed(names)})
    assert opened(tmp_path).ids == tuple(f"River_{n}" for n in names)


def test_a_missing_class_does_not_shift_labels(tmp_path):
    unpack(tmp_path / "2750", jpegs(1, ("River", "Forest")))
    tiles = opened(tmp_path)
    assert [EUROSAT[k] for k in tiles.labels] == ["Forest", "River"]


def test_junk_is_ignored(tmp_path):
    junk = {"__MACOSX/2750/River/._River_1.jpg": b"x", "2750/.DS_Store": b"x", "2750/River/.DS_Store": b"x"}
    path = packed(tmp_path / "EuroSAT.zip", {f"2750/{k}": v for k, v in jpegs(1).items()} | junk, "")
    assert len(opened(path)) == 10
    unpack(tmp_path / "f/2750", jpegs(1) | {"River/._River_1.jpg": b"x", ".DS_Store": b"x", "River/notes.txt": b"x"})
    assert len(opened(tmp_path / "f")) == 10


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda d: d[:-1], "cannot be decoded"),
        (lambda d: d[: len(d) // 2], "cannot be decoded"),
        (lambda d: b"", "not an image"),
        (lambda d: b"<html>", "not an image"),
        (lambda d: jpeg(1, (63, 64)), "63x64 pixels, expected 64x64"),
    ],
)
def test_bad_tile_is_named_and_others_still_read(tmp_path, damage, says):
    files = jpegs(1)
    files["River/River_1.jpg"] = damage(files["River/River_1.jpg"])
    for source in (unpack(tmp_path / "2750", files), packed(tmp_path / "EuroSAT.zip", files)):
        tiles = opened(source)
        with pytest.raises(TileError, match=says) as error:
            tiles.read(tiles.ids.index("River_1"))
        text = str(error.value)
        assert "River_1" in text and "--on-error skip" in text and "\n" not in text and " at 0x" not in text
        assert tiles.read(0).shape == (64, 64, 3)


def test_every_truncation_is_refused(tmp_path):
    """No cut may pass as a tile with a grey rest."""
    whole = jpeg(1)
    for cut in range(0, len(whole), 7):
        unpack(tmp_path / "2750", {"River/River_1.jpg": whole[:cut]})
        with pytest.raises(TileError):
            opened(tmp_path).read(0)


def test_file_that_vanishes_is_a_tile_error(tmp_path):
    unpack(tmp_path / "2750", jpegs(1))
    tiles = opened(tmp_path)
    shutil.rmtree(tmp_path / "2750" / "River")
    for access in (tiles.read, tiles.key):
        with pytest.raises(TileError, match="River_1"):
            access(tiles.ids.index("River_1"))


def test_missing_and_foreign_data(tmp_path):
    for place in (tmp_path / "nowhere", tmp_path):
        text = failure(UnavailableError, place)
        assert str(place) in text and "EuroSAT.zip" in text and "senbench datasets fetch eurosat-rgb" in text
    (tmp_path / "2750" / "River").mkdir(parents=True)
    assert "no EuroSAT tiles" in failure(UnavailableError, tmp_path)
    foreign = packed(tmp_path / "x.zip", {"photos/a.jpg": b"x"}, "")
    assert "no EuroSAT tiles" in failure(UnavailableError, foreign)
    text = tmp_path / "y.zip"
    text.write_text("<html>not found</html>")
    assert "no complete zip" in failure(UnavailableError, text)
    unpack(tmp_path / "z/2750", jpegs(1) | {"River/holiday.jpg": jpeg(1)})
    assert "folder:PATH" in failure(UsageError, tmp_path / "z")
    twice = packed(tmp_path / "t.zip", {"2750/River/River_1.jpg": b"a", "EuroSAT_RGB/River/River_1.jpg": b"b"}, "")
    assert "River_1 occurs twice" in failure(UnavailableError, twice)


def test_nothing_here_and_offline(isolated_home):
    with pytest.raises(UnavailableError, match="senbench datasets fetch eurosat-rgb") as error:
        open_dataset("eurosat-rgb", split=None, data_dir=None, offline=True)
    assert str(isolated_home) in str(error.value)


def test_split_file(tmp_path):
    unpack(tmp_path / "2750", jpegs(3))
    mine = tmp_path / "mine.txt"
    mine.write_text("River/River_3.jpg\nForest_1.tif\nRiver_1\n")
    tiles = opened(tmp_path, str(mine))
    assert tiles.ids == ("Forest_1", "River_1", "River_3")
    assert (tiles.n_expected, tiles.split) == (3, "file:mine.txt")
    mine.write_text("River_3.jpg\nRiver_77.jpg\nLake_1.jpg\n")
    text = failure(UsageError, tmp_path, str(mine))
    assert "2 of 3" in text and "'River_77'" in text
    text = failure(UsageError, tmp_path, "spatial-tset")
    assert "Did you mean 'spatial-test'" in text and "random-val" in text


def test_radiometry_does_not_apply(tmp_path):
    unpack(tmp_path / "2750", jpegs(1))
    assert opened(tmp_path, radiometry="native-jpeg").radiometry == "native-jpeg"
    assert "--dataset eurosat" in failure(UsageError, tmp_path, radiometry="dn3000")


def test_first_use_fetches_archive_and_list(hub, isolated_home, tmp_path, monkeypatch, capsys):
    archive = packed(tmp_path / "made.zip", jpegs(2)).read_bytes()
    names = b"River_2.jpg\nForest_1.jpg\n"
    rgb = {"repo_type": "dataset"}
    hub.add(splits.REPO, "EuroSAT.zip", archive, revision=eurosat_rgb.REVISION, **rgb)
    hub.add(splits.REPO, "eurosat-spatial-test.txt", names, revision=splits.REVISION, **rgb)
    monkeypatch.setattr(eurosat_rgb, "MD5", hashlib.md5(archive).hexdigest())
    spec = splits.SplitList("eurosat-spatial-test.txt", hashlib.md5(names).hexdigest(), 2)
    monkeypatch.setitem(splits.LISTS, "spatial-test", spec)

    tiles = open_dataset("eurosat-rgb", split="spatial-test", data_dir=None)
    assert tiles.ids == ("Forest_1", "River_2")
    assert tiles.n_expected == 2
    assert tiles.read(0).shape == (64, 64, 3)
    assert (isolated_home / "data/eurosat-rgb/EuroSAT.zip").is_file()
    assert "fetching EuroSAT RGB" in capsys.readouterr().err
    hub.files.clear()
    again = open_dataset("eurosat-rgb", split="spatial-test", data_dir=None, offline=True)
    assert again.index_hash() == tiles.index_hash()


def test_real_tiles_are_what_torchvision_reads():
    from torchvision.datasets import EuroSAT

    reference = EuroSAT(str(eurosat_files.REAL.parent))
    assert tuple(reference.classes) == EUROSAT
    theirs = {Path(path).stem: i for i, (path, _) in enumerate(reference.samples)}
    tiles = opened(eurosat_files.REAL)
    assert (len(tiles), tiles.n_expected) == (60, 27000)
    assert set(tiles.ids) == set(theirs)
    assert np.bincount(tiles.labels).tolist() == [6] * 10
    assert len({tiles.key(i) for i in range(60)}) == 60
    for i, name in enumerate(tiles.ids):
        image, label = reference[theirs[name]]
        assert label == tiles.labels[i]
        np.testing.assert_array_equal(tiles.read(i), np.asarray(image))


def test_real_tiles_are_the_same_from_a_folder_and_an_archive(tmp_path):
    tiles = opened(eurosat_files.REAL)
    zipped = opened(packed(tmp_path / "EuroSAT.zip", eurosat_files.real()))
    assert (zipped.ids, zipped.index_hash()) == (tiles.ids, tiles.index_hash())
    assert all(np.array_equal(zipped.read(i), tiles.read(i)) for i in range(60))


@pytest.mark.shared
def test_real_archive(shared):
    tiles = opened(shared / "eurosat")
    assert len(tiles) == tiles.n_expected == 27000
    counts = dict(zip(EUROSAT, np.bincount(tiles.labels).tolist(), strict=True))
    assert counts["Pasture"] == 2000
    assert counts["Highway"] == 2500
    assert counts["Forest"] == 3000
    assert len({tiles.key(i) for i in range(27000)}) == 27000
    assert tiles.read(26999).shape == (64, 64, 3)
    test = opened(shared / "eurosat", "spatial-test")
    assert len(test) == test.n_expected == 5400
    counts = np.bincount(test.labels, minlength=10).tolist()
    assert (counts[5], counts[6], counts[1]) == (115, 307, 1077)
    with zipfile.ZipFile(shared / "eurosat" / "EuroSAT.zip") as archive:
        assert all(archive.read(f"2750/{name}") == data for name, data in eurosat_files.real().items())
    here = set(opened(eurosat_files.REAL).ids)
    for part in ("train", "val", "test"):  # two of each class and part, those with the lowest numbers
        every = opened(shared / "eurosat", f"spatial-{part}")
        lowest = [np.flatnonzero(every.labels == k)[:2] for k in range(10)]  # tiles are in the order of their numbers
        assert {every.ids[i] for i in np.concatenate(lowest)} <= here


def test_colours_are_read_as_from_a_folder_and_told(tmp_path):
    """Grey and inks become red, green and blue as in `folder:`, where they were refused."""
    files = jpegs(1) | {"River/River_2.jpg": jpeg(5, mode="L"), "River/River_3.jpg": jpeg(6, mode="CMYK")}
    tiles = opened(unpack(tmp_path / "2750", files).parent)
    own = open_dataset(f"folder:{tmp_path / '2750'}", split=None, data_dir=None)
    for i, tile in enumerate(tiles.ids):
        j = own.ids.index(f"{tile.split('_')[0]}/{tile}.jpg")
        assert np.array_equal(tiles.read(i), own.read(j))
    assert tiles.facts_of_source["pixels"]["decisions"] == own.facts_of_source["pixels"]["decisions"]
    assert tiles.facts_of_source["pixels"]["decisions"]["bands"] == (
        "red, green, blue: order of 8-bit images; four inks (CMYK) (1 of 12 tiles looked at); "
        "grey, shown in all three (1 of 12 tiles looked at)"
    )


@pytest.mark.parametrize("zipped", [False, True])
def test_files_that_are_not_read_are_counted(tmp_path, zipped):
    more = {
        "River/River_2.png": b"x",
        "River/River_3.jpg.part": b"x",
        "Forest/Forest_2.webp": b"x",
        "River/x.txt": b"x",
    }
    files = jpegs(1) | more
    tiles = opened(packed(tmp_path / "x.zip", files) if zipped else unpack(tmp_path / "2750", files).parent)
    assert {one["reason"]: (one["n"], [name.split("/")[-1] for name in one["names"]]) for one in left_out(tiles)} == {
        "suffix .part": (1, ["River_3.jpg.part"]),
        "suffix .png": (1, ["River_2.png"]),
        "suffix .webp": (1, ["Forest_2.webp"]),
    }
    listed = tmp_path / "mine.txt"
    listed.write_text("River_1\nRiver_2\n")
    with pytest.raises(UsageError, match="1 of 2 names are not in the data, the first is 'River_2'"):
        opened(tmp_path / ("x.zip" if zipped else ""), str(listed))


def left_out(tiles):
    return tiles.facts_of_source["pixels"]["left_out"]
