"""References: every card and dataset has its own, and only what was used is cited."""

from __future__ import annotations

import re

import pytest
import runs
from changed_results import changed

from senbench.models import registry
from senbench.report.citation import bibliography
from senbench.report.citation.citation import cite
from senbench.results.standings import standings


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cite")
    r = runs.run(folder, "good", 0.2, runs.located(60))
    return r, {r.run_id: folder / r.run_id}


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


def bib(r):
    return bibliography.bibtex(standings([r], {}))
