"""Packing: what is written, that it goes on where it was killed, and what is not packed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import stubs
from eurosat_files import jpeg
from packed_files import (
    Lines,
    bigearthnet_v2,
    multispectral,
    opened,
    own,
    rgb_folder,
    rgb_zip,
    same,
    source,
    write,
)
from pyarrow import parquet
from stubs import StubEncoder

from senbench.datasets.packed import format as packed_
from senbench.datasets.packed import write as packing
from senbench.datasets.packed.format import HEADER, TABLE
from senbench.datasets.radiometry import POLICIES
from senbench.datasets.tiles import TileError
from senbench.embedding.engine import embed_images
from senbench.embedding.image_pass import EmbedOptions
from senbench.errors import UnavailableError, UsageError


@pytest.mark.parametrize("policy", POLICIES)
def test_a_rendering_is_packed_as_it_is_read(tmp_path, policy):
    name, how = bigearthnet_v2(tmp_path)
    write(name, how, radiometry=policy)
    tiles = opened(name, how, radiometry=policy)
    assert tiles.packed is not None
    same(tiles, source(name, how, radiometry=policy))


def test_sizes_that_vary_and_stores_of_one_size_say_so(tmp_path):
    header = json.loads((write(*own(tmp_path)) / HEADER).read_text())
    assert header["shape"] is None
    header = json.loads((write(*rgb_zip(tmp_path)) / HEADER).read_text())
    assert header["shape"] == [64, 64, 3]
    assert [shard["rows"] for shard in header["shards"]] == [7, 7, 7, 7, 2]


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
    a, b = (embed_images(StubEncoder(), t, None, EmbedOptions(on_error="skip")) for t in (tiles, source(name, how)))
    assert a.skipped == b.skipped != {}
    assert a.content_hash == b.content_hash
    assert np.array_equal(a.rows, b.rows)


def test_the_store_is_the_same_however_it_was_made(tmp_path):
    name, how = own(tmp_path)
    one, two = (write(name, how, folder=tmp_path / str(n), processes=n) for n in (1, 2))
    assert {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in two.iterdir()}
    assert {p.suffix for p in one.iterdir()} == {".json", ".parquet", ".tiles", ""}
    table = parquet.read_table(one / TABLE).to_pydict()
    assert table["id"] == list(source(name, how).ids)


SLOW = """
import sys, time
from senbench.datasets.packed import write as pack, format as packed
from senbench.datasets.open import open_source
packed.ROWS = 2
tiles = open_source(sys.argv[1], split=None, data_dir=None, offline=True)
read = tiles.reader.rgb
def slow(i):
    time.sleep(float(sys.argv[3]))
    return read(i)
print("ready", flush=True)
tiles.reader.rgb = slow
pack.pack(pack.job(tiles), __import__("pathlib").Path(sys.argv[2]), processes=2)
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


def test_two_processes_pack_the_same_at_once(tmp_path):
    name, how = own(tmp_path)
    both = [start(name, tmp_path / "out", 0.02) for _ in range(2)]
    assert [p.wait(120) for p in both] == [0, 0]
    same(opened(f"folder:{tmp_path / 'out'}", how), source(name, how))
    assert {p.suffix for p in (tmp_path / "out").iterdir()} == {".json", ".parquet", ".tiles", ""}


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
        tile = tiles.reader.rgb(i)
        reads.append(i)
        if reads.count(0) == 2:  # the first was to estimate the size
            (tmp_path / "mine" / "lake" / "0.jpg").write_bytes(jpeg(99, (32, 46)))
        return tile

    packing.pack(packing.job(stubs.changed(tiles, reader=read)), processes=1)
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
    with pytest.raises(UsageError, match=r"thesis\.tex is in it"):
        packing.pack(packing.job(jpegs_), tmp_path / "full")
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["thesis.tex"]
    folder = packing.pack(packing.job(jpegs_), tmp_path / "out")[0]
    with pytest.raises(UsageError, match="packed store with another"):
        packing.pack(packing.job(tiles), folder)
