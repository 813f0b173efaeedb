"""The packed store: what went in comes out, a run cannot tell the difference, and what is damaged is refused."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from packed_files import (
    alter,
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

from senbench.datasets.packed.format import HEADER, TABLE, PackedStore
from senbench.datasets.tiles import TileError
from senbench.embedding.engine import embed_images
from senbench.embedding.image_pass import EmbedOptions
from senbench.errors import UnavailableError


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


# what is not the same data is not used


# what is damaged is refused


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
        embed_images(StubEncoder(), tiles, None, EmbedOptions(on_error="skip"))
    with pytest.raises(UnavailableError, match="was altered"):
        PackedStore(folder).verify()


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
        PackedStore(folder)


def forged(folder, **change):
    """A store whose header or table says something else, with all its hashes made anew."""
    import hashlib

    import pyarrow as pa
    import pyarrow.parquet as pq

    from senbench.datasets.packed.format import header_sha256

    header = json.loads((folder / HEADER).read_text())
    if columns := change.pop("table", None):
        table = pq.read_table(folder / TABLE).to_pydict()
        table = {name: values for name, values in {**table, **columns}.items() if values is not None}
        pq.write_table(pa.table(table), folder / TABLE)
        header["table_sha256"] = hashlib.sha256((folder / TABLE).read_bytes()).hexdigest()
    header |= change
    (folder / HEADER).write_text(json.dumps({**header, "header_sha256": header_sha256(header)}))


HUGE = 2**31 - 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"table": {"height": [HUGE] * 20, "width": [HUGE] * 20}}, "the sizes of the tiles|is not that of a packed"),
        ({"table": {"height": [-64] * 20}}, r"the sizes of the tiles in 000000\.tiles do not make its [\d,]+ bytes"),
        ({"table": {"height": [64] * 19 + [10**6]}}, "the sizes of the tiles"),
        ({"table": {"id": None}}, r"tiles\.parquet is not that of a packed store \(KeyError\)"),
        ({"shards": [{"rows": 10**12, "bytes": 10**12}]}, "20 tiles are listed, 20 were packed"),
        ({"shards": [{"rows": -5, "bytes": 4096}, {"rows": 25, "bytes": 4096}]}, "20 tiles are listed"),
        ({"n": 10**15}, "20 tiles are listed, 1,000,000,000,000,000 were packed"),
        ({"bands": ["B04"] * 10**5}, "the sizes of the tiles"),
    ],
)
def test_what_a_store_announces_is_held_against_its_files(tmp_path, change, says):
    folder = write(*multispectral(tmp_path))
    forged(folder)
    PackedStore(folder).verify()
    forged(folder, **change)
    with pytest.raises(UnavailableError, match=says) as error:
        PackedStore(folder)
    assert "\n" not in str(error.value)
