"""What the settings of a run say of what it may touch."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from senbench.runtime.access import Access
from senbench.schema.run_spec import RunSpec

CELL = {"models": ("mini",), "prompts": ("clip",)}


def test_the_defaults_are_those_of_a_run(isolated_home):
    found = Access.of(RunSpec(**CELL))
    assert found == Access(cache=isolated_home / "cache")
    assert (found.offline, found.accept_new_weights, found.device, found.dtype) == (False, False, "auto", "float32")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("offline", True),
        ("data_dir", "/data"),
        ("weights", "/w.pt"),
        ("accept_new_weights", True),
        ("device", "cuda:1"),
        ("dtype", "bf16"),
    ],
)
def test_every_setting_is_handed_on_by_itself(name, value):
    found = Access.of(RunSpec(**CELL, **{name: value}))
    usual = Access.of(RunSpec(**CELL))
    changed = {field for field in vars(found) if getattr(found, field) != getattr(usual, field)}
    assert changed == {name}
    assert getattr(found, name) == value


def test_without_a_cache_nothing_is_kept():
    assert Access.of(RunSpec(**CELL, cache=False)).cache is None


def test_the_cache_follows_home(monkeypatch, tmp_path):
    monkeypatch.setenv("SENBENCH_HOME", str(tmp_path / "other"))
    assert Access.of(RunSpec(**CELL)).cache == tmp_path / "other" / "cache"


def test_it_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Access().offline = True  # type: ignore[misc]
