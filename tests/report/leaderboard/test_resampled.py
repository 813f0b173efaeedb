"""Comparisons under prompts drawn anew on the page: those of the results beside them, and no others."""

from __future__ import annotations

import generated_results as made
import pytest

from senbench.errors import UsageError
from senbench.report.leaderboard import page, resampled
from senbench.results import factorial_file

STYLES = ("generic", "aerial", "ground")


def grid(folder, dataset="made-scenes-located", models=(1, 2), n=60):
    folder.mkdir(exist_ok=True)
    found = [made.one(dataset, model, style, n) for model in models for style in STYLES]
    for result, rest in found:
        made.save(folder, result, rest)
    return [result for result, _ in found]


def rows(folder):
    """(kind, run ids of the terms, figures) by title of the board."""
    data = page.collect(folder)[2]
    name = [dict(zip(data["columns"], run, strict=True))["id"] for run in data["runs"]]
    return {
        b["dataset"]: [(kind, tuple(name[k] for k in places), rest) for kind, places, *rest in b["resampled"]["rows"]]
        for b in data["boards"]
    }


def test_each_comparison_stands_with_the_runs_it_compares(tmp_path):
    results = grid(tmp_path)
    grid(tmp_path, "made-labels")
    made.compared(tmp_path, results)
    found = rows(tmp_path)
    assert found["made-labels"] == []
    kinds = [kind for kind, *_ in found["made-scenes-located"]]
    assert kinds == [0] * 6 + [1] * 3 + [2] * 3
    value = {r.run_id: r.metrics["top1"].value for r in results}
    for _, terms, (difference, low, high, prompts, tiles, _) in found["made-scenes-located"]:
        figures = [value[name] for name in terms]
        own = sum(g * v for g, v in zip((1, -1, -1, 1), figures, strict=False))
        assert difference == pytest.approx(own, abs=1e-5)
        assert (high - low, prompts, tiles) == pytest.approx((0.02, 0.0025, 0.005), abs=2e-5)


def test_results_made_anew_since_are_said(tmp_path):
    results = grid(tmp_path)
    found = made.compared(tmp_path, results)
    first = found.contrasts[0].points
    points = first.model_copy(update={"value": first.value + 1e-4})
    contrast = found.contrasts[0].model_copy(update={"points": points})
    factorial_file.save(tmp_path, found.model_copy(update={"contrasts": (contrast, *found.contrasts[1:])}))
    with pytest.raises(UsageError, match="made anew since"):
        page.collect(tmp_path)


def test_a_comparison_of_a_run_that_is_gone_is_left_out(tmp_path):
    results = grid(tmp_path)
    made.compared(tmp_path, results)
    made.compared(tmp_path, results[:2])
    for path in (tmp_path / results[-1].run_id).iterdir():
        path.unlink()
    (tmp_path / results[-1].run_id).rmdir()
    assert len(rows(tmp_path)["made-scenes-located"]) == 1


def test_of_very_many_the_declared_style_comes_first(tmp_path, monkeypatch):
    made.compared(tmp_path, grid(tmp_path))
    monkeypatch.setattr(resampled, "MOST", 7)
    board = page.collect(tmp_path)[2]["boards"][0]["resampled"]
    assert board["left"] == 12 - 7
    assert [kind for kind, *_ in board["rows"]] == [0] * 4 + [1, 2, 2]
    assert all("generic" in " ".join(terms) for _, terms, _ in rows(tmp_path)["made-scenes-located"])


def test_a_damaged_file_is_named(tmp_path):
    made.compared(tmp_path, grid(tmp_path))
    (path,) = tmp_path.glob("factorial-*.json")
    path.write_text('{"schema_version": 1, "run_ids": "x"}', encoding="utf-8")
    with pytest.raises(UsageError, match=path.name):
        page.collect(tmp_path)


def test_ranks_with_prompts_drawn_anew_stand_beside_those_with_prompts_as_they_are(tmp_path):
    results = grid(tmp_path)
    found = made.compared(tmp_path, results)

    def ranks(p, kept=lambda contrast: True):
        contrasts = tuple(
            c.model_copy(update={"points": c.points.model_copy(update={"p": p})}) for c in found.contrasts if kept(c)
        )
        factorial_file.save(tmp_path, found.model_copy(update={"contrasts": contrasts}))
        data = page.collect(tmp_path)[2]
        name = [dict(zip(data["columns"], run, strict=True))["id"] for run in data["runs"]]
        return {name[place]: tuple(rest) for place, *rest in data["boards"][0]["resampled"]["ranks"]}

    first, second = sorted((r for r in results if r.prompts.id == "generic"), key=lambda r: -r.metrics["top1"].value)
    assert ranks(0.2) == {first.run_id: (1, 2, 2), second.run_id: (1, 2, 2)}
    assert ranks(0.01) == {first.run_id: (1, 1, 2), second.run_id: (2, 2, 2)}
    assert ranks(None) == {}
    assert ranks(0.01, lambda contrast: contrast.kind != "models") == {}
