from __future__ import annotations

import pytest

from senbench.errors import UsageError
from senbench.runtime.dataset_names import add_options, local_path, with_options


def test_options_stand_at_the_end_of_a_name():
    assert with_options("a/b.csv", ("label",)) == ("a/b.csv", {})
    assert with_options("a/b.csv?label=land%20use&image=file", ("label", "image")) == (
        "a/b.csv",
        {"label": "land use", "image": "file"},
    )
    assert with_options("a/what?.csv", ("label",)) == ("a/what?.csv", {})
    with pytest.raises(UsageError, match=r"dataset 'b.csv\?split=x': no option 'split'; it has label"):
        with_options("b.csv?split=x", ("label",))
    with pytest.raises(UsageError, match="it has none"):
        with_options("b?x=1", ())


def test_added_options_replace_those_of_the_same_name():
    assert add_options("table:t.csv", {}) == "table:t.csv"
    name = add_options("table:t.csv?label=a", {"label": "b c&d", "image": "i"})
    assert with_options(name, ("label", "image")) == ("table:t.csv", {"label": "b c&d", "image": "i"})


def test_paths_of_local_names():
    assert local_path("folder:/x/y") == ("folder:", "/x/y", "")
    assert local_path("table:/x/t.csv?label=a") == ("table:", "/x/t.csv", "?label=a")
    assert local_path("hf:owner/name") is None
