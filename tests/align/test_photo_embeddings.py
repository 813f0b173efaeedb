from __future__ import annotations

import lucas_files
import numpy as np
import pytest

from senbench.align import pairs, photo_embeddings, row_store
from senbench.datasets.tiles import TileError
from senbench.errors import UsageError
from senbench.models import load
from senbench.models.registry import find


@pytest.fixture
def listed(tmp_path):
    return pairs.read(lucas_files.manifest(tmp_path, 3))


def test_rows_are_those_of_the_base_before_they_are_normalised(listed, tmp_path):
    from PIL import Image

    _, encoded = photo_embeddings.embed(listed, find("mini"), tmp_path / "ground")
    assert encoded == 12
    ids, rows, index = row_store.opened(tmp_path / "ground", "embed")
    assert ids.to_pylist() == listed.photos.to_pylist()
    found = rows[np.arange(12)].astype(np.float32)
    adapter = load.load("mini", device="cpu", kernels="torch")
    images = [np.asarray(Image.open(listed.place(name))) for name in ids.to_pylist()]
    assert np.allclose(found / np.linalg.norm(found, axis=1, keepdims=True), adapter.encode_images(images), atol=2e-3)
    assert np.ptp(np.linalg.norm(found, axis=1)) > 1e-2  # not normalised
    assert rows.dtype == np.float16
    assert index["settings"]["weights_sha256"] == find("mini").weights.sha256


def test_a_second_call_encodes_nothing_and_an_ended_one_goes_on(listed, tmp_path, monkeypatch):
    monkeypatch.setattr(photo_embeddings, "BATCH", 2)
    monkeypatch.setattr(photo_embeddings, "AT_ONCE", 2)
    real, calls = photo_embeddings.features, []

    def ends(adapter, prepared):
        calls.append(len(prepared))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(adapter, prepared)

    monkeypatch.setattr(photo_embeddings, "features", ends)
    with pytest.raises(KeyboardInterrupt):
        photo_embeddings.embed(listed, find("mini"), tmp_path / "ground")
    monkeypatch.setattr(photo_embeddings, "features", real)
    store, encoded = photo_embeddings.embed(listed, find("mini"), tmp_path / "ground")
    assert encoded == 8
    whole, _ = photo_embeddings.embed(listed, find("mini"), tmp_path / "whole")
    assert store.index["sha256"] == whole.index["sha256"]
    monkeypatch.setattr(photo_embeddings, "features", None)
    assert photo_embeddings.embed(listed, find("mini"), tmp_path / "ground")[1] == 0


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x")])
def test_a_bad_photo_is_told_or_skipped_and_counted(damage, listed, tmp_path):
    name = listed.photos[5].as_py()
    damage(listed.place(name))
    with pytest.raises(TileError, match=name) as told:
        photo_embeddings.embed(listed, find("mini"), tmp_path / "ground")
    assert str(told.value).startswith(f"photo {name}")
    store, encoded = photo_embeddings.embed(listed, find("mini"), tmp_path / "ground", skip=True)
    assert (store.index["left_out"], encoded) == ([5], 11)


def test_embeddings_of_another_model_are_not_mixed_in(listed, tmp_path):
    import aligning

    photo_embeddings.embed(listed, find("mini"), tmp_path / "ground")
    with pytest.raises(UsageError, match="another model"):
        photo_embeddings.embed(listed, find(str(aligning.vit_card(tmp_path))), tmp_path / "ground")


def test_a_photo_in_two_pairs_is_encoded_once(tmp_path):
    path = lucas_files.manifest(tmp_path, 2)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1].replace(lucas_files.point_id(0), "99", 1)]))
    assert photo_embeddings.embed(pairs.read(path), find("mini"), tmp_path / "ground")[1] == 8
