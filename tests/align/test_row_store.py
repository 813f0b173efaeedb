from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from senbench.align import row_store
from senbench.align.row_store import RowStore
from senbench.errors import UnavailableError, UsageError

IDS = pa.array(["a", "b", "c", "d"])
ROWS = np.arange(12, dtype=np.float16).reshape(4, 3)


def begun(folder, ids=IDS, **settings):
    return RowStore.begin(folder, ids, {"model": "m", **settings}, (4, 3), np.float16)


def test_it_goes_on_where_it_was(tmp_path):
    first = begun(tmp_path / "s")
    first.add(ROWS[:2], [1])
    second = begun(tmp_path / "s")
    assert second.done == 2
    second.add(ROWS[2:], [])
    second.finish(source="x")
    ids, rows, index = row_store.opened(tmp_path / "s", "embed")
    assert ids.to_pylist() == ["a", "b", "c", "d"]
    assert np.array_equal(rows[np.array([3, 0])], ROWS[[3, 0]])
    assert (index["left_out"], index["source"]) == ([1], "x")
    whole = begun(tmp_path / "t")
    whole.add(ROWS, [1])
    whole.finish()
    assert whole.index["sha256"] == index["sha256"] == rows.sha256


def test_other_settings_or_names_are_refused(tmp_path):
    begun(tmp_path / "s")
    with pytest.raises(UsageError, match=r"another model \(m, now n\)"):
        begun(tmp_path / "s", model="n")
    with pytest.raises(UsageError, match="another ids_sha256"):
        begun(tmp_path / "s", pa.array(["a", "b", "c", "e"]))
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(UsageError, match="other files"):
        begun(tmp_path)


def test_names_that_only_together_are_the_same_have_another_hash():
    assert row_store.ids_sha256(pa.array(["ab", "c"])) != row_store.ids_sha256(pa.array(["a", "bc"]))


def test_what_is_not_complete_or_damaged_is_told(tmp_path):
    with pytest.raises(UsageError, match="align pack"):
        row_store.opened(tmp_path, "pack")
    store = begun(tmp_path / "s")
    store.add(ROWS[:1], [])
    with pytest.raises(UsageError, match="1 of 4 rows are made"):
        row_store.opened(tmp_path / "s", "embed")
    store.add(ROWS[1:], [])
    store.finish()
    data = (tmp_path / "s" / row_store.ROWS).read_bytes()
    (tmp_path / "s" / row_store.ROWS).write_bytes(data[:40])
    with pytest.raises(UnavailableError, match="damaged"):
        row_store.opened(tmp_path / "s", "embed")
    for text in ("{", "[]", json.dumps({"done": 1})):
        (tmp_path / "s" / row_store.INDEX).write_text(text)
        with pytest.raises(UnavailableError, match=r"index\.json is damaged"):
            row_store.opened(tmp_path / "s", "embed")
