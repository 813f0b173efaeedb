"""The shards of a packed store: made by worker processes, whole or not at all."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import stubs
from eurosat_files import jpeg
from packed_files import (
    BANDS,
    alter,
    bigearthnet_v2,
    opened,
    own,
    rgb_folder,
    same,
    source,
    write,
)

from senbench.datasets.packed import format as packed_
from senbench.datasets.packed import write as packing
from senbench.datasets.tiles import TileError
from senbench.errors import ContractError


@pytest.mark.parametrize("bands", [None, BANDS])
def test_a_reader_whose_rendering_is_not_that_of_its_values_is_refused(tmp_path, bands):
    name, how = bigearthnet_v2(tmp_path)
    tiles = source(name, how)
    wrong = stubs.changed(tiles, reader=lambda i: tiles.reader.rgb(i)[..., ::-1])
    with pytest.raises(ContractError, match="is not the dn2000 of its values"):
        packing.pack(packing.job(wrong, bands), processes=1)


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
