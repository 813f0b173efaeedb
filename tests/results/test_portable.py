"""Base names instead of paths: whatever is given, no folder of it stays."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import socket
from pathlib import Path

import eurosat_files
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from senbench.audit.validate import validate
from senbench.cli.main import application
from senbench.datasets.catalog import EUROSAT
from senbench.models import card_files
from senbench.results import portable, store
from senbench.runtime.paths import PACKAGE
from senbench.schema.run_spec import RunSpec

part = st.text("abcXYZ019_- ", min_size=1, max_size=8).map(str.strip).filter(lambda t: t and t.strip("-_ "))
SECRET = "ada-lovelace"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("ground", "ground"),
        ("/data/EuroSAT.zip", "EuroSAT.zip"),
        ("data/EuroSAT_RGB/", "EuroSAT_RGB"),
        ("../ada/x.json", "x.json"),
        (r"C:\Users\ada\x.json", "x.json"),
        (r"\\server\share\x.json", "x.json"),
        ("~/x.json", "x.json"),
        ("~ada", "~"),
        ("/home/ada", "~"),
        ("/home/ada/", "~"),
        ("/root", "~"),
        (r"C:\Users\ada", "~"),
        ("/", "."),
        (".", "."),
        ("folder:/data/ada/tiles", "folder:tiles"),
        ("local-dir:/data/ada/clip", "local-dir:clip"),
        ("hf:owner/name", "hf:owner/name"),
        ("hf:./ada/clip", "hf:clip"),
        ("hf:/data/ada/clip", "hf:clip"),
        ("openclip:ViT-B-32/laion2b_s34b_b79k", "openclip:ViT-B-32/laion2b_s34b_b79k"),
        ("file:names.txt", "file:names.txt"),
    ],
)
def test_a_name_stays_and_a_path_is_its_base_name(value, name):
    assert portable.name(value) == name
    assert portable.name(name) == name


@given(st.lists(part, min_size=1, max_size=3), st.sampled_from(["/", "~/", "C:\\", "\\\\", "../", "./", "", "hf:/"]))
def test_no_folder_of_a_path_stays_whatever_the_option(folders, root):
    separator = "\\" if "\\" in root else "/"
    path = root + separator.join([SECRET, *folders, "file.json"])
    every = dict.fromkeys(portable.PATHS, path)
    spec = RunSpec(models=(path,), prompts=(path, "clip"), datasets=(f"folder:{path}", "eurosat"), **every)
    kept = portable.fields(spec.model_dump())
    assert SECRET not in json.dumps(kept)
    assert kept["prompts"] == (portable.name(path), "clip")
    assert kept["datasets"] == ("folder:file.json", "eurosat")
    assert {**spec.model_dump(), **{k: kept[k] for k in kept}} == kept


@given(st.lists(st.text("abcXYZ019_-", min_size=1, max_size=8), min_size=1, max_size=3))
def test_sentences_hold_no_path_from_the_root(folders):
    for root, end in (("/", ""), ("~/", ":"), ("file:///", ","), ("C:/", ")"), ("/", " is damaged")):
        text = f"cannot open ({root}{SECRET}/{'/'.join(folders)}/x.tif{end}"
        assert portable.sentence(text) == f"cannot open (x.tif{end}"


def test_folders_with_spaces_and_relative_ones_are_known_from_the_run(tmp_path):
    data = tmp_path / "Ada Lovelace" / "my tiles"
    data.mkdir(parents=True)
    known = portable.folders(RunSpec(models=("mini",), prompts=("clip",), data_dir=str(data)))
    assert portable.sentence(f"tile {data}/Forest/x 1.tif: damaged", known) == "tile Forest/x 1.tif: damaged"
    assert portable.sentence(f"{data}: cannot be listed", known) == "my tiles: cannot be listed"
    known = portable.folders(RunSpec(models=("mini",), prompts=("../ada/x.json",)))
    assert portable.sentence("prompt file ../ada/x.json: long", known) == "prompt file x.json: long"


def test_a_home_folder_in_a_sentence_does_not_name_its_owner():
    assert portable.sentence("cannot list /home/ada: no; C:\\Users\\ada\\x too") == "cannot list ~: no; x too"


@pytest.mark.parametrize(
    "text",
    [
        "https://huggingface.co/openai/clip/resolve/main/x.pt",
        "see doi.org/10.1/x/y and 1/2/3 or Sea / Lake",
        "norm-mean-norm with post-processing none",
        "bands B04/B03/B02",
        "http://127.0.0.1:8/a/b",
    ],
)
def test_addresses_and_other_text_stay(text):
    assert portable.told({"a": [text, 1, None, (text,)]}) == {"a": [text, 1, None, (text,)]}


def test_shipped_cards_are_told_as_they_are():
    for card in card_files.shipped().values():
        told = card_files.portable(card)
        assert portable.told(told) == told


FILES = ("card.toml", "one.json", "two.json", "names.txt", "EuroSAT.zip", "mini.safetensors", "names.yaml")
"""What a run is given, in one folder."""
WORDS = (
    *("run", "--device", "cpu", "--offline", "--dataset", "eurosat-rgb", "--on-error", "skip", "--json"),
    *("--model", "card.toml", "--weights", "mini.safetensors", "--class-names", "names.yaml"),
    *("--prompts", "one.json,two.json", "--split", "names.txt", "--data-dir", "EuroSAT.zip"),
)
"""A command with a file in every option that takes one."""


def invoke(*words):
    done = CliRunner().invoke(application(), [str(word) for word in words])
    assert done.exit_code == 0, (done.output, done.exception)
    return done


def placed(words, folder, absolute):
    """The command with its files where they are."""
    at = str(folder) + "/" if absolute else os.path.relpath(folder) + "/"
    return [",".join(at + part if part in FILES else part for part in word.split(",")) for word in words]


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """A folder of a person with spaces in its name, and results of one command with absolute and relative paths."""
    top = tmp_path_factory.mktemp("top") / f"home of {SECRET}" / "my work"
    top.mkdir(parents=True)
    files = eurosat_files.jpegs(2)
    files["Forest/Forest_2.jpg"] = files["Forest/Forest_2.jpg"][:300]  # skipped, with a reason
    eurosat_files.packed(top / "EuroSAT.zip", files)
    (top / "names.txt").write_text("\n".join(sorted(files)))
    card = (PACKAGE / "models" / "cards" / "mini.toml").read_text()
    (top / "card.toml").write_text(card.replace('id = "mini"', 'id = "own-mini"'))
    shutil.copy(PACKAGE / "models" / "weights" / "mini.safetensors", top)
    (top / "names.yaml").write_text(json.dumps({key: f"land with {key.lower()}" for key in EUROSAT}))
    for name, word in (("one", "photo"), ("two", "view")):
        (top / f"{name}.json").write_text(json.dumps({k: [f"a {word} of {k}", f"{k} from above"] for k in EUROSAT}))
    printed = []
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(tmp_path_factory.mktemp("elsewhere")):
        patch.setenv("SENBENCH_HOME", str(top / "senbench home"))
        for absolute in (True, False):
            where = top / f"results {absolute}"
            printed.append(invoke(*placed(WORDS, top, absolute), "--results", where).stdout)
    return top, printed


def private_words():
    own = {SECRET, "my work", "senbench home", socket.gethostname(), str(Path.home()) + "/"}
    return [word.encode() for word in own if len(word) > 3]


def written(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_no_written_byte_holds_a_path_a_user_or_a_host(private, monkeypatch, tmp_path):
    top, printed = private
    results = top / "results True"
    invoke("report", "--results", results, "--publish", tmp_path / "site")
    invoke("report", "--results", results, "--out", tmp_path / "page" / "index.html")
    for form in ("csv", "json", "md", "latex"):
        (tmp_path / "page" / form).write_text(invoke("export", "--format", form, "--results", results).stdout)
    (tmp_path / "page" / "cite").write_text(invoke("cite", "own-mini/one", "--results", results).stdout)
    (tmp_path / "page" / "run.json").write_text("".join(printed))
    found = {
        **written(results),
        **written(tmp_path / "site"),
        **written(tmp_path / "page"),
    }
    assert {path.suffix for path in found} >= {".json", ".parquet", ".html"}
    for path, data in found.items():
        assert not [word for word in private_words() if word in data], path
    (reason,) = store.load_all(results)[0].dataset.skipped
    assert reason.id == "Forest_2"


def test_such_results_have_the_same_id_and_nothing_private_to_be_found(private):
    top, _ = private
    names = [sorted(path.name for path in store.folders(top / f"results {absolute}")) for absolute in (True, False)]
    assert names[0] == names[1] and len(names[0]) == 2
    for path in store.folders(top / "results True"):
        assert not [line for line in validate(path) if "looks like" in line]


def test_the_command_runs_again_once_its_files_are_put_in(private, tmp_path, monkeypatch):
    top, _ = private
    monkeypatch.setenv("SENBENCH_HOME", str(top / "senbench home"))
    path = store.folders(top / "results True")[0]
    shown = invoke("results", "show", path).stdout.splitlines()[-1]
    for name in FILES:
        shown = shown.replace(f"<{name}>", str(top / name))
    assert "<" not in shown
    invoke(*shlex.split(shown)[1:], "--device", "cpu", "--offline", "--results", tmp_path)
    assert [found.name for found in store.folders(tmp_path)] == [path.name]


def test_where_the_files_lie_is_known_on_this_machine(private, monkeypatch):
    top, _ = private
    monkeypatch.setenv("SENBENCH_HOME", str(top / "senbench home"))
    a, b = store.folders(top / "results True")
    done = invoke("explain", a, b, "--device", "cpu", "--json")
    assert not json.loads(done.stdout)["needs"]
