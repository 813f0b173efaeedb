"""What is pasted into a paper says what the result says, cites what was used, and nothing in a name escapes."""

from __future__ import annotations

import pytest
import runs
from changed_results import changed

from senbench.report.citation.citation import PARTS, cite


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cite")
    r = runs.run(folder, "good", 0.2, runs.located(60))
    return r, {r.run_id: folder / r.run_id}


def test_methods_say_what_was_recorded(found):
    r, folders = found
    text = cite([r], folders, ["methods"])
    for said in (
        "all 60 images of the split all",
        r.dataset.index_hash[:12],
        r.prompts.hash[:12],
        "3 prompts",
        "class names of the set",
        "protocol standard",
        "norm-mean-norm",
        "Access level 0",
        "native-jpeg",
        "cluster-wilson-t (15 clusters",
        "good: unknown",
        "numpy",
    ):
        assert said in text, said
    assert text.count("\n") == 1
    told = cite([changed(r, dataset={"n_expected": 90}, complete=False)], {}, ["methods"])
    assert "60 of 90 images (incomplete)" in told
    assert "divided by their mean" in cite([changed(r, postprocess="column-mean", access_level=2)], {}, ["methods"])
    assert "Changed against the protocol in 1 of 1 runs: ensemble" in cite(
        [changed(r, resolved={"overrides": ["ensemble"]})], {}, ["methods"]
    )
    assert not cite([changed(r, contamination="images")], {}, ["methods"]).startswith("Zero-shot")


def test_checklist_says_missing(found):
    r, folders = found
    text = cite([r], folders, ["checklist"])
    assert f"[x] Split hash (ids and labels, sha256): {r.dataset.index_hash}" in text
    assert f"[x] Prompts hash (sha256): {r.prompts.hash}" in text
    assert "[x] Access level: 0" in text
    assert "[ ] How the prompts were chosen (on which images, if any): MISSING" in text
    without = changed(r, model={"weights_sha256": None}, dataset={"index_hash": ""}, environment={"versions": {}})
    without = without.model_copy(
        update={"metrics": {**r.metrics, "top1": r.metrics["top1"].model_copy(update={"ci": None})}}
    )
    text = cite([without], folders, ["checklist"])
    for item in (
        "Weights sha256",
        "Split hash (ids and labels, sha256)",
        "Headline with 95 % interval",
        "Kind of interval",
    ):
        assert f"[ ] {item}: MISSING" in text, item


def test_hostile_names_stay_names(tmp_path):
    r = runs.run(tmp_path, runs.HOSTILE)
    r = changed(r, model={"family": "evil", "citation": runs.HOSTILE, "title": runs.HOSTILE})
    folders = {r.run_id: tmp_path}
    for part in ("table", "bibtex"):
        text = cite([r], folders, [part])
        assert r"\input" not in text
        assert text.count("{") == text.count("}")
        assert "cmd" in text
    assert cite([r], folders, ["methods"]).count("\n") == 1
    lines = cite([r], folders, ["checklist"]).splitlines()
    assert all(line.startswith(("[", "Reporting")) for line in lines)


def test_parts_come_in_order(found):
    text = cite([found[0]], found[1])
    assert [line[5:-5] for line in text.splitlines() if line.startswith("%%%%")] == list(PARTS)
