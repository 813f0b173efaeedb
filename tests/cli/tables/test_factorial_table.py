"""Styles against models as they are printed: whole figures at any width, and what a reader must know."""

from __future__ import annotations

import pytest
from rich.console import Console

from senbench.cli.tables import factorial_table
from senbench.cli.tables.factorial_table import print_factorial
from senbench.schema.factorial import ClassDifference, Contrast, Factorial, ResampledDifference


def difference(value, ci=None, interval="crossed bootstrap"):
    return ResampledDifference(value=value, ci=ci, p=None, error_prompts=None, error_images=None, interval=interval)


def contrast(kind, models, styles, points, **change):
    classes = (("Field", 0.01), ("Lake", 0.2))
    return Contrast(
        kind=kind, models=models, styles=styles, control=False, matched=None, points=points,
        log_odds=difference(0.5, (0.25, 0.75)),
        per_class=tuple(
            ClassDifference(key=key, points=difference(-0.125, (-0.2, -0.05)), p_holm=p) for key, p in classes
        ),
        **change,
    )  # fmt: skip


@pytest.fixture
def found():
    return Factorial(
        run_ids=("r",), dataset="stub", split="test", index_hash="0", headline="top1", access_levels=(0,),
        class_names={"Field": "a field", "Lake": "a lake"}, seed=0, draws=500, units=11, clustered=False,
        contrasts=(
            contrast("styles", ("m",), ("ground", "aerial"), difference(0.034, (0.012, 0.056))),
            contrast("models", ("m", "n"), ("ground",), difference(-0.02, None, "none: 4 clusters, 5 are needed")),
            contrast("interaction", ("m", "n"), ("ground", "aerial"), difference(None)),
        ),
        notes=("one note",),
    )  # fmt: skip


@pytest.mark.parametrize("width", [50, 200])
def test_figures_are_whole_at_any_width(found, width, capsys, monkeypatch):
    monkeypatch.setattr(factorial_table, "make_console", lambda stderr: Console(width=width, highlight=False))
    print_factorial([found], stderr=False)
    said = " ".join(capsys.readouterr().out.split())
    for figure in ("+3.4 [+1.2, +5.6]", "+0.50 [+0.25, +0.75]", "-2.0 [-]", "-12.5 [-20.0, -5.0] *"):
        assert figure in said
    for words in (
        "Styles and models on stub test: differences in top-1, points",
        "intervals from 500 draws of prompts within class, crossed with draws of tiles (too narrow",
        "[-]: 4 clusters, 5 are needed",
        "interaction: the styles' difference of the first model minus that of the second",
        "- one note",
    ):
        assert words in said


def test_only_what_is_below_005_after_holm_has_a_star(found, capsys):
    print_factorial([found], stderr=False)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith(("a field", "a lake"))]
    assert rows and all(("*" in row) == ("a field" in row) for row in rows)


def test_why_there_is_no_comparison(capsys):
    print_factorial(["styles and models are not compared: incomplete"], stderr=True)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "- styles and models are not compared: incomplete\n")
