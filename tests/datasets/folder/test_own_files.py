from __future__ import annotations

import pytest
from eurosat_files import jpeg, unpack

from senbench.datasets.folder.own_files import OwnFiles, check_distinct, own_info
from senbench.datasets.readers.sources import NamedFiles
from senbench.errors import UsageError


def test_the_reader_of_some_of_the_files(tmp_path):
    unpack(tmp_path, {f"x/t{i}.jpg": jpeg(i, (20 + i, 20)) for i in range(4)})
    names = tuple(f"x/t{i}.jpg" for i in range(4))
    files = OwnFiles(NamedFiles(tmp_path, names, "mine"), names, "table:mine")
    info = own_info("table:", "mine", ("a", "b"), {"all": 4})
    opened = files.open(info, [3, 1], None, radiometry=None, dn_offset="auto")
    assert [opened.reader.rgb(i).shape[1] for i in range(2)] == [23, 21]
    assert not opened.reader.located and opened.facts["pixels"]["decisions"]
    placed = files.open(info, [3, 1], lambda at: [f"c{i}" for i in at], radiometry=None, dn_offset="auto")
    assert placed.reader.located and placed.reader.locate([1, 0]) == ["c1", "c0"]
    with pytest.raises(UsageError, match="table:mine: radiometry 'dn2000' does not apply to 8-bit images"):
        files.open(info, None, None, radiometry="dn2000", dn_offset="auto")


def test_the_default_split_is_test_where_there_is_one():
    assert own_info("table:", "t", ("a", "b"), {"train": 1, "test": 2, "all": 3}).default_split == "test"
    assert own_info("table:", "t", ("a", "b"), {"train": 1, "all": 3}).default_split == "all"


def test_classes_that_differ_in_marks_alone():
    check_distinct(("sea lake", "sea", "lake"), "table:t: classes")
    with pytest.raises(UsageError, match=r"table:t: classes 'Sea-Lake' and 'sea lake' differ in marks or case alone"):
        check_distinct(("Sea-Lake", "sea lake"), "table:t: classes")
