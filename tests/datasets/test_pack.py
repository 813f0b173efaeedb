"""The packed store: what goes in comes out, a run cannot tell the difference, and what is damaged is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import bigearthnet_files
import numpy as np
import pytest
from eurosat_files import dn_tile, jpeg, jpegs, packed, tiff, tiffs, unpack
from pyarrow import parquet
from stubs import StubEncoder

from senbench.datasets import eurosat, stores
from senbench.datasets import pack as packing
from senbench.datasets import packed as packed_
from senbench.datasets.bands import Pairing
from senbench.datasets.base import TileError
from senbench.datasets.packed import HEADER, STAMPS, TABLE, Store
from senbench.datasets.radiometry import POLICIES
from senbench.datasets.registry import open_dataset, open_source
from senbench.embedding.engine import embed_images
from senbench.errors import ContractError, UnavailableError, UsageError

RGB_SPLIT = {"split": "all", "offline": True}
BANDS = ("B02", "B8A", "B04", "B03")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(packed_, "ROWS", 7)
    monkeypatch.setattr(eurosat, "DEMO_PER_CLASS", 2)


class Lines:
    """Progress that remembers what was said."""

    def __init__(self):
        self.lines = []

    def __call__(self, line):
        self.lines.append(line)

    @property
    def text(self):
        return "\n".join(self.lines)


def rgb_zip(root):
    return "eurosat-rgb", {"data_dir": str(packed(root / "EuroSAT.zip", jpegs(3))), "split": "all"}


def rgb_folder(root):
    unpack(root / "2750", jpegs(3))
    return "eurosat-rgb", {"data_dir": str(root), "split": "all"}


def multispectral(root):
    return "eurosat", {"data_dir": str(unpack(root / "EuroSAT_MS", tiffs(2))), "split": "all"}


def own(root):
    files = {
        f"{key}/{n}.jpg": jpeg(9 * k + n, (30 + n, 50 - 2 * n))
        for k, key in enumerate(("lake", "town"))
        for n in range(9)
    }
    return f"folder:{unpack(root / 'mine', files)}", {"data_dir": None, "split": None}


def bigearthnet_v1(root):
    bigearthnet_files.v1(root / "v1", 9)
    return "bigearthnet-v1", {"data_dir": str(root / "v1"), "split": "test"}


def bigearthnet_v2(root):
    bigearthnet_files.v2(root / "v2", 9)
    return "bigearthnet-v2", {"data_dir": str(root / "v2"), "split": "test"}


def demo(root):
    return "demo", {"data_dir": None, "split": None}


def source(name, how, **more):
    return open_source(name, offline=True, **how, **more)


def opened(name, how, say=lambda line: None, **more):
    return open_dataset(name, offline=True, say=say, **how, **more)


def write(name, how, bands=None, folder=None, processes=2, on_error="stop", **more):
    task = packing.job(source(name, how, **more), bands, on_error)
    return packing.pack(task, folder, processes=processes)[0]


def same(a, b):
    """Everything that a run looks at."""
    assert a.tile_ids == b.tile_ids
    assert np.array_equal(a.tile_labels, b.tile_labels)
    assert (a.split, a.n_expected, a.source, a.radiometry, a.info) == (
        b.split,
        b.n_expected,
        b.source,
        b.radiometry,
        b.info,
    )
    assert a.index_hash() == b.index_hash()
    assert a.clusters() == b.clusters()
    assert a.meta == b.meta
    assert a.facts_of_source == b.facts_of_source
    for i in range(len(a)):
        assert a.key(i) == b.key(i)
        x, y = a.read(i), b.read(i)
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        assert np.array_equal(x, y)
        assert np.array_equal(a.picture(i), b.picture(i))


@pytest.mark.parametrize("make", [rgb_zip, rgb_folder, multispectral, bigearthnet_v1, bigearthnet_v2, own, demo])
def test_tiles_come_back_as_they_were(tmp_path, make):
    name, how = make(tmp_path)
    plain = source(name, how)
    folder = write(name, how)
    assert folder.parent.name == "packed"
    tiles = opened(name, how)
    assert tiles.packed == json.loads((folder / HEADER).read_text())["content_hash"]
    assert plain.packed is None
    same(tiles, plain)
    same(tiles.take([3, 1]), plain.take([3, 1]))
    with ThreadPoolExecutor(8) as pool:
        many = list(pool.map(tiles.read, [*range(len(tiles))] * 4))
    assert all(np.array_equal(tile, plain.read(i % len(plain))) for i, tile in enumerate(many))


def test_a_tile_is_a_copy(tmp_path):
    name, how = rgb_folder(tmp_path)
    write(name, how)
    tiles = opened(name, how)
    first = tiles.read(0)
    first[:] = 0
    assert tiles.read(0).any()


@pytest.mark.parametrize("make", [multispectral, bigearthnet_v2, demo])
def test_digital_numbers_come_back_in_any_order_and_render_alike(tmp_path, make):
    name, how = make(tmp_path)
    write(name, how, BANDS)
    for wanted in (BANDS, ("B04", "B02"), ("B8A",)):
        a, b = (open_(name, how).paired(Pairing(wanted, native=True)) for open_ in (opened, source))
        assert a.packed is not None
        same(a.take(range(9)), b.take(range(9)))
    for policy in POLICIES:  # one store of digital numbers serves every rendering
        a, b = (open_(name, how, radiometry=policy) for open_ in (opened, source))
        assert a.packed is not None
        same(a.take(range(9)), b.take(range(9)))
    wanted = ("B05", "B04")  # not in the store: read from the source, and said so
    a, b = (open_(name, how).paired(Pairing(wanted, native=True)) for open_ in (opened, source))
    assert a.packed is None
    same(a.take([0]), b.take([0]))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_rendering_is_packed_as_it_is_read(tmp_path, policy):
    name, how = bigearthnet_v2(tmp_path)
    write(name, how, radiometry=policy)
    tiles = opened(name, how, radiometry=policy)
    assert tiles.packed is not None
    same(tiles, source(name, how, radiometry=policy))


@pytest.mark.parametrize("bands", [None, BANDS])
def test_a_reader_whose_rendering_is_not_that_of_its_values_is_refused(tmp_path, bands):
    name, how = bigearthnet_v2(tmp_path)
    tiles = source(name, how)
    wrong = replace(tiles, reader=lambda i: tiles.reader(i)[..., ::-1])
    with pytest.raises(ContractError, match="is not the dn2000 of its values"):
        packing.pack(packing.job(wrong, bands), processes=1)


def test_sizes_that_vary_and_stores_of_one_size_say_so(tmp_path):
    header = json.loads((write(*own(tmp_path)) / HEADER).read_text())
    assert header["shape"] is None
    header = json.loads((write(*rgb_zip(tmp_path)) / HEADER).read_text())
    assert header["shape"] == [64, 64, 3]
    assert [shard["rows"] for shard in header["shards"]] == [7, 7, 7, 7, 2]


def embedded(tiles, cache):
    encoder = StubEncoder()
    return embed_images(encoder, tiles, cache), encoder.images


@pytest.mark.parametrize("make", [rgb_zip, rgb_folder, multispectral, bigearthnet_v1, own])
def test_embeddings_are_the_same_and_so_are_their_cache_rows(tmp_path, make):
    name, how = make(tmp_path)
    without, encoded = embedded(source(name, how), tmp_path / "cache")
    assert encoded == len(without.rows)
    write(name, how)
    tiles = opened(name, how)
    assert tiles.packed is not None
    fresh, encoded = embedded(tiles, tmp_path / "other")
    assert encoded == len(fresh.rows)
    assert np.array_equal(fresh.rows, without.rows)
    assert fresh.content_hash == without.content_hash
    assert embedded(tiles, tmp_path / "cache")[1] == 0


@pytest.mark.parametrize("bands", [None, BANDS])
def test_the_store_alone_is_enough(tmp_path, bands):
    name, how = multispectral(tmp_path)
    plain = source(name, how)
    folder = write(name, how, bands)
    (tmp_path / "away").mkdir()
    hidden = shutil.move(tmp_path / "EuroSAT_MS", tmp_path / "away" / "EuroSAT_MS").parent
    said = Lines()
    same(opened(name, {**how, "data_dir": None}, said), source(name, {**how, "data_dir": str(hidden)}))
    assert f"{folder.name}, without the source" in said.text
    elsewhere = shutil.copytree(folder, tmp_path / "cluster" / "store")
    shutil.rmtree(folder)
    tiles = opened(name, {"data_dir": str(elsewhere), "split": "all"})
    assert tiles.packed is not None
    for i in range(len(plain)):
        assert np.array_equal(tiles.read(i), source(name, {**how, "data_dir": str(hidden)}).read(i))
    with pytest.raises(UsageError, match=r"holds split all, not test: pass --split"):
        opened(name, {"data_dir": str(elsewhere), "split": "test"})
    with pytest.raises(UsageError, match="is of eurosat, not of eurosat-rgb"):
        opened("eurosat-rgb", {"data_dir": str(elsewhere), "split": "all"})
    if bands is None:
        with pytest.raises(UsageError, match="holds eurosat-jpeg, not dn2000"):
            opened(name, {"data_dir": str(elsewhere), "split": "all"}, radiometry="dn2000")
    with pytest.raises(UnavailableError, match=r"packed stores hold .*, not native B01"):
        tiles.paired(Pairing(("B01",), native=True)).read(0)


def test_labels_and_facts_of_bigearthnet_lie_in_the_store(tmp_path):
    name, how = bigearthnet_v2(tmp_path)
    plain, digits = source(name, how), source(name, how).paired(Pairing(("B8A", "B02"), native=True))
    keep = [(digits.read(i), digits.key(i)) for i in range(len(plain))]
    write(name, how, BANDS)
    where = {**how, "data_dir": None}
    (tmp_path / "v2").rename(tmp_path / "away")
    tiles = opened(name, where)
    assert tiles.labels.dtype == bool
    assert "country" in tiles.meta and "s2v1_name" in tiles.meta
    same(tiles, source(name, {**how, "data_dir": str(tmp_path / "away")}))
    native = tiles.paired(Pairing(("B8A", "B02"), native=True))
    for i, (tile, key) in enumerate(keep):
        assert np.array_equal(native.read(i), tile)
        assert native.key(i) == key  # other bands than the packed ones, the key of just these


def test_own_images_are_read_from_a_store_of_them_alone(tmp_path):
    name, how = own(tmp_path)
    plain = source(name, how)
    folder = write(name, how, folder=tmp_path / "out" / "mine-packed")
    tiles = opened(f"folder:{folder}", how)
    assert tiles.packed is not None
    same(tiles, plain)


def test_own_digital_numbers_keep_what_is_known_of_them(tmp_path):
    files = {f"{key}/{n}.tif": tiff(dn_tile(9 * n), descriptions=True) for key in ("lake", "town") for n in range(4)}
    name = f"folder:{unpack(tmp_path / 'mine', files)}"
    how = {"data_dir": None, "split": None, "dn_offset": "0"}
    plain = source(name, how, radiometry="dn2000")
    assert plain.facts_of_source["dn_offset"] == 0
    folder = write(name, how, BANDS, folder=tmp_path / "out", radiometry="dn2000")
    tiles = opened(f"folder:{folder}", {"data_dir": None, "split": None}, radiometry="dn2000")
    same(tiles, plain)
    pair = Pairing(("B8A", "B02"), native=True)
    assert all(np.array_equal(tiles.paired(pair).read(i), plain.paired(pair).read(i)) for i in range(len(plain)))


def test_two_stores_without_a_source_serve_both_kinds_of_models(tmp_path):
    name, how = multispectral(tmp_path)
    a = source(name, how)
    rgb, dn = write(name, how), write(name, how, ("B8A", "B11"))
    keep = [a.read(i) for i in range(len(a))]
    pair = Pairing(("B11", "B8A"), native=True)
    digits = [a.paired(pair).read(i) for i in range(len(a))]
    (tmp_path / "EuroSAT_MS").rename(tmp_path / "away")
    tiles = opened(name, {**how, "data_dir": None})
    assert all(np.array_equal(tiles.read(i), keep[i]) for i in range(len(a)))
    assert all(np.array_equal(tiles.paired(pair).read(i), digits[i]) for i in range(len(a)))
    assert tiles.packed == Store(rgb).header.content_hash
    assert tiles.paired(pair).packed == Store(dn).header.content_hash


def test_a_store_of_all_serves_its_splits(tmp_path):
    name, how = rgb_folder(tmp_path)
    names = tmp_path / "mine.txt"
    names.write_text("River_2\nForest_1\n")
    write(name, how)
    tiles = opened(name, {**how, "split": str(names)})
    assert tiles.packed is not None
    same(tiles, source(name, {**how, "split": str(names)}))


def test_a_split_of_names_needs_no_source_either(tmp_path):
    name, how = rgb_folder(tmp_path)
    names = tmp_path / "mine.txt"
    names.write_text("River_2\nForest_1\n")
    how = {**how, "split": str(names)}
    write(name, how)
    tiles = opened(name, {**how, "data_dir": None})
    assert (tiles.packed is not None, tiles.split, len(tiles)) == (True, "file:mine.txt", 2)
    names.write_text("River_2\nForest_2\n")
    with pytest.raises(UnavailableError):
        opened(name, {**how, "data_dir": None})


def test_labels_come_from_the_source_where_it_is(tmp_path):
    name, how = own(tmp_path)
    write(name, how)
    tiles = source(name, how)
    assert stores.attach(tiles, [Store(f) for f in stores.find(tiles.info)], print).labels is tiles.labels


# what is not the same data is not used


def test_a_changed_source_is_noticed(tmp_path):
    name, how = own(tmp_path)
    write(name, how)
    path = tmp_path / "mine" / "lake" / "3.jpg"
    size = path.stat().st_size
    path.write_bytes(jpeg(77, (33, 44)))
    said = Lines()
    tiles = opened(name, how, said)
    assert tiles.packed is None
    assert "is not used: tile lake/3.jpg of mine/ has other content" in said.text
    assert np.array_equal(tiles.read(3), source(name, how).read(3))
    assert size != path.stat().st_size
    (tmp_path / "mine" / "lake" / "new.jpg").write_bytes(jpeg(5))
    said = Lines()
    assert opened(name, how, said).packed is None
    assert len({f.name for f in (write(name, how), *stores.find(tiles.info))}) == 2  # its list is another one
    assert opened(name, how, said).packed is not None


def test_a_source_that_was_copied_is_compared_once(tmp_path, monkeypatch):
    name, how = rgb_folder(tmp_path)
    folder = write(name, how)
    moved = shutil.copytree(tmp_path / "2750", tmp_path / "elsewhere" / "2750", copy_function=shutil.copyfile)
    how["data_dir"] = str(moved.parent)
    assert opened(name, how).packed is not None
    assert len((folder / STAMPS).read_text().split()) == 2
    monkeypatch.setattr(Store, "key", lambda *_: pytest.fail("compared again"))
    assert opened(name, how).packed is not None


def test_a_store_that_is_read_only_is_never_written_to(tmp_path):
    name, how = rgb_folder(tmp_path)
    folder = write(name, how)
    (folder / STAMPS).unlink()
    (folder / STAMPS).mkdir()  # cannot be written, whoever we are
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    assert opened(name, how).packed is not None
    assert write(name, how) == folder
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before


def test_another_selection_of_classes_reads_the_same_pixels(tmp_path):
    name, how = bigearthnet_v1(tmp_path)
    write(name, how)
    tiles = opened("bigearthnet-v1-43", how)
    assert tiles.packed is not None
    same(tiles, source("bigearthnet-v1-43", how))
    (tmp_path / "v1").rename(tmp_path / "away")
    with pytest.raises(UnavailableError):
        opened("bigearthnet-v1-43", {**how, "data_dir": None})


def test_another_data_set_of_the_same_names_is_not_mixed_up(tmp_path):
    write(*rgb_folder(tmp_path))
    name, how = multispectral(tmp_path)
    said = Lines()
    assert opened(name, how, said).packed is None
    assert said.lines == []


# what is damaged is refused


def alter(path, at=100):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_an_altered_byte_is_found_when_its_tile_is_read(tmp_path):
    name, how = multispectral(tmp_path)
    folder = write(name, how)
    alter(folder / "000001.tiles", 3 * 64 * 64 + 5)  # the second tile of the second shard
    tiles = opened(name, how)
    tiles.read(7)
    with pytest.raises(UnavailableError, match=rf"tile {tiles.ids[8]} in 000001.tiles was altered; delete") as error:
        tiles.read(8)
    assert not isinstance(error.value, TileError)  # --on-error skip must not carry on
    with pytest.raises(UnavailableError, match="was altered"):
        embed_images(StubEncoder(), tiles, None, on_error="skip")
    with pytest.raises(UnavailableError, match="was altered"):
        Store(folder).verify()


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda f: alter(f / TABLE), "tiles.parquet was altered"),
        (lambda f: (f / TABLE).unlink(), "tiles.parquet cannot be read"),
        (lambda f: alter(f / HEADER), "header.json (was altered|cannot be read)"),
        (lambda f: (f / HEADER).write_text((f / HEADER).read_text().replace('"all"', '"val"')), "header.json was alt"),
        (lambda f: (f / HEADER).write_bytes((f / HEADER).read_bytes()[:300]), "header.json cannot be read"),
        (lambda f: os.truncate(f / "000001.tiles", 1000), "000001.tiles has 1,000 bytes, 86,016 were packed"),
        (lambda f: (f / "000002.tiles").unlink(), "000002.tiles cannot be read"),
        (lambda f: (f / "000002.tiles").write_bytes(b""), "000002.tiles has 0 bytes"),
    ],
)
def test_a_damaged_store_is_refused_at_opening(tmp_path, harm, says):
    name, how = multispectral(tmp_path)
    folder = write(name, how)
    harm(folder)
    for call in (lambda: opened(name, how), lambda: opened(name, {**how, "data_dir": None}), lambda: write(name, how)):
        with pytest.raises(UnavailableError, match=says) as error:
            call()
        assert str(folder) in str(error.value) and "\n" not in str(error.value)


def test_the_header_of_another_data_set_is_refused(tmp_path):
    name, how = multispectral(tmp_path)
    folder = write(name, how)
    other = write(*rgb_zip(tmp_path))
    shutil.copy(other / HEADER, folder / HEADER)
    with pytest.raises(UnavailableError, match=r"tiles\.parquet was altered"):
        opened("eurosat-rgb", rgb_folder(tmp_path)[1])


def test_a_store_of_a_later_version_says_so(tmp_path):
    folder = write(*multispectral(tmp_path))
    header = json.loads((folder / HEADER).read_text())
    (folder / HEADER).write_text(json.dumps({**header, "version": 2, "new": 1}))
    with pytest.raises(UnavailableError, match="format version 2, this senbench reads 1"):
        Store(folder)


# packing


def test_a_tile_that_cannot_be_decoded_stops_or_is_kept_as_such(tmp_path):
    name, how = rgb_folder(tmp_path)
    (tmp_path / "2750" / "River" / "River_2.jpg").write_bytes(b"no image")
    with pytest.raises(TileError, match=r"River_2\.jpg"):
        write(name, how)
    with pytest.raises(TileError, match=r"River_2\.jpg"):
        opened(name, how).read(25)
    write(name, how, on_error="skip")
    tiles = opened(name, how)
    assert tiles.packed is not None
    a, b = (embed_images(StubEncoder(), t, None, on_error="skip") for t in (tiles, source(name, how)))
    assert a.skipped == b.skipped != {}
    assert a.content_hash == b.content_hash
    assert np.array_equal(a.rows, b.rows)


def test_a_shard_of_nothing_but_bad_tiles(tmp_path, monkeypatch):
    monkeypatch.setattr(packed_, "ROWS", 3)
    name, how = rgb_folder(tmp_path)
    for n in (1, 2, 3):
        (tmp_path / "2750" / "River" / f"River_{n}.jpg").write_bytes(b"no image")
    write(name, how, on_error="skip")
    tiles = opened(name, how)
    assert np.array_equal(tiles.read(0), source(name, how).read(0))
    with pytest.raises(TileError, match="River_1"):
        tiles.read(24)


def test_the_store_is_the_same_however_it_was_made(tmp_path):
    name, how = own(tmp_path)
    one, two = (write(name, how, folder=tmp_path / str(n), processes=n) for n in (1, 2))
    assert {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in two.iterdir()}
    assert {p.suffix for p in one.iterdir()} == {".json", ".parquet", ".tiles", ""}
    table = parquet.read_table(one / TABLE).to_pydict()
    assert table["id"] == list(source(name, how).ids)


SLOW = """
import sys, time
from dataclasses import replace
from senbench.datasets import pack, packed
from senbench.datasets.registry import open_source
packed.ROWS = 2
tiles = open_source(sys.argv[1], split=None, data_dir=None, offline=True)
read = tiles.reader
def slow(i):
    time.sleep(float(sys.argv[3]))
    return read(i)
