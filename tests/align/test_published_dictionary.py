from __future__ import annotations

import numpy as np
import pytest
import torch

from senbench.align import published_dictionary, row_store
from senbench.errors import SenbenchError, UnavailableError, UsageError
from senbench.runtime.progress import Silent


def dictionary(n=5, dim=8, dtype=torch.float32):
    torch.manual_seed(0)
    return {f"AT_{45802800 + k:08d}{d}": torch.randn(1, dim).to(dtype) for k in range(n) for d in "NESW"}


def imported(folder, held, name="lucas.pt", **how):
    torch.save(held, folder / name, **how)
    return published_dictionary.import_embeddings(folder / name, folder / "ground", Silent())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("zipped", [True, False])
def test_rows_are_those_of_the_dictionary_in_its_type(dtype, zipped, tmp_path):
    held = dictionary(dtype=dtype)
    imported(tmp_path, held, _use_new_zipfile_serialization=zipped)
    ids, rows, index = row_store.opened(tmp_path / "ground", "embed")
    assert ids.to_pylist() == sorted(held)
    assert rows.dtype == np.dtype(str(dtype).removeprefix("torch."))
    for k, name in enumerate(ids.to_pylist()):
        assert np.array_equal(rows[np.array([k])], held[name].numpy())
    assert index["settings"]["names"] == "lucas-key"


class Runs:
    def __reduce__(self):
        import os

        return os.mkdir, ("/tmp/senbench-was-run",)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"a": Runs()}, "may run code"),
        ([torch.zeros(1, 2)], "found list"),
        ({}, "expected a dictionary"),
        ({"a": 1}, "'a' -> int"),
        ({1: torch.zeros(1, 2)}, "1 -> Tensor"),
        ({"a": torch.zeros(1, 2), "b": torch.zeros(1, 3)}, r"'b' has float32 \(1, 3\)"),
        ({"a": torch.zeros(1, 2), "b": torch.zeros(2, 2)}, "'b' has"),
        ({"a": torch.zeros(1, 2), "b": torch.zeros(1, 2).half()}, "'b' has float16"),
        ({"a": torch.zeros(1, 2).long()}, "type int64"),
        ({"a": torch.full((1, 2), torch.nan)}, "'a' holds a value that is not finite"),
    ],
)
def test_what_is_no_such_dictionary_is_one_line(held, said, tmp_path):
    with pytest.raises(SenbenchError, match=said) as told:
        imported(tmp_path, held)
    assert "\n" not in str(told.value)
    from pathlib import Path

    assert not Path("/tmp/senbench-was-run").exists()


def test_a_truncated_or_missing_file(tmp_path):
    torch.save(dictionary(), tmp_path / "x.pt")
    data = (tmp_path / "x.pt").read_bytes()
    (tmp_path / "x.pt").write_bytes(data[: len(data) // 2])
    with pytest.raises(UnavailableError, match="truncated"):
        published_dictionary.import_embeddings(tmp_path / "x.pt", tmp_path / "ground", Silent())
    with pytest.raises(UsageError, match="no such file"):
        published_dictionary.import_embeddings(tmp_path / "y.pt", tmp_path / "ground", Silent())
