"""The committed results of real models on WHU-RS19 give the accuracies that RS-TransCLIP recorded."""

from __future__ import annotations

import json

import pytest
from places import ROOT

from senbench.report.leaderboard import tables
from senbench.report.leaderboard.entries import read_all
from senbench.results import few_shot_text, single_prompts_file, store
from senbench.results.qualifications import codes

RESULTS = ROOT / "leaderboard" / "results"
MODELS = {
    "CLIP_RN50": "clip-rn50",
    "CLIP_ViT-B-32": "clip-vit-b-32",
    "CLIP_ViT-L-14": "clip-vit-l-14",
    "GeoRSCLIP_ViT-L-14": "georsclip-vit-l-14",
    "GeoRSCLIP_ViT-H-14": "georsclip-vit-h-14",
    "RemoteCLIP_RN50": "remoteclip-rn50",
    "RemoteCLIP_ViT-L-14": "remoteclip-vit-l-14",
    "SkyCLIP50_ViT-L-14": "skyclip-vit-l-14-top50",
}


@pytest.fixture(scope="module")
def results():
    return [r for r, _ in store.each(RESULTS) if r.dataset.id == "whu-rs19"]


def test_eight_models_with_four_packs_are_marked_and_small(results):
    assert len(results) == 32 and {r.model.id for r in results} == set(MODELS.values())
    assert {r.dataset.title for r in results} == {"WHU-RS19: aerial scenes, not Sentinel-2"}
    assert all("recorded-elsewhere" in codes(r) and r.recorded.licence == "MIT" for r in results)
    assert {r.prompts.id for r in results if r.recorded.declared} == {"averaged"}
    half = {r.model.id for r in results if "half-precision" in codes(r)}
    assert half == {"clip-rn50", "clip-vit-b-32", "clip-vit-l-14"}
    assert {r.contamination for r in results} == {"unknown", "same geography and sensor"}
    files = [path for path in RESULTS.rglob("*") if path.is_file() and "mini" not in str(path)]
    assert sum(path.stat().st_size for path in files) < 5_000_000


def test_the_averaged_prompt_is_ranked_with_intervals():
    boards = [b for b in tables.build(read_all(RESULTS)[0]) if b.first.result.dataset.id == "whu-rs19"]
    (board,) = boards
    assert board.declared == "averaged" and len(board.ranks) == 8
    best = {board_rank.best for board_rank in board.ranks.values()}
    assert 1 in best and {rank.of for rank in board.ranks.values()} == {8}


@pytest.mark.shared
def test_averaged_and_single_prompts_give_the_recorded_accuracies(results, shared):
    recorded = json.loads((shared / "rs-transclip-whurs19" / "recorded.json").read_text())
    (singles,) = single_prompts_file.load_all(RESULTS)
    declared = {r.model.id: r for r in results if r.recorded.declared}
    equal, together = {"float32": 0, "float16": 0}, {"float32": 0, "float16": 0}
    for name, own in recorded["models"].items():
        result = declared[MODELS[name]]
        assert 100 * result.metrics["top1"].value == pytest.approx(own["average"]["zero_shot"], abs=1e-9)
        theirs = [round(one["zero_shot"] / 100 * singles.n) for one in own["prompts"]]
        assert list(singles.prompts) == [f"{one['prompt']} CLASS." for one in own["prompts"]]
        off = [abs(a - b) for a, b in zip(singles.right[result.run_id], theirs, strict=True)]
        assert max(off) <= (0 if own["dtype"] == "float32" else 3)
        equal[own["dtype"]] += off.count(0)
        theirs = [round(one["transductive"] / 100 * singles.n) for one in own["prompts"]]
        off = [abs(a - b) for a, b in zip(singles.together[result.run_id], theirs, strict=True)]
        assert max(off) <= (0 if own["dtype"] == "float32" else 41)
        together[own["dtype"]] += off.count(0)
        averaged = own["average"]["transductive"] / 100 * singles.n
        assert singles.averaged_together[result.run_id] == pytest.approx(averaged, abs=1e-6)
    assert equal == {"float32": 530, "float16": 161}
    assert together == {"float32": 530, "float16": 269}


def test_few_labels_are_held_against_the_averaged_prompt(results):
    for r in results:
        assert (r.few_shot is not None) is r.recorded.declared
    declared = [r for r in results if r.recorded.declared]
    assert {r.few_shot.separation for r in declared} == {"halves"}
    assert {one.shots for r in declared for one in r.few_shot.figures} == {1, 2, 4, 8, 16}
    assert all(few_shot_text.sentence(r.few_shot).startswith("labels per class that reach") for r in declared)
