"""Which results stand together, the best of them, and those that tests do not tell from it."""

from __future__ import annotations

import numpy as np
import pytest
import runs
from changed_results import changed
from runs import folders

from senbench.report.export import formats, latex
from senbench.results import paired_inputs
from senbench.results.standings import standings
from senbench.scoring.comparison import all_pairs


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return runs.three(tmp_path_factory.mktemp("three"))


def test_clustered_tests_where_there_are_clusters(tmp_path):
    for name, share in (("best", 0.05), ("near", 0.07), ("far", 0.6)):
        runs.run(tmp_path, name, share, runs.located(200))
    (board,) = standings(*folders(tmp_path))
    assert board.tests.startswith("paired-cluster-jackknife-t (50 clusters")
    assert {r.model.id for r in board.results if r.run_id in board.tied} == {"near"}


def test_several_labels_are_tested_by_replicates(tmp_path):
    for name, share in (("best", 0.02), ("far", 0.7)):
        runs.run(tmp_path, name, share, runs.multi())
    (board,) = standings(*folders(tmp_path))
    assert board.tests.startswith("paired-cluster-jackknife-t")
    assert not board.tied


def test_ties_are_after_holm(three, monkeypatch):
    """0.03 is significant alone, and no longer beside another: Holm takes it to 0.06."""
    p = np.array([[1, 0.03, 0.001], [0.03, 1, 0.04], [0.001, 0.04, 1]])
    found = all_pairs.Pairwise(np.zeros((3, 3)), np.ones((3, 3)), p, "made up", np.full((3, 3), np.inf))
    monkeypatch.setattr(paired_inputs, "all_pairs", lambda family: found)
    (board,) = standings(*folders(three))
    assert [r.model.id for r in board.results if r.run_id in board.tied] == ["near"]


def test_runs_that_know_other_clusters_are_not_paired(tmp_path):
    runs.run(tmp_path, "a", 0.1, runs.located(200))
    runs.run(tmp_path, "b", 0.3, runs.stubs.tiles(200))
    (board,) = standings(*folders(tmp_path))
    assert board.tests == "none: predictions of other images or clusters"


def test_access_levels_never_meet(tmp_path):
    runs.run(tmp_path, "a", 0.3)
    runs.run(tmp_path, "b", 0.1, postprocess="column-mean")
    found = standings(*folders(tmp_path))
    assert [b.first.access_level for b in found] == [0, 2]
    assert r"\textbf" not in formats.to_latex(*folders(tmp_path))  # one entry each: nothing is best


def test_synthetic_and_real_never_meet(tmp_path):
    r = runs.run(tmp_path, "a")
    other = changed(r, run_id="x", model={"synthetic": True})
    assert len(standings([r, other], {})) == 2


def test_no_predictions_no_marks(three, tmp_path):
    found, where = folders(three)
    (board,) = standings(found, dict.fromkeys(where, tmp_path))
    assert not board.tied
    assert board.tests == "none: no per-image predictions"
    assert "not tested" in latex.table(board)