print("ready", flush=True)
pack.pack(pack.job(replace(tiles, reader=slow)), __import__("pathlib").Path(sys.argv[2]), processes=2)
print("done", flush=True)
"""


def start(name, folder, seconds=0.1):
    return subprocess.Popen([sys.executable, "-c", SLOW, name, str(folder), str(seconds)], stdout=subprocess.PIPE)


def whole(folder):
    return sorted(folder.glob("*.tiles.json"))


def test_a_killed_packing_is_continued_and_ends_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(packed_, "ROWS", 2)
    name, how = own(tmp_path)
    folder = tmp_path / "out"
    process = start(name, folder)
    deadline = time.monotonic() + 60
    while len(whole(folder)) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 3 <= len(whole(folder)) < 9
    assert not (folder / HEADER).exists()
    assert opened(name, how).packed is None
    (folder / ".000008.tiles.part").write_bytes(b"half")  # as a killed worker leaves it
    time.sleep(1)  # the workers of the killed process end by themselves
    kept = {p.name: p.stat().st_mtime_ns for side in whole(folder) for p in [side.with_suffix("")]}
    write(name, how, folder=folder)
    assert {p: (folder / p).stat().st_mtime_ns for p in kept} == kept
    fresh = write(name, how, folder=tmp_path / "fresh", processes=1)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {p.name: p.read_bytes() for p in fresh.iterdir()}


def test_the_workers_of_a_killed_packing_end(tmp_path):
    name, _ = own(tmp_path)
    process = start(name, tmp_path / "out", 0.3)
    deadline = time.monotonic() + 60
    children: list[str] = []
    while len(children) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 2
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_two_processes_pack_the_same_at_once(tmp_path):
    name, how = own(tmp_path)
    both = [start(name, tmp_path / "out", 0.02) for _ in range(2)]
    assert [p.wait(120) for p in both] == [0, 0]
    same(opened(f"folder:{tmp_path / 'out'}", how), source(name, how))
    assert {p.suffix for p in (tmp_path / "out").iterdir()} == {".json", ".parquet", ".tiles", ""}


def test_shards_whose_files_changed_or_that_were_altered_are_made_again(tmp_path):
    name, how = own(tmp_path)
    bad = tmp_path / "mine" / "town" / "8.jpg"
    good = bad.read_bytes()
    bad.write_bytes(b"no image")
    folder = tmp_path / "out"
    with pytest.raises(TileError):
        write(name, how, folder=folder, processes=1)
    assert len(whole(folder)) == 2
    bad.write_bytes(good)
    (tmp_path / "mine" / "lake" / "2.jpg").write_bytes(jpeg(99, (32, 46)))
    alter(folder / "000001.tiles")
    write(name, how, folder=folder)
    same(opened(f"folder:{folder}", how), source(name, how))


def test_an_unfinished_packing_of_something_else_is_not_continued(tmp_path):
    name, how = own(tmp_path)
    bad = tmp_path / "mine" / "town" / "8.jpg"
    bad.write_bytes(b"no image")
    with pytest.raises(TileError):
        write(name, how, folder=tmp_path / "out", processes=1)
    bad.unlink()
    with pytest.raises(UsageError, match="unfinished packing of something else"):
        write(name, how, folder=tmp_path / "out")


def test_a_file_that_changes_after_it_was_packed_is_noticed_later(tmp_path):
    name, how = own(tmp_path)
    tiles = source(name, how)

    reads = []

    def read(i):
        tile = tiles.reader(i)
        reads.append(i)
        if reads.count(0) == 2:  # the first was to estimate the size
            (tmp_path / "mine" / "lake" / "0.jpg").write_bytes(jpeg(99, (32, 46)))
        return tile

    packing.pack(packing.job(replace(tiles, reader=read)), processes=1)
    said = Lines()
    assert opened(name, how, said).packed is None
    assert "lake/0.jpg" in said.text


def test_size_is_told_and_space_is_looked_at_before_it_starts(tmp_path, monkeypatch):
    name, how = own(tmp_path)
    said = Lines()

    class Say:
        say = said.__call__

        def stage(self, title, total):
            raise AssertionError("started")

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=20_000))
    with pytest.raises(UnavailableError, match=r"about 0\.1 MB are needed, 0\.0 MB are free"):
        packing.pack(packing.job(source(name, how)), tmp_path / "out", progress=Say())
    assert "packing 18 tiles of folder:mine all as native-jpeg RGB: about" in said.text


def test_what_cannot_be_packed_is_refused(tmp_path):
    tiles, jpegs_ = source(*multispectral(tmp_path)), source(*rgb_zip(tmp_path))
    with pytest.raises(UsageError, match=r"eurosat has no band 'B13'; choose among B01"):
        packing.job(tiles, ("B02", "B13"))
    with pytest.raises(UsageError, match="name every band once"):
        packing.job(tiles, ("B02", "B02"))
    with pytest.raises(UsageError, match="are 8-bit RGB: leave the option out"):
        packing.job(jpegs_, ("B02",))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match=r"thesis\.tex lies there"):
        packing.pack(packing.job(jpegs_), tmp_path / "full")
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["thesis.tex"]
    folder = packing.pack(packing.job(jpegs_), tmp_path / "out")[0]
    with pytest.raises(UsageError, match="packed store with another"):
        packing.pack(packing.job(tiles), folder)


def test_run_says_and_records_it(tmp_path):
    import senbench

    name, how = own(tmp_path)
    prompts = {"lake": ["a lake"], "town": ["a town"]}
    said = Lines()

    class Say:
        say = said.__call__

        def stage(self, title, total):
            from senbench.progress import Silent

            return Silent().stage(title, total)

    plain = senbench.evaluate(StubEncoder(), name, prompts)
    folder = write(name, how)
    result = senbench.evaluate(StubEncoder(), name, prompts, progress=Say(), cache=False)
    assert f"folder:mine: read from the packed store {folder.name}" in said.text
    assert (plain.dataset["packed"], result.dataset["packed"]) == (None, Store(folder).header.content_hash)
    assert result.run_id == plain.run_id
    assert result.metrics == plain.metrics
    assert {**result.dataset, "packed": None} == plain.dataset
