"""What is pasted into a paper says what the result says, cites what was used, and nothing in a name escapes."""

from __future__ import annotations

import re

import pytest
import runs
from changed_results import changed

from senbench.models import registry
from senbench.report.citation import bibliography
from senbench.report.citation.citation import PARTS, cite
from senbench.results.standings import standings


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cite")
    r = runs.run(folder, "good", 0.2, runs.located(60))
    return r, {r.run_id: folder / r.run_id}


def bib(r):
    return bibliography.bibtex(standings([r], {}))


def test_every_entry_is_whole():
    entries = bibliography.entries()
    raw = bibliography.FILE.read_text()
    assert len(entries) == raw.count("\n@") == raw.count("\n% for:")
    for key, (topics, text) in entries.items():
        assert text.count("{") == text.count("}"), key
        assert topics
        assert re.search(r"^  title +=", text, re.M), key
        assert re.search(r"^  author +=", text, re.M), key
        year = int(re.search(r"year +=.*?(\d{4})", text)[1])
        if arxiv := re.search(r"eprint +=.*?(\d\d)\d\d\.\d{4,5}", text):
            assert 0 <= year - (2000 + int(arxiv[1])) <= 2, key


def test_every_shipped_card_has_its_reference_and_the_arxiv_id_agrees(found):
    r, _ = found
    entries = bibliography.entries()
    for card in registry.cards().values():
        if card.family == "mini":
            continue
        one = changed(r, model={"family": card.family, "citation": card.citation, "id": card.id})
        keys = bibliography.keys(one, ("family", "citation"))
        assert keys, card.id
        assert not keys[0].startswith("model-"), card.id
        arxiv = card.citation.removeprefix("arXiv:")
        assert any(arxiv in entries[key][1] for key in keys), card.id


def test_every_dataset_has_its_reference(found):
    from senbench.datasets.open import list_datasets

    for info in list_datasets():
        one = changed(found[0], dataset={"id": info.id})
        keys = bibliography.keys(one, ("collection", "dataset"))
        assert bool(keys) is not info.synthetic, info.id
        doi = re.search(r"(10\.\S+|\d{4}\.\d{5})$", info.citation)
        if doi and not info.synthetic:
            assert any(doi[1] in bibliography.entries()[key][1] for key in keys), info.id


def test_tools_and_methods_that_were_used_and_no_others(found):
    r, _ = found
    plain = bib(r)
    assert "carter2017clusters" in plain
    assert "kumar2019calibration" in plain
    for unused in ("paszke2019", "ilharco2021", "pedregosa2011", "efron1979", "jain2025", "stewart2022", "holm1979"):
        assert unused not in plain
    one = changed(r, model={"adapter": "senbench.models.openclip:OpenClipAdapter", "family": "SenCLIP"})
    one = changed(one, dataset={"id": "eurosat-rgb", "split": "random-test"})
    for used in ("paszke2019", "ilharco2021", "jain2025", "helber2019", "neumann2019", "stewart2022"):
        assert used in bib(one)
    assert "wolf2020" not in bib(one)
    assert "neumann2019" not in bib(changed(one, dataset={"split": "spatial-test"}))


def test_a_card_of_ones_own_is_cited_by_what_it_states(found):
    one = changed(
        found[0], model={"family": "mine", "id": "my_clip/1", "title": "My CLIP", "citation": "arXiv:2601.00001"}
    )
    assert "@misc{model-my-clip-1," in bib(one)
    assert "eprint    = {2601.00001}" in bib(one)
    assert "[model-my-clip-1]" in cite([one], {}, ["methods"])


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
        "cluster-jackknife-t (15 clusters",
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
