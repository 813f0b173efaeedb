"""`senbench map`: the map, what qualifies it, and errors of one line."""

from __future__ import annotations

import mapped_scenes
import numpy as np
import pytest
import rasterio


@pytest.fixture
def scene(mini_run, tmp_path):
    _, values = mapped_scenes.tiles(next(mini_run.home.glob("data/demo-*")))
    return mapped_scenes.write(tmp_path / "s.tif", mapped_scenes.mosaic(values, 5))


def mapped(senbench, mini_run, *words):
    return senbench("map", *words, "--like", "generic", "--results", mini_run.results, "--device", "cpu", "--offline")


def test_a_map_with_truth_says_how_far_they_agree(senbench, mini_run, scene, tmp_path):
    found = mapped(senbench, mini_run, scene, "--out", tmp_path / "first")
    assert found.code == 0, found.err
    assert found.out.strip() == str(tmp_path / "first" / "index.html")
    assert "20 classified" in found.err
    assert "synthetic" in found.err
    with rasterio.open(tmp_path / "first" / "classes.tif") as file:
        keys = [file.tags(1)[f"CLASS_{k}"] for k in range(10)]
        profile, values = file.profile, file.read(1)
    profile.update(driver="GTiff")
    with rasterio.open(tmp_path / "truth.tif", "w", **profile) as file:
        file.write(np.where(values == values[0, 0], values, 200), 1)
    (tmp_path / "t.csv").write_text("value,class\n" + "".join(f"{k},{key}\n" for k, key in enumerate(keys)))
    words = ("--truth", tmp_path / "truth.tif", "--truth-classes", tmp_path / "t.csv")
    found = mapped(senbench, mini_run, scene, "--out", tmp_path / "second", *words)
    assert found.code == 0, found.err
    assert "100.0 % of" in found.err
    assert "cells agree with truth.tif" in found.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("none.tif", "--out", "o"), 2, "no such scene"),
        (("s.tif", "--out", "s.tif"), 2, "exists"),
        (("s.tif", "--out", "o", "--window", "9999"), 2, "a window has 9999 x 9999"),
        (("s.tif", "--out", "o", "--stride", "77"), 2, "--stride 77"),
        (("s.tif", "--out", "o", "--dn-offset", "5"), 2, "--dn-offset '5'"),
        (("s.tif", "--out", "no/o"), 3, "there is no folder"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(senbench, mini_run, scene, tmp_path, monkeypatch, words, code, message):
    monkeypatch.chdir(tmp_path)
    found = mapped(senbench, mini_run, *words)
    assert found.code == code
    assert found.err.strip().splitlines()[-1].startswith("senbench: ")
    assert message in found.err
    assert [path.name for path in tmp_path.iterdir()] == ["s.tif"]
