"""The table of version 2."""

from __future__ import annotations

import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
import rasterio
from bigearthnet_files import FIRST, edit_table, opened

from senbench.datasets.tiles import TileError
from senbench.errors import UnavailableError

warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)


def test_unlabelled_patches_are_kept_and_told(copy):
    edit_table(copy, labels=lambda t: [[] if k % 5 == 0 else row for k, row in enumerate(t["labels"])])
    tiles = opened("bigearthnet-v2", copy)
    table = pd.read_parquet(copy / "metadata.parquet").query("split == 'test'")
    expected = [i for i, row in enumerate(table["labels"]) if len(row) == 0]
    assert len(tiles) == len(table) and expected
    assert np.flatnonzero(~tiles.tile_labels.any(axis=1)).tolist() == expected
    assert tiles.take([expected[0], 1]).tile_labels.any(axis=1).tolist() == [False, True]


def test_a_label_outside_the_19_is_named(copy):
    edit_table(copy, labels=lambda t: [[*row, "Moon"] if k == 13 else list(row) for k, row in enumerate(t["labels"])])
    tiles = opened("bigearthnet-v2", copy, "test")
    bad = list(tiles.ids).index(pd.read_parquet(copy / "metadata.parquet")["patch_id"][13])
    with pytest.raises(TileError, match="label 'Moon' is not one of the 19 classes"):
        tiles.read(bad)


def drop(column):
    def change(root):
        pd.read_parquet(root / "metadata.parquet").drop(columns=column).to_parquet(root / "metadata.parquet")

    return change


BAD_V2 = {
    "no patch_id": (drop("patch_id"), "has no column 'patch_id'"),
    "no labels": (drop("labels"), r"has no column 'labels' \(it has patch_id, split"),
    "no split": (drop("split"), "has no column 'split'"),
    "labels are text": (lambda r: edit_table(r, labels=lambda t: "Pastures"), "column 'labels' holds .*string"),
    "no parquet": (lambda r: (r / "metadata.parquet").write_bytes(b"PAR1 nonsense"), "not a complete parquet file"),
    "gone": (lambda r: (r / "metadata.parquet").unlink(), "is not there; `senbench datasets fetch bigearthnet-v2`"),
    "no test": (lambda r: edit_table(r, split=lambda t: "train"), "no patch of split test"),
    "names": (lambda r: edit_table(r, patch_id=lambda t: "../../x"), "patch_id '../../x' is not a name"),
    "twice": (lambda r: edit_table(r, patch_id=lambda t: FIRST), f"patch {FIRST} is listed twice"),
    "no patches": (lambda r: shutil.rmtree(r / "BigEarthNet-S2"), "no BigEarthNet-S2/ in it; `senbench datasets fetch"),
}


@pytest.mark.parametrize("kind", BAD_V2)
def test_bad_tables_are_named_in_one_line(copy, kind):
    change, message = BAD_V2[kind]
    change(copy)
    with pytest.raises(UnavailableError, match=message) as caught:
        opened("bigearthnet-v2", copy)
    assert "\n" not in str(caught.value)
