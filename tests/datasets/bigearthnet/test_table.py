"""Patches by name, and labels by name as a matrix."""

from __future__ import annotations

import numpy as np
import pytest
from bigearthnet_files import opened

from senbench.datasets.bigearthnet.table import PatchTable, chosen, iso_date, multi_hot
from senbench.errors import UnavailableError, UsageError


def test_a_file_of_names_is_a_split(one, two, tmp_path):
    names = tmp_path / "mine.txt"
    for name, (root, plan), version in (("bigearthnet-v1", one, "v1"), ("bigearthnet-v2", two, "v2")):
        some = [plan.names(i)[version] for i in (9, 0, 5)]
        names.write_text("\n".join(some))
        tiles = opened(name, root, str(names))
        assert (tiles.split, tiles.n_expected) == ("file:mine.txt", 3)
        assert set(tiles.ids) == set(some)
        names.write_text("\n".join([*some, "S2A_nowhere"]))
        with pytest.raises(UsageError, match=r"mine\.txt: 1 of 4 patches are not in .*'S2A_nowhere'"):
            opened(name, root, str(names))


def test_labels_by_name_become_a_matrix():
    named = [["a", "c"], [], ["b"], ["moon", "c", "sun"], ["none"]]
    labels, faults = multi_hot(named, {"a": 0, "b": 1, "c": 2, "none": None}, 3)
    assert labels.astype(int).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert faults == {3: "label 'moon' is not one of the 4 classes"}  # the first one


def test_a_patch_is_listed_once():
    with pytest.raises(UnavailableError, match="patch b is listed twice"):
        PatchTable(("a", "b", "b"), ("x",) * 3, ("33UUP",) * 3, np.zeros((3, 1), bool))


def test_names_of_a_file_come_in_the_order_of_the_source(tmp_path):
    names = tmp_path / "mine.txt"
    names.write_text("c\na\n")
    assert chosen(str(names), {"a": 1, "b": 2, "c": 3}, "the table") == [1, 3]
    names.write_text("c\nd\ne\n")
    with pytest.raises(UsageError, match=r"mine\.txt: 2 of 3 patches are not in the table, the first is 'd'"):
        chosen(str(names), {"c": 3}, "the table")


def test_dates():
    assert iso_date("20170613") == "2017-06-13"
