"""SENBENCH_HOME and what lies below it; shipped data in a checkout and in a wheel."""

from __future__ import annotations

from pathlib import Path

import pytest
from places import ROOT

from senbench.runtime import paths


def test_home_is_what_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("SENBENCH_HOME", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert paths.home() == tmp_path / "mine"
    monkeypatch.setenv("SENBENCH_HOME", "~/mine")
    assert paths.home() == Path.home() / "mine"


@pytest.mark.parametrize("unset", [None, ""])
def test_home_is_in_the_users_cache_by_default(monkeypatch, tmp_path, unset):
    for name in ("SENBENCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "") if unset == "" else monkeypatch.delenv(name, raising=False)
    assert paths.home() == Path.home() / ".cache" / "senbench"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert paths.home() == tmp_path / "senbench"


def test_asking_makes_no_folder(isolated_home, monkeypatch):
    monkeypatch.setenv("SENBENCH_HOME", str(isolated_home / "deep" / "home"))
    paths.weights_folder("clip")
    assert list(isolated_home.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "folder"),
    [
        ("senclip-vit-b-32-avgpool", "senclip-vit-b-32-avgpool"),
        ("hf:owner/name", "hf--owner--name"),
        ("openclip:ViT-B-32/openai", "openclip--ViT-B-32--openai"),
    ],
)
def test_a_models_folder_is_one_below_weights(isolated_home, model, folder):
    assert paths.weights_folder(model) == isolated_home / "weights" / folder


def test_shipped_data_lie_beside_the_checkout_or_inside_the_wheel(monkeypatch, tmp_path):
    assert paths.shipped("prompts") == ROOT / "prompts"
    assert (paths.shipped("leaderboard") / "published.csv").is_file()
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "senbench")
    assert paths.shipped("prompts") == tmp_path / "prompts"
    (tmp_path / "senbench" / "_data" / "prompts").mkdir(parents=True)
    assert paths.shipped("prompts") == tmp_path / "senbench" / "_data" / "prompts"
