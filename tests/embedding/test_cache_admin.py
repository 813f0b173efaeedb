"""The cache as a whole: what is in it, what is damaged, what is removed first."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest

from senbench.cli.cache import parse_size
from senbench.cli.main import application
from senbench.embedding import cache_admin
from senbench.embedding.cache_key import row_key
from senbench.embedding.row_cache import Store
from senbench.errors import UsageError
from senbench.io import checked_json


def fill(cache, model: str, n: int, used: float) -> Store:
    store = Store(cache, 4, {"kind": "image", "model": model, "dtype": "float32"})
    store.add([row_key(str(i).encode()) for i in range(n)], np.ones((n, 4), np.float32))
    os.utime(store.folder / "settings.json", (used, used))
    return store


@pytest.fixture
def cache(isolated_home):
    folder = isolated_home / "cache"
    for model, n, used in (("old", 10, 100.0), ("new", 20, 300.0), ("middle", 30, 200.0)):
        fill(folder, model, n, used)
    checked_json.write(folder / "models" / "a.json", {"logit_scale": 10.0})
    return folder


def test_stores_are_listed_by_use(cache):
    found = cache_admin.stores(cache)
    assert [kept.model for kept in found] == ["new", "middle", "old"]
    assert all(kept.kind == "image" and kept.shards == 1 and kept.bytes > 0 for kept in found)


def test_opening_a_store_makes_it_the_last_used(cache):
    Store(cache, 4, {"kind": "image", "model": "old", "dtype": "float32"})
    assert cache_admin.stores(cache)[0].model == "old"


def test_the_longest_unused_go_first_and_no_more_than_needed(cache):
    sizes = {kept.model: kept.bytes for kept in cache_admin.stores(cache)}
    assert [kept.model for kept in cache_admin.prune(cache, sizes["new"] + sizes["middle"])] == ["old"]
    assert [kept.model for kept in cache_admin.prune(cache, sizes["middle"])] == ["middle"]
    assert [kept.model for kept in cache_admin.stores(cache)] == ["new"]
    assert (cache / "models" / "a.json").is_file()


def test_what_a_killed_writer_left_is_removed_once_no_writer_can_be_alive(cache):
    folder = next(path for path in cache.iterdir() if len(path.name) == 32)
    for name, age in ((".a.safetensors.00", 7200), (".b.safetensors.00", 0)):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (time.time() - age,) * 2)
    cache_admin.prune(cache, 10**9)
    assert [path.name for path in folder.glob(".*")] == [".b.safetensors.00"]


def test_damage_is_named_and_left_as_it_is(cache):
    assert cache_admin.damaged(cache) == {}
    by_model = {kept.model: cache / kept.id for kept in cache_admin.stores(cache)}
    shard = next(by_model["old"].glob("*.safetensors"))
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    foreign = by_model["new"] / "settings.json"
    foreign.write_text(json.dumps({**json.loads(foreign.read_text()), "dtype": "bf16"}))
    assert cache_admin.damaged(cache) == {
        by_model["old"].name: [shard.name],
        by_model["new"].name: ["settings.json"],
    }
    assert shard.is_file()


def test_what_is_remembered_of_models_is_looked_at_and_removed_with_all(cache):
    text = (cache / "models" / "a.json").read_text()
    (cache / "models" / "a.json").write_text(text.replace("10.0", "17.0"))
    assert cache_admin.damaged(cache) == {"models": ["a.json"]}
    cache_admin.prune(cache, 10**9)
    assert (cache / "models").is_dir()
    cache_admin.prune(cache, 0)
    assert not (cache / "models").exists()


def test_commands(cache, capsys):
    application()(["cache", "list", "--json"], standalone_mode=False)
    assert [kept["model"] for kept in json.loads(capsys.readouterr().out)] == ["new", "middle", "old"]
    application()(["cache", "list"], standalone_mode=False)
    assert "image      middle" in capsys.readouterr().out
    application()(["cache", "verify"], standalone_mode=False)
    assert "3 stores are sound" in capsys.readouterr().err
    application()(["cache", "prune", "--max-size", "0"], standalone_mode=False)
    assert "removed 3 stores" in capsys.readouterr().err
    application()(["cache", "list"], standalone_mode=False)
    assert "0 stores" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("12", 12), ("20G", 20 * 10**9), ("1.5 GB", 1_500_000_000), ("500m", 500_000_000)]
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "1x", "1 2", "nan"])
def test_no_sizes(text):
    with pytest.raises(UsageError, match="give a size such as"):
        parse_size(text)
