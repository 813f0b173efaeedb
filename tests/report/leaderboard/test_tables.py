"""Boards: what shares a rank, what never does, and that ranks are what the paired tests say."""

from __future__ import annotations

import shutil
from dataclasses import replace

import generated_results as made
import numpy as np
import pytest
from changed_results import changed
from generated_results import real

from senbench.errors import UsageError
from senbench.report.leaderboard import tables
from senbench.report.leaderboard.entries import read_all
from senbench.results.paired_inputs import all_pairs
from senbench.scoring.comparison.holm import holm_pairs


def build(folder, *changed):
    folder.mkdir(exist_ok=True)
    for result, rest in changed:
        made.save(folder, result, rest)
    return tables.build(read_all(folder)[0])


def six(dataset="made-scenes-located", styles=("generic", "aerial"), n=600, **change):
    found = [made.one(dataset, model, style, n) for model in range(6) for style in styles]
    return [(real(result, **change), rest) for result, rest in found]


@pytest.mark.parametrize("dataset", ["made-scenes", "made-scenes-located", "made-labels"])
def test_rank_intervals_count_the_significantly_better_and_worse(tmp_path, dataset):
    (board,) = build(tmp_path, *six(dataset))
    family = [e for e in board.entries if e.style == "generic"]
    assert {e.result.run_id for e in family} == set(board.ranks)
    pairs = all_pairs([e.paired for e in family])
    p = holm_pairs(pairs.p)
    assert (p < 0.05).any()
    for i, e in enumerate(family):
        better = sum(p[i, j] < 0.05 and pairs.difference[i, j] < 0 for j in range(6))
        worse = sum(p[i, j] < 0.05 and pairs.difference[i, j] > 0 for j in range(6))
        rank = board.ranks[e.result.run_id]
        assert (rank.best, rank.worst, rank.of) == (1 + better, 6 - worse, 6)


def test_only_the_declared_style_is_ranked_and_best_of_is_no_rank(tmp_path):
    (board,) = build(tmp_path, *six())
    assert board.declared == "generic"
    others = [e for e in board.entries if e.style == "aerial"]
    assert not {e.result.run_id for e in others} & set(board.ranks)
    for e in board.entries:
        best, choices = board.best_of[e.result.run_id]
        own = [x for x in board.entries if x.model == e.model]
        assert choices == 2
        assert best == max(own, key=lambda x: x.value).result.run_id


def test_access_levels_and_protocols_never_share_a_board(tmp_path):
    rows = six(styles=("generic",))
    levels = [(r.model_copy(update={"access_level": k % 4}), rest) for k, (r, rest) in enumerate(rows)]
    found = build(tmp_path, *levels)
    assert sorted(b.first.result.access_level for b in found) == [0, 1, 2, 3]
    for board in found:
        assert len({e.result.access_level for e in board.entries}) == 1
        assert all(rank.of == len(board.entries) for rank in board.ranks.values())


def test_fixed_predictions_are_not_ranked_at_level_2(tmp_path):
    (board,) = build(tmp_path, *six(styles=("generic",), access_level=2))
    assert not board.ranks
    assert all("too sure" in why for why in board.unranked.values())


def test_marked_runs_stand_apart(tmp_path):
    rows = six(styles=("generic",))
    changes = [
        {},
        {},
        {"contamination": "images"},
        {"contamination": "images"},
        {"complete": False, "dataset": {"index_hash": "f" * 64}},
        {"resolved": {"overrides": ("ensemble",)}},
    ]
    pairs = zip(rows, changes, strict=True)
    (board,) = build(tmp_path, *((changed(r, **change), rest) for (r, rest), change in pairs))
    status = {e.result.run_id: e.status for e in board.entries}
    assert list(dict.fromkeys(e.status for e in board.entries)) == [
        "as declared",
        "changed",
        "not zero-shot",
        "incomplete",
    ]
    assert {status[name] for name in board.ranks} == {"as declared", "not zero-shot"}
    assert all(rank.of == 2 for rank in board.ranks.values())
    assert any("incomplete" in why for why in board.unranked.values())


def test_synthetic_models_are_ranked_apart_on_real_tiles(tmp_path):
    rows = six(styles=("generic",))
    marked = [(changed(r, model={"synthetic": k < 2}), x) for k, (r, x) in enumerate(rows)]
    (board,) = build(tmp_path, *marked)
    assert sorted(rank.of for rank in board.ranks.values()) == [2, 2, 4, 4, 4, 4]


def test_reduced_precision_and_a_users_file_are_not_ranked(tmp_path):
    rows = six(styles=("generic",))
    half = changed(rows[0][0], environment={"dtype": "bf16"})
    own = changed(rows[1][0], prompts={"source": "generic.j2"})
    (board,) = build(tmp_path, (half, rows[0][1]), (own, rows[1][1]), *rows[2:])
    assert not {half.run_id, own.run_id} & set(board.ranks)
    assert len(board.ranks) == 4


def test_no_predictions_no_rank(tmp_path):
    rows = six(styles=("generic",))
    build(tmp_path, *rows)
    (tmp_path / rows[0][0].run_id / "predictions.parquet").unlink()
    (board,) = tables.build(read_all(tmp_path)[0])
    assert rows[0][0].run_id not in board.ranks
    assert board.unranked[rows[0][0].run_id] == "no per-image predictions"
    assert all(rank.of == 5 for rank in board.ranks.values())


def test_predictions_of_another_run_are_refused(tmp_path):
    rows = six(styles=("generic",))
    build(tmp_path, *rows)
    name, other = rows[0][0].run_id, rows[1][0].run_id
    shutil.copy(tmp_path / other / "predictions.parquet", tmp_path / name / "predictions.parquet")
    with pytest.raises(UsageError, match=f"{name}: predictions.parquet"):
        read_all(tmp_path)


def test_the_order_of_images_does_not_matter(tmp_path):
    rows = six("made-scenes", styles=("generic",))
    (before,) = build(tmp_path / "a", *rows)
    turned = []
    for k, (r, rest) in enumerate(rows):
        order = np.random.default_rng(k).permutation(len(rest.ids))
        rows_of = {name: getattr(rest, name)[order] for name in ("labels", "predicted", "scores")}
        turned.append((r, replace(rest, ids=tuple(rest.ids[i] for i in order), **rows_of)))
    (after,) = build(tmp_path / "b", *turned)
    assert before.ranks == after.ranks


def test_paired_differences_between_styles(tmp_path):
    (board,) = build(tmp_path, *six(styles=("generic", "aerial", "ground")))
    assert len(board.deltas) == 6 * 3
    value = {e.result.run_id: e.value for e in board.entries}
    for d in board.deltas:
        assert d.difference == pytest.approx(value[d.first] - value[d.second])
        assert d.half > 0
