"""The page of a map: self-contained, escaped, without script, and it says what a map is not."""

from __future__ import annotations

import re

import pytest

from senbench.report import map_page
from senbench.schema.map_facts import ClassShare, Figure95, MapFacts, MapTruth, TruthClass

HOSTILE = "<img src=x onerror=alert(1)>"


def facts(n=3, **change):
    classes = tuple(
        ClassShare(key=f"k{k}", name=f"{HOSTILE}{k}", colour=f"#0000{k:02x}", cells=k, share=k / 3, km2=0.41 * k)
        for k in range(n)
    )
    fields = {
        "senbench": "0", "run": "run_1", "model": f"m {HOSTILE}", "weights_sha256": "a" * 64, "prompts": "ground",
        "prompts_sha256": "b" * 64, "dataset": "EuroSAT, test", "headline": "top1 50.0 %", "task": "single-label",
        "scene": f"s{HOSTILE}.tif", "level": "L2A", "radiometry": "dn2000", "crs": "EPSG:32633", "pixel_m": 10.0,
        "scene_pixels": (128, 192), "window_pixels": 64, "ground_known": True, "stride_pixels": 64, "cells": (2, 3),
        "classified": 3,
        "windows": {"classified": 3, "no data": 2, "incomplete at the edge": 1}, "clouds": "none known",
        "marks": (f"mark {HOSTILE}",), "classes": classes, "seconds": 1.0,
    }  # fmt: skip
    return MapFacts(**fields | change)


def truth():
    figure = Figure95(value=0.5, ci=(0.4, 0.6), interval="by blocks")
    one = TruthClass(
        key=HOSTILE, truth=3, mapped=4, recall=figure, precision=Figure95(value=None), f1=figure, share_truth=figure,
        share_mapped=figure,
    )  # fmt: skip
    return MapTruth(
        source=f"lc{HOSTILE}.tif", cells=5, unknown=1, blocks=9, agreement=figure, balanced=figure, f1_macro=figure,
        purity=0.9, classes=(one,), confusion=((3,),),
    )  # fmt: skip


@pytest.mark.parametrize("change", [{}, {"truth": truth()}, {"task": "multi-label", "ground_known": False}])
def test_whatever_came_from_outside_is_text(change):
    page = map_page.render(facts(**change), b"scene", b"map")
    assert HOSTILE not in page
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!data:image/webp;base64,)', page)
    assert "default-src 'none'" in page
    assert "not a segmentation" in page
    assert "not calibrated" in page


def test_marks_shares_and_windows_stand_on_it():
    page = map_page.render(facts(), None, b"map")
    assert "mark &lt;img" in page
    assert "66.7" in page
    assert "3 classified, 2 no data, 1 incomplete at the edge" in page
    assert "The scene</figcaption>" not in page


def test_the_comparison_has_figures_with_intervals():
    page = map_page.render(facts(truth=truth()), None, b"map")
    assert '50.0 <span class="soft">[40.0, 60.0]</span> % of 5 cells agree' in page


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 900, 1440])
def test_nothing_runs_over_the_edge(browser, tmp_path, width):
    (tmp_path / "index.html").write_text(map_page.render(facts(10, truth=truth()), b"scene", b"map"), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((tmp_path / "index.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("getComputedStyle(document.querySelector('.c2')).backgroundColor") == "rgb(0, 0, 2)"
    page.close()
