"""SenCLIP's prompt files: fetched and checked, usable as styles, aligned by name, refused when they are others."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import senclip_files
from typer.testing import CliRunner

from senbench.cli.prompts import app
from senbench.datasets.open import dataset_info
from senbench.errors import UnavailableError, UsageError
from senbench.prompts import load_prompts, load_vocabulary, senclip_release
from senbench.runtime import paths

COUNTS = {
    ("senclip-aerial", "eurosat"): {46: 10},
    ("senclip-ground", "eurosat"): {51: 10},
    ("senclip-ground-aerial", "eurosat"): {46: 10},
    ("senclip-aerial", "bigearthnet-v2"): {21: 18, 22: 1},
    ("senclip-ground", "bigearthnet-v2"): {50: 19},
    ("senclip-ground-aerial", "bigearthnet-v2"): None,
}


def load(style: str, dataset: str):
    info = dataset_info(dataset)
    return load_prompts(style, info, load_vocabulary(info.vocabulary))


@pytest.fixture
def release(hub, monkeypatch):
    """Six files of our own at a local address, under the release's names, their hashes pinned instead."""
    made = {name: senclip_files.content(name) for name in senclip_release.SHA256}
    for name, data in made.items():
        hub.add_url(f"/prompts/{name}", data)
    monkeypatch.setattr(senclip_release, "ADDRESS", f"{hub.url}/prompts")
    senclip_files.pin(monkeypatch)
    return made


def test_six_files_are_fetched_once_with_one_word_on_the_licence(release, hub, capsys):
    files = senclip_release.fetch()
    assert [path.name for path in files] == sorted(senclip_release.SHA256)
    assert {path.parent for path in files} == {paths.home() / "prompts" / "senclip"}
    assert [path.read_bytes() for path in files] == [release[path.name] for path in files]
    err = capsys.readouterr().err
    assert err.count("states no licence for its prompts: for your own use, not to be passed on") == 1
    asked = len(hub.requests)
    assert senclip_release.fetch() == files and senclip_release.fetch(offline=True) == files
    assert len(hub.requests) == asked
    assert "licence" not in capsys.readouterr().err


def test_an_interrupted_fetch_goes_on(release, hub):
    name = sorted(senclip_release.SHA256)[3]
    hub.files[f"/prompts/{name}"].status = 503
    with pytest.raises(UnavailableError, match=name):
        senclip_release.fetch()
    assert len(list(senclip_release.folder().glob("*.json"))) == 3
    hub.files[f"/prompts/{name}"].status = 200
    before = len(hub.requests)
    assert len(senclip_release.fetch()) == 6
    assert not any(sorted(senclip_release.SHA256)[0] in request[1] for request in hub.requests[before:])


def test_a_damaged_download_is_not_kept(release, hub):
    hub.files[f"/prompts/{sorted(senclip_release.SHA256)[0]}"].corrupt = True
    with pytest.raises(UnavailableError, match=r"sha256 is .* expected .* run again"):
        senclip_release.fetch()
    assert not list(senclip_release.folder().glob("*.json"))


def test_the_command_and_the_styles(release):
    result = CliRunner().invoke(app, ["fetch", "senclip"], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout.count("sha256") == 6
    for style, claim in senclip_release.STYLES.items():
        for dataset in ("eurosat", "bigearthnet-v2"):
            prompts = load(style, dataset)
            assert (prompts.id, prompts.style, prompts.version) == (style, claim, None)
            assert prompts.source.startswith("SenCLIP 4b9b4c2, prompt_")
            expected = senclip_files.sentences(prompts.source.rpartition(", ")[2])
            assert [prompts.texts[k] for k in dataset_info(dataset).classes] == [expected[n] for n in prompts.names]
    with pytest.raises(UsageError, match=r"unknown prompt set to fetch 'senclp'\. Did you mean 'senclip'"):
        CliRunner().invoke(app, ["fetch", "senclp"], catch_exceptions=False)


def test_what_is_not_there_says_what_to_run():
    with pytest.raises(
        UnavailableError, match=r"senclip-ground: prompt_eurosat_ground_mixed.json is not in .*`senbench"
    ):
        load("senclip-ground", "eurosat")
    with pytest.raises(UnavailableError, match=r"prompt_ben_aerial_mixed.json, .* not in .*/prompts/senclip, .*copy"):
        senclip_release.fetch(offline=True)
    with pytest.raises(UsageError, match=r"has files for EuroSAT and BigEarthNet, none for demo"):
        load("senclip-ground", "demo")


def test_a_changed_file_is_refused_and_kept(release):
    senclip_release.fetch()
    path = senclip_release.folder() / "prompt_eurosat_ground_mixed.json"
    path.write_text('{"Forest": ["edited"]}', encoding="utf-8")
    for use in (lambda: load("senclip-ground", "eurosat"), senclip_release.fetch):
        with pytest.raises(UnavailableError, match=r"is not SenCLIP's file: sha256 .* delete it and run"):
            use()
    assert "edited" in path.read_text(encoding="utf-8")


@pytest.mark.shared
@pytest.mark.parametrize(("style", "dataset"), COUNTS)
def test_the_releases_files(style, dataset, shared, hub, monkeypatch):
    for path in (shared / "senclip-prompts").glob("*.json"):
        hub.add_url(f"/prompts/{path.name}", path.read_bytes())
    monkeypatch.setattr(senclip_release, "ADDRESS", f"{hub.url}/prompts")
    senclip_release.fetch()  # by the hashes of the pinned commit
    prompts = load(style, dataset)
    assert list(prompts.texts) == list(dataset_info(dataset).classes)
    raw = json.loads(senclip_release.locate(style, dataset_info(dataset)).read_text(encoding="utf-8"))
    assert set(raw) == set(prompts.names)
    like = senclip_files.sentences(prompts.source.rpartition(", ")[2])  # what stands for the file in other tests
    assert {name: len(texts) for name, texts in raw.items()} == {name: len(texts) for name, texts in like.items()}
    assert prompts.texts == {k: tuple(raw[n]) for k, n in zip(prompts.texts, prompts.names, strict=True)}
    if (expected := COUNTS[style, dataset]) is None:
        assert prompts.n == 799
    else:
        assert Counter(map(len, prompts.texts.values())) == expected
