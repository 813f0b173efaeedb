from __future__ import annotations

import lucas_files
import numpy as np
import pytest
import torch

from senbench.align import pairs, photo_embeddings, published_dictionary, row_store, stored_set, tile_pack
from senbench.align.tile_pack import Rendering
from senbench.errors import UsageError
from senbench.models.registry import find
from senbench.runtime.progress import Silent


@pytest.fixture
def made(tmp_path):
    path = lucas_files.manifest(tmp_path, 4)
    listed = pairs.read(path)
    tile_pack.pack(listed, tmp_path / "tiles-packed", Rendering(32), Silent())
    photo_embeddings.embed(listed, find("mini"), tmp_path / "ground")
    return path, tmp_path / "tiles-packed", tmp_path / "ground"


def test_what_was_stored_is_put_together(made):
    data, notes = stored_set.assemble(*made)
    data.check(128, "mini")
    data.check_base(find("mini").weights.sha256, "mini")
    assert notes == []
    assert len(data) == 4
    assert data.photo_rows.tolist() == np.arange(16).reshape(4, 4).tolist()
    assert data.facts["pairs"] == "pairs.csv"
    assert np.array_equal(data.latitude, [lucas_files.place(i)[0] for i in range(4)])
    with pytest.raises(UsageError, match="embedded by other weights"):
        data.check_base("0" * 64, "other")


def test_a_manifest_of_fewer_points_finds_its_rows(made):
    path, tiles, ground = made
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *lines[13:17], *lines[5:8]]))  # the last point, and three photos of the second
    data, notes = stored_set.assemble(path, tiles, ground)
    assert data.ids == [lucas_files.point_id(3), lucas_files.point_id(1)]
    assert data.photo_rows.tolist() == [[12, 13, 14, 15], [4, 5, 6, -1]]
    assert data.tiles.shape == (2, 32, 32, 3)
    _, rows, _ = row_store.opened(tiles, "pack")
    assert np.array_equal(data.tiles[np.array([1, 0])], rows[np.array([1, 3])])
    assert notes == []


def test_what_was_skipped_is_left_out_and_counted(tmp_path):
    path = lucas_files.manifest(tmp_path, 4)
    listed = pairs.read(path)
    listed.place(listed.tiles[0]).unlink()
    for row in (4, 5, 6, 7, 9):  # all photos of the second point, one of the third
        listed.place(listed.photos[row].as_py()).unlink()
    tile_pack.pack(listed, tmp_path / "t", Rendering(), Silent(), skip=True)
    photo_embeddings.embed(listed, find("mini"), tmp_path / "g", skip=True)
    data, notes = stored_set.assemble(path, tmp_path / "t", tmp_path / "g")
    assert data.ids == [lucas_files.point_id(2), lucas_files.point_id(3)]
    assert data.photo_rows.tolist() == [[8, 10, 11, -1], [12, 13, 14, 15]]
    assert notes == [
        "1 points without a packed tile: left out",
        "1 points without an embedding of a photo: left out",
        "1 further photos without an embedding: left out",
    ]


def test_imported_embeddings_are_found_by_their_keys_and_missing_directions_counted(tmp_path):
    path = lucas_files.manifest(tmp_path, 3)
    tile_pack.pack(pairs.read(path), tmp_path / "t", Rendering(), Silent())
    torch.manual_seed(0)
    held = {f"AT_{lucas_files.point_id(i)}{d}": torch.randn(1, 128) for i in range(2) for d in "NESW"}
    del held[f"AT_{lucas_files.point_id(1)}E"]
    torch.save(held, tmp_path / "lucas.pt")
    published_dictionary.import_embeddings(tmp_path / "lucas.pt", tmp_path / "g", Silent())
    data, notes = stored_set.assemble(path, tmp_path / "t", tmp_path / "g")
    assert data.ids == [lucas_files.point_id(0), lucas_files.point_id(1)]
    photos, there = data.seen(np.array([1]))
    assert there.tolist() == [[True, True, True, False]]
    assert np.array_equal(photos[0, 1], held[f"AT_{lucas_files.point_id(1)}S"][0].numpy())
    assert notes == [
        "1 points without an embedding of a photo: left out",
        "1 further photos without an embedding: left out",
    ]
    assert data.embedded_by == ""


def test_what_does_not_go_together_is_told(made, tmp_path):
    path, tiles, ground = made
    text = path.read_text()
    path.write_text(text.replace(lucas_files.photo_name(0, "N", 2018), "AT/none.jpg"))
    with pytest.raises(UsageError, match=r"photo photos/AT/none.jpg has no embedding \(1 of 16\)"):
        stored_set.assemble(path, tiles, ground)
    path.write_text(text.replace(f'"{lucas_files.point_id(0)}","tiles', '"7","tiles'))
    with pytest.raises(UsageError, match="point 7 has no tile"):
        stored_set.assemble(path, tiles, ground)
    torch.save({"FR_00000000N": torch.ones(1, 128)}, tmp_path / "x.pt")
    published_dictionary.import_embeddings(tmp_path / "x.pt", tmp_path / "g", Silent())
    path.write_text(text)
    with pytest.raises(UsageError, match="no photo is among the imported embeddings, named such as FR_00000000N"):
        stored_set.assemble(path, tiles, tmp_path / "g")
