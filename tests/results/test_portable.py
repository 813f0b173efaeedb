"""Base names instead of paths: whatever is given, no folder of it stays."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.models import card_files
from senbench.results import portable
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
