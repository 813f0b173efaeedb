"""The page of the demo: whole figures, true marks, nothing that runs, and it fits a phone."""

from __future__ import annotations

import re

import generated_results as made
import numpy as np
import pytest
from tabs import Watched

from senbench.errors import UnavailableError
from senbench.report.demo_page import FACING, STYLES, DemoPlace, render, write
from senbench.results import predictions
from senbench.schema.factorial import CueFrame, ResampledDifference


def points(value: float, low: float, high: float) -> ResampledDifference:
    return ResampledDifference(value=value, ci=(low, high), interval="made up")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Two models with the four styles, how they compare, and three places."""
    folder = tmp_path_factory.mktemp("results")
    results = []
    for model in (0, 1):
        for style in STYLES:
            result, rest = made.one("made-scenes-located", model, style)
            made.save(folder, result, rest)
            results.append(result)
    cross = [
        CueFrame(
            model=name,
            cue=points(0.05, 0.02, 0.08),
            frame=points(-0.004, -0.02, 0.012),
            interaction=points(-0.03, -0.05, -0.01),
        )
        for name in ("ground-mini", "ground-mini-aligned-as-long-as-any")
    ]
    effects = made.compared(folder, results).model_copy(update={"cue_frame": tuple(cross)})
    rng = np.random.default_rng(0)
    places = [
        DemoPlace(
            f"tile_{k}", made.SINGLE[k], *(rng.integers(0, 255, s, np.uint8) for s in ((64, 64, 3), (4, 64, 64, 3)))
        )
        for k in range(3)
    ]
    return folder, results, effects, places


def test_figures_are_those_of_the_results(shown):
    page = render(*shown)
    _, results, effects, _ = shown
    for result in results:
        figure = result.metrics["top1"]
        assert f"{100 * figure.value:.1f}</span>" in page
        assert f"[{100 * figure.ci[0]:.1f}, {100 * figure.ci[1]:.1f}]" in page
    gain = results[4].metrics["top1"].value - results[0].metrics["top1"].value
    half = 0.01
    assert f"{100 * gain:+.1f} [{100 * (gain - half):+.1f}, {100 * (gain + half):+.1f}] points" in page
    assert f"{effects.draws} draws, tiles by cluster" in page


def test_after_minus_before_is_what_is_called_change(shown):
    folder, results, effects, places = shown
    text = render(folder, results, effects, places)
    swapped = render(folder, [*results[4:], *results[:4]], effects, places)
    assert text != swapped


def test_an_effect_is_shown_if_its_interval_leaves_out_zero(shown):
    page = render(*shown)
    told = re.findall(r"([+-][\d.]+ \[[+-][\d.]+, [+-][\d.]+\]) <small>(shown|not shown)</small>", page)
    assert told == 2 * [("+5.0 [+2.0, +8.0]", "shown")] + 2 * [("-0.4 [-2.0, +1.2]", "not shown")] + 2 * [
        ("-3.0 [-5.0, -1.0]", "shown")
    ]


def test_each_place_says_what_was_answered(shown):
    folder, results, _, places = shown
    page = render(*shown)
    for result in (results[0], results[4]):
        table = predictions.read(folder / result.run_id, result)
        for place in places:
            given = made.SINGLE[table.predicted[table.ids.index(place.tile_id)]]
            mark = ("right", "✓") if given == place.key else ("wrong", "✗")
            assert f'<span class="{mark[0]}">{mark[1]} {given}</span>' in page
    assert page.count("data:image/webp;base64,") == 5 * len(places)
    assert all(f"view to the {way}" in page for way in FACING)


def test_it_says_synthetic_first_and_runs_nothing(shown):
    page = render(*shown)
    body = page[page.index("<body>") :]
    assert body.index("Synthetic") < body.index("%")
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert render(*shown) == page


def test_a_folder_that_cannot_be_written(shown, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match="--out"):
        write(*shown, tmp_path / "file" / "index.html")


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 900, 1440])
def test_it_fits_its_window(shown, browser, tmp_path, width):
    page = write(*shown, tmp_path / "index.html")
    watched = Watched(browser, page.as_uri(), viewport={"width": width, "height": 900})
    tab = watched.open()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    boxes = tab.evaluate("[...document.images].map(i => [i.naturalWidth, i.getBoundingClientRect().width])")
    assert all(natural == 64 and drawn > 30 for natural, drawn in boxes)
    regions = tab.evaluate("[...document.querySelectorAll('.scroll')].map(r => [r.scrollWidth, r.clientWidth])")
    assert all(inner <= outer for inner, outer in regions)
    watched.close()
