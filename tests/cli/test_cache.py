"""`senbench cache`: the stores of a real run, damaged ones, and pruning."""

from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.cli.cache import UNITS, parse_size
from senbench.errors import UsageError


@pytest.fixture
def own(mini_home, isolated_home):
    """A copy of the run's cache that may be damaged."""
    shutil.copytree(mini_home.home / "cache", isolated_home / "cache")
    return isolated_home / "cache"


def test_list_verify_and_prune(senbench, own):
    listed = json.loads(senbench("cache", "list", "--json").out)
    assert {"image", "text"} <= {store["kind"] for store in listed}
    done = senbench("cache", "list")
    assert [line.split()[0] for line in done.out.splitlines()] == [store["id"][:12] for store in listed]
    assert done.err.startswith(f"{len(listed)} stores, ")
    assert senbench("cache", "verify").err == f"{len(listed)} stores are sound\n"
    done = senbench("cache", "prune", "--max-size", "0", "--json")
    assert set(json.loads(done.out)) == {store["id"] for store in listed}
    assert f"removed {len(listed)} stores" in done.err
    assert senbench("cache", "list", "--json").out == "[]\n"


def test_a_damaged_file_is_named(senbench, own):
    shard = next(path for path in own.rglob("*") if path.suffix in (".npy", ".npz", ".rows", ".safetensors"))
    shard.write_bytes(shard.read_bytes()[:-3])
    done = senbench("cache", "verify", "--json")
    assert done.code == 3
    assert shard.name in done.out
    assert "1 damaged file: the next run" in done.err


@settings(deadline=None)
@given(n=st.integers(0, 10**6), unit=st.sampled_from(list(UNITS)), end=st.sampled_from(["", "b", " B"]))
def test_sizes_are_powers_of_ten(n, unit, end):
    assert parse_size(f"{n}{unit.upper()}{end}".replace(" B", f"{' ' * (not unit)}B")) == n * UNITS[unit]


@pytest.mark.parametrize("text", ["", "G", "-1G", "1x", "1 2", "nan"])
def test_no_size(text):
    with pytest.raises(UsageError, match="give a size such as"):
        parse_size(text)
