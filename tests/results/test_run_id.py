"""The id of a run: of all that decides its scores, and of nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import runs
from changed_results import changed
from places import ROOT

from senbench.results import predictions, store
from senbench.results.run_id import run_id

SCORES = np.zeros((2, 3), np.float32)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return runs.run(tmp_path_factory.mktemp("id"))


def own(r, scores=SCORES, dtype="float32", seed=0):
    return run_id(r.model, r.dataset, r.prompts, r.resolved, dtype, seed, scores)


def test_ids_of_committed_results_are_still_theirs():
    for folder in store.folders(ROOT / "leaderboard" / "results"):
        r = store.load(folder)
        scores = predictions.read(folder, r).scores
        assert own(r, scores, r.environment.dtype, r.spec.seed) == r.run_id == folder.name


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"weights_sha256": "1" * 64}},
        {"model": {"note": "another"}},
        {"dataset": {"radiometry": "dn2000"}},
        {"dataset": {"content_hash": "0"}},
        {"prompts": {"hash": "0"}},
        {"prompts": {"access_level": 1}},
        {"resolved": {"ensemble": "max"}},
    ],
)
def test_what_decides_the_scores_is_in_it(result, change):
    assert own(changed(result, **change)) != own(result)


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": {"source": "elsewhere", "packed": "0", "licence": "x", "skipped": (), "title": "X"}},
        {"dataset": {"rendering": {"mean": 1}, "dn_offset_from": "x"}},
        {"resolved": {"note": "x", "model": "another name", "prompts": "p.j2", "dataset": "d"}},
        {"timings": {"images": 3.0}},
        {"prompts": {"access_level": 0, "provenance": {"a": 1}}},
    ],
)
def test_what_is_only_told_is_not(result, change):
    assert own(changed(result, **change)) == own(result)


def test_precision_and_seed_are_in_it_and_scores_only_of_a_users_object(result):
    assert len({own(result), own(result, dtype="bf16"), own(result, seed=1)}) == 3
    assert own(result, SCORES + 1) == own(result)
    user = changed(result, model={"weights_sha256": None})
    assert own(user, SCORES + 1) != own(user)


def test_it_is_a_file_name(result):
    name = own(changed(result, model={"id": "a/b c:" + "x" * 60}))
    assert name.startswith("a-b-c-" + "x" * 42 + "_custom_stub_all_standard_")
