"""The store: whole shards or none, nothing foreign, nothing damaged."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from senbench.embedding.cache_admin import damaged
from senbench.embedding.cache_key import row_key
from senbench.embedding.row_cache import Store
from senbench.errors import UnavailableError

SETTINGS = {"weights": "abc", "dtype": "float32"}


def rows(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)


def keys(n: int, start: int = 0) -> list[bytes]:
    return [row_key(str(i).encode()) for i in range(start, start + n)]


def test_rows_come_back_in_any_order_after_reopening(tmp_path):
    store = Store(tmp_path, 4, SETTINGS)
    store.add(keys(5), rows(5))
    store.add(keys(3, 5), rows(3, 1))
    again = Store(tmp_path, 4, SETTINGS)
    assert len(again) == 8
    want = np.concatenate([rows(5), rows(3, 1)])
    order = [7, 0, 3, 6, 3]
    np.testing.assert_array_equal(again.rows([keys(8)[i] for i in order]), want[order])


def test_rows_asked_for_last_leave_the_store(tmp_path):
    import tracemalloc

    block, store = np.ones((2000, 128), np.float32), Store(tmp_path, 128, SETTINGS)
    tracemalloc.start()
    try:
        for k in range(10):
            store.add(keys(2000, 2000 * k), block * k)
        asked = keys(20_000)
        held = tracemalloc.get_traced_memory()[0]
        got = store.rows(asked, last=True)
        now = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(got[::2000, 0], np.arange(10))
    assert now - held < 0.2 * got.nbytes
    assert len(store) == 0
    assert len(Store(tmp_path, 128, SETTINGS)) == 20_000


@pytest.mark.parametrize("change", [{"weights": "abd"}, {"dtype": "bf16"}, {"radiometry": "dn3000"}])
def test_other_settings_never_share_rows(tmp_path, change):
    Store(tmp_path, 4, SETTINGS).add(keys(2), rows(2))
    assert len(Store(tmp_path, 4, {**SETTINGS, **change})) == 0


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "other type", "other dimension"])
def test_damaged_shard_is_left_out_and_named(tmp_path, damage):
    store = Store(tmp_path, 4, SETTINGS)
    store.add(keys(2), rows(2))
    store.add(keys(2, 2), rows(2, 1))
    shard = next(path for path in store.folder.glob("*.safetensors"))
    data = bytearray(shard.read_bytes())
    if damage == "truncate":
        data = data[:-5]
    elif damage == "flip":
        data[-3] ^= 1
    elif damage == "empty":
        data = bytearray()
    elif damage == "other type":  # in the header, which the checksum does not cover
        data = data.replace(b'"F32"', b'"I32"')
    shard.write_bytes(data)
    again = Store(tmp_path, 8 if damage == "other dimension" else 4, SETTINGS)
    if damage == "other dimension":
        assert len(again) == 0
    else:
        assert len(again) == 2
        assert again.damaged == [shard.name]


def test_a_shard_that_cannot_be_read_stays(tmp_path, monkeypatch):
    """Not readable for this user, or not at this moment: it may be sound."""
    Store(tmp_path, 4, SETTINGS).add(keys(2), rows(2))
    (shard,) = tmp_path.glob("*/*.safetensors")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("safetensors.safe_open", refuse)
        patch.setattr("pathlib.Path.read_bytes", refuse)
        again = Store(tmp_path, 4, SETTINGS)
    assert (len(again), again.damaged) == (0, [shard.name])
    assert len(Store(tmp_path, 4, SETTINGS)) == 2


def test_damaged_settings_are_written_again(tmp_path):
    Store(tmp_path, 4, SETTINGS).add(keys(2), rows(2))
    (about,) = tmp_path.glob("*/settings.json")
    wanted = about.read_bytes()
    about.write_text("x")
    assert len(Store(tmp_path, 4, SETTINGS)) == 2
    assert about.read_bytes() == wanted


def test_temporary_files_of_a_killed_run_are_not_read(tmp_path):
    store = Store(tmp_path, 4, SETTINGS)
    store.add(keys(2), rows(2))
    shard = next(store.folder.glob("*.safetensors"))
    (store.folder / ".x.safetensors.abcd").write_bytes(shard.read_bytes()[:10])
    again = Store(tmp_path, 4, SETTINGS)
    assert (len(again), again.damaged) == (2, [])


def test_memory_only(tmp_path):
    store = Store(None, 4, SETTINGS)
    store.add(keys(2), rows(2))
    assert keys(1)[0] in store
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_another_user_serves_and_new_rows_are_in_memory(tmp_path, monkeypatch):
    Store(tmp_path, 4, SETTINGS).add(keys(2), rows(2))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    store = Store(tmp_path, 4, SETTINGS)
    assert (len(store), store.keeps) == (2, False)
    store.add(keys(3)[2:], rows(3)[2:])
    np.testing.assert_array_equal(store.rows(keys(3)), rows(3))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert store.written == []
    other = Store(tmp_path, 4, {**SETTINGS, "dtype": "other"})
    other.add(keys(1), rows(1))
    assert (len(other), other.keeps, other.folder.exists()) == (1, False, False)


def test_a_store_keeps_where_it_can_write(tmp_path):
    assert Store(tmp_path / "a" / "b", 4, SETTINGS).keeps
    assert not Store(None, 4, SETTINGS).keeps


def test_unwritable_folder_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match="SENBENCH_HOME"):
        Store(tmp_path / "file", 4, SETTINGS).add(keys(1), rows(1))


def test_a_shard_appears_by_renaming_a_whole_file_only(tmp_path, monkeypatch):
    def refuse(self, target):
        assert self.stat().st_size > 0 and not target.exists()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    store = Store(tmp_path, 4, SETTINGS)
    with pytest.raises(UnavailableError, match="No space left on device"):
        store.add(keys(2), rows(2))
    assert [path.name for path in store.folder.iterdir()] == []


def test_a_shard_of_another_store_is_left_out(tmp_path):
    own, other = Store(tmp_path, 4, SETTINGS), Store(tmp_path, 4, {**SETTINGS, "dtype": "bf16"})
    own.add(keys(2), rows(2))
    other.add(keys(5), rows(5, 1))
    shutil.copy(other.folder / other.written[0], own.folder / other.written[0])
    assert damaged(tmp_path) == damaged(tmp_path, read=False) == {own.folder.name: other.written}
    again = Store(tmp_path, 4, SETTINGS)
    assert (again.damaged, len(again)) == (other.written, 2)
    np.testing.assert_array_equal(again.rows(keys(2)), rows(2))
    assert damaged(tmp_path) == {} and len(Store(tmp_path, 4, {**SETTINGS, "dtype": "bf16"})) == 5
