from __future__ import annotations

import pytest
from hub_server import COMMIT

from senbench.datasets.hub.snapshot import fetched, parse, pin
from senbench.errors import UnavailableError, UsageError


def test_names():
    assert parse("me/set") == ("me/set", None, None, {})
    assert parse("me/set@v1.0/small?label=a%20b") == ("me/set", "v1.0", "small", {"label": "a b"})
    assert parse("me/set/small?image=x").at("c0") == "me/set@c0/small?image=x"
    for bad in ("", "me", "me/", "/set", "a/b/c/d", "../x/y"):
        with pytest.raises(UsageError, match="expected hf:OWNER/NAME"):
            parse(bad)


def test_a_commit_needs_no_question(hub):
    assert pin(f"me/set@{COMMIT}", offline=True) == f"me/set@{COMMIT}"
    assert hub.requests == []


def test_only_data_are_fetched_and_only_once(hub):
    for name in ("README.md", "data/a.parquet", "x.py", ".gitattributes"):
        for revision in ("main", COMMIT):
            hub.add("me/set", name, name.encode(), revision=revision, repo_type="dataset")
    assert pin("me/set") == f"me/set@{COMMIT}"
    folder = fetched("me/set", COMMIT)
    assert sorted(p.name for p in folder.rglob("*") if p.is_file() and ".sha" not in p.name) >= [
        "README.md",
        "a.parquet",
    ]
    assert not list(folder.rglob("*.py"))
    asked = len(hub.requests)
    assert fetched("me/set", COMMIT) == folder and len(hub.requests) == asked


def test_offline_without_the_files(hub):
    with pytest.raises(UnavailableError, match=r"hf:me/set@v2: not fetched yet.*senbench datasets fetch hf:me/set@v2"):
        pin("me/set@v2", offline=True)
    with pytest.raises(UnavailableError, match="not fetched yet"):
        fetched("me/set", COMMIT, offline=True)
