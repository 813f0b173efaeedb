"""Published prompt files: fetched from pinned commits, hashed at first use, refused when changed, never unpickled."""

from __future__ import annotations

import json
import pickle
import re

import pytest
from typer.testing import CliRunner

from senbench.cli.prompts import app
from senbench.errors import UnavailableError, UsageError
from senbench.prompts import load_prompts, published_sets
from senbench.prompts.lint.lint import lint

WORDS = [f"{a}{b}word" for a in "bcdfghjkl" for b in "aeiou"]


@pytest.fixture
def hosted(hub, monkeypatch, vocabulary):
    """Files of our own under the published names, on this machine."""
    by_class = {entry.names["senclip"]: [f"{entry.key} one.", f"{entry.key} two."] for entry in vocabulary.classes}
    described = {
        entry.names["clip"]: ["a wide field", "has trees", "water", "used land"] for entry in vocabulary.classes
    }
    contents = {
        "cupl": json.dumps({"airport": ["a runway."], "beach": ["a shore."]}).encode(),
        "mpvr": json.dumps(by_class).encode(),
        "dclip": json.dumps(described).encode(),
        "waffle": pickle.dumps(WORDS),
    }
    monkeypatch.setattr(published_sets, "HOST", hub.url)
    for name, about in published_sets.SETS.items():
        for path in about.files.values():
            hub.add_url(f"/{about.repository}/{about.commit}/{path}", contents[name])
    return contents


def test_sources_are_pinned_and_say_their_licence():
    for about in published_sets.SETS.values():
        assert re.fullmatch(r"[0-9a-f]{40}", about.commit)
        assert about.address("x").startswith(f"https://raw.githubusercontent.com/{about.repository}/{about.commit}/")
    assert {name: about.licence for name, about in published_sets.SETS.items()} == {
        "cupl": "",
        "mpvr": "MIT",
        "dclip": "",
        "waffle": "MIT",
    }


@pytest.mark.parametrize("name", published_sets.SETS)
def test_the_command_fetches_once_and_says_licence_and_hash(name, hosted, hub):
    first = CliRunner().invoke(app, ["fetch", name], catch_exceptions=False)
    assert first.exit_code == 0 and first.stdout.count("sha256") == len(published_sets.SETS[name].files)
    notice = (
        "licence MIT"
        if published_sets.SETS[name].licence
        else "states no licence: for your own use, not to be passed on"
    )
    assert first.stderr.count(notice) == 1
    asked = len(hub.requests)
    again = CliRunner().invoke(app, ["fetch", name], catch_exceptions=False)
    assert again.stdout == first.stdout and notice not in again.stderr and len(hub.requests) == asked
    assert published_sets.fetch(name, offline=True)


def test_styles_are_what_the_methods_make_of_the_files(hosted, info, vocabulary):
    for name in ("mpvr", "dclip", "waffle"):
        published_sets.fetch(name)
    mpvr = load_prompts("mpvr-gpt", info, vocabulary)
    assert mpvr.texts["River"] == ("River one.", "River two.")
    assert mpvr.source == "jmiemirza/Meta-Prompting ff69209, descriptions/gpt/EuroSAT.json"
    assert load_prompts("dclip-published", info, vocabulary).texts["SeaLake"] == (
        "lake or sea, which is a wide field",
        "lake or sea, which has trees",
        "lake or sea, which has water",
        "lake or sea, which is used land",
    )
    waffle = load_prompts("waffle-published", info, vocabulary, "clip")
    assert {len(lines) for lines in waffle.texts.values()} == {2 * published_sets.WAFFLES}
    for key, name in zip(waffle.texts, waffle.names, strict=True):
        assert all(line.startswith(f"A photo of a {name}, which ") and line.endswith(".") for line in waffle.texts[key])
        masked = [line.replace(name, "NAME") for line in waffle.texts[key]]
        assert masked == [line.replace(waffle.names[0], "NAME") for line in waffle.texts["AnnualCrop"]]  # for all alike
    assert waffle.texts == load_prompts("waffle-published", info, vocabulary, "clip").texts
    assert lint("mpvr-gpt", info, vocabulary).n == 20


def test_classes_that_are_not_there_are_one_line(hosted, info, vocabulary):
    published_sets.fetch("cupl")
    with pytest.raises(UsageError, match=r"prompts cupl-base has the unknown class 'airport'; eurosat has "):
        load_prompts("cupl-base", info, vocabulary)


def test_what_is_not_there_says_what_to_run(info, vocabulary):
    with pytest.raises(UnavailableError, match=r"prompts mpvr-gpt: .* run `senbench prompts fetch mpvr` once"):
        load_prompts("mpvr-gpt", info, vocabulary)
    with pytest.raises(UnavailableError, match=r"MPVR's prompts: mpvr-gpt.json, .* nothing is fetched offline"):
        published_sets.fetch("mpvr", offline=True)
    with pytest.raises(UsageError, match=r"unknown prompt set to fetch 'mpvrr'\. Did you mean 'mpvr'"):
        CliRunner().invoke(app, ["fetch", "mpvrr"], catch_exceptions=False)


def test_a_file_that_changed_since_its_first_use_is_refused_and_kept(hosted, info, vocabulary):
    [(path, _), _] = published_sets.fetch("mpvr")
    path.write_text("{}", encoding="utf-8")
    for use in (lambda: load_prompts("mpvr-gpt", info, vocabulary), lambda: published_sets.fetch("mpvr")):
        with pytest.raises(UsageError, match=r"changed: its sha256 was [0-9a-f]{12} at first use, and is .* delete"):
            use()
    assert path.read_text(encoding="utf-8") == "{}"
    (published_sets.folder("mpvr") / published_sets.HASHES).unlink()
    with pytest.raises(UsageError, match=r"is not recorded in hashes\.json"):
        load_prompts("mpvr-gpt", info, vocabulary)


def test_a_file_that_is_another_when_it_is_fetched_again_is_not_kept(hosted, hub):
    [(path, _), _] = published_sets.fetch("mpvr")
    path.unlink()
    about = published_sets.SETS["mpvr"]
    hub.files[f"/{about.repository}/{about.commit}/{about.files['mpvr-gpt']}"].corrupt = True
    with pytest.raises(UnavailableError, match=r"sha256 is .* expected"):
        published_sets.fetch("mpvr")
    assert not path.exists()


class Evil:
    def __reduce__(self):
        return (print, ("never",))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (pickle.dumps([*WORDS, Evil()]), "is no plain list of words"),
        (pickle.dumps({"a": WORDS}), "is no plain list of words"),
        (pickle.dumps(WORDS[:5]), "holds 5 words; at least 30 are needed"),
        (pickle.dumps(WORDS)[:-9], "is no pickled list"),
        (b"no pickle", "is no p"),
    ],
)
def test_a_pickle_is_read_without_running_it(data, message, tmp_path, capsys):
    path = tmp_path / "words.pkl"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=message):
        published_sets.words(path)
    assert "never" not in capsys.readouterr().out


@pytest.mark.parametrize("protocol", range(1, pickle.HIGHEST_PROTOCOL + 1))
def test_plain_lists_of_words_are_read(protocol, tmp_path):
    path = tmp_path / "words.pkl"
    path.write_bytes(pickle.dumps(WORDS, protocol=protocol))
    assert published_sets.words(path) == WORDS
