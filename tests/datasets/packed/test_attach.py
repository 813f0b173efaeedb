"""Runs find packed stores, cannot tell the difference, and use none of other content."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest
from eurosat_files import dn_tile, jpeg, tiff, unpack
from packed_files import (
    BANDS,
    Lines,
    bigearthnet_v1,
    bigearthnet_v2,
    demo,
    multispectral,
    opened,
    own,
    rgb_folder,
    rgb_zip,
    same,
    source,
    write,
)
from stubs import StubEncoder

from senbench.datasets.bands import Pairing
from senbench.datasets.packed import attach
from senbench.datasets.packed.format import STAMPS, PackedStore
from senbench.datasets.radiometry import POLICIES
from senbench.embedding.engine import embed_images
from senbench.embedding.side_cache import pictures, statistics
from senbench.errors import UnavailableError, UsageError


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
    with pytest.raises(UsageError, match=r"contains split all, not test: pass --split"):
        opened(name, {"data_dir": str(elsewhere), "split": "test"})
    with pytest.raises(UsageError, match="contains eurosat, not eurosat-rgb"):
        opened("eurosat-rgb", {"data_dir": str(elsewhere), "split": "all"})
    if bands is None:
        with pytest.raises(UsageError, match="contains eurosat-jpeg, not dn2000"):
            opened(name, {"data_dir": str(elsewhere), "split": "all"}, radiometry="dn2000")
    with pytest.raises(UnavailableError, match=r"packed stores contain .*, not native B01"):
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


@pytest.mark.parametrize("make", [multispectral, bigearthnet_v2])
def test_a_store_without_red_green_and_blue_has_no_pictures_and_says_so(tmp_path, make):
    name, how = make(tmp_path)
    write(name, how, ("B8A", "B02"))
    for folder in ("v2", "EuroSAT_MS"):
        shutil.rmtree(tmp_path / folder, ignore_errors=True)
    tiles = opened(name, {**how, "data_dir": None})
    native = tiles.paired(Pairing(("B8A", "B02"), native=True))
    assert len(statistics(native, tmp_path / "cache")) == len(tiles)
    assert pictures(native, [0, 1], np.ndarray.tobytes, "raw", tmp_path / "cache") == [None, None]
    with pytest.raises(UnavailableError, match="provide the source"):
        embed_images(StubEncoder(), tiles, None)


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
    assert tiles.packed == PackedStore(rgb).header.content_hash
    assert tiles.paired(pair).packed == PackedStore(dn).header.content_hash


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
    assert attach.attach(tiles, [PackedStore(f) for f in attach.find(tiles.info)], print).labels is tiles.labels


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
    assert len({f.name for f in (write(name, how), *attach.find(tiles.info))}) == 2  # its list is another one
    assert opened(name, how, said).packed is not None


def test_a_source_that_was_copied_is_compared_once(tmp_path, monkeypatch):
    name, how = rgb_folder(tmp_path)
    folder = write(name, how)
    moved = shutil.copytree(tmp_path / "2750", tmp_path / "elsewhere" / "2750", copy_function=shutil.copyfile)
    how["data_dir"] = str(moved.parent)
    assert opened(name, how).packed is not None
    assert len((folder / STAMPS).read_text().split()) == 2
    monkeypatch.setattr(PackedStore, "key", lambda *_: pytest.fail("compared again"))
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


def test_run_says_and_records_it(tmp_path):
    import senbench

    name, how = own(tmp_path)
    prompts = {"lake": ["a lake"], "town": ["a town"]}
    said = Lines()

    class Say:
        say = said.__call__

        def stage(self, title, total):
            from senbench.runtime.progress import Silent

            return Silent().stage(title, total)

    plain = senbench.evaluate(StubEncoder(), name, prompts)
    folder = write(name, how)
    result = senbench.evaluate(StubEncoder(), name, prompts, progress=Say(), cache=False)
    assert f"folder:mine: read from the packed store {folder.name}" in said.text
    assert (plain.dataset.packed, result.dataset.packed) == (None, PackedStore(folder).header.content_hash)
    assert result.run_id == plain.run_id
    assert result.metrics == plain.metrics
    assert result.dataset.model_copy(update={"packed": None}) == plain.dataset


def test_another_process_reads_what_no_store_has(tmp_path):
    name, how = bigearthnet_v2(tmp_path)
    write(name, how, BANDS)
    wanted = Pairing(("B05", "B04"), native=True)
    tiles = opened(name, how).paired(wanted)
    assert tiles.packed is None and tiles.reader.portable
    sent = pickle.dumps(tiles.decode)
    assert len(sent) < 5000  # no mapped files
    assert np.array_equal(pickle.loads(sent)(1), source(name, how).paired(wanted).read(1))
