"""`load_prompts` from JSON and Python: aligned by name, never by position; every mistake is named."""

from __future__ import annotations

import json
import random
import re
import unicodedata

import pytest
import senclip_files
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.errors import UsageError
from senbench.prompts import load_prompts, load_vocabulary, prompt_hash, prompts_from_dict, vocabulary_for_keys

EUROSAT_FILES = {
    "prompt_eurosat_aerial_mixed": 46,
    "prompt_eurosat_ground_mixed": 51,
    "prompt_eurosat_ground_aerial_mixed": 46,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Six files in the layout of the SenCLIP release."""
    return senclip_files.write(tmp_path_factory.mktemp("senclip"))


def write(folder, data, name="mine.json"):
    path = folder / name
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return str(path)


def failure(path, info, vocabulary) -> str:
    with pytest.raises(UsageError) as caught:
        load_prompts(path, info, vocabulary)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 800
    return message


def complete(info, **changes):
    return {key: [f"about {key}"] for key in info.classes} | changes


def test_classes_are_matched_by_name_in_any_set(tmp_path, info, vocabulary):
    raw = {
        "lake or sea": ["water", "more water"],
        "RIVER": ["stream"],
        "highway_or_road": ["asphalt"],
        "HerbaceousVegetation": ["grass"],
        "Industrial  Buildings": ["halls"],
        "annual crop land": ["wheat"],
        "Permanent Crop": ["vines"],
        "residential buildings": ["houses"],
        "Pasture": ["cows"],
        "forest": ["trees"],
    }
    prompts = load_prompts(write(tmp_path, raw), info, vocabulary)
    assert list(prompts.texts) == list(info.classes)
    assert prompts.texts["SeaLake"] == ("water", "more water")  # ragged counts are fine
    assert [t[0] for t in prompts.texts.values()] == [
        "wheat",
        "trees",
        "grass",
        "asphalt",
        "halls",
        "cows",
        "vines",
        "houses",
        "stream",
        "water",
    ]
    assert not prompts.template_aligned


@pytest.mark.parametrize("stem", EUROSAT_FILES)
def test_senclip_eurosat_files(stem, files, info, vocabulary):
    path = files / f"{stem}.json"
    raw = json.loads(path.read_text())
    prompts = load_prompts(str(path), info, vocabulary)
    assert (prompts.id, prompts.style, prompts.source) == (stem, "custom", f"{stem}.json")
    by_name = {entry.names["senclip"]: entry.key for entry in vocabulary.classes}
    assert prompts.texts == {by_name[name]: tuple(lines) for name, lines in raw.items()}
    assert list(prompts.texts) == list(info.classes)
    assert {len(t) for t in prompts.texts.values()} == {EUROSAT_FILES[stem]}
    # The trap: in two of the three files, taking lists by position gives classes another's sentences.
    by_position = dict(zip(info.classes, map(tuple, raw.values()), strict=True))
    assert (by_position != prompts.texts) == (stem != "prompt_eurosat_ground_mixed")


@pytest.mark.parametrize("kind", ("aerial", "ground", "ground_aerial"))
def test_senclip_bigearthnet_files(kind, files, describe):
    path = files / f"prompt_ben_{kind}_mixed.json"
    raw = json.loads(path.read_text())
    keys = tuple(sorted(raw))  # label order is not the file's
    prompts = load_prompts(str(path), describe(keys, "ben", ""), vocabulary_for_keys(keys))
    assert prompts.texts == {key: tuple(raw[key]) for key in keys}
    assert prompts.n == sum(map(len, raw.values()))


def test_senclip_file_for_another_dataset_is_refused(files, info, vocabulary):
    path = files / "prompt_ben_ground_mixed.json"
    assert "unknown class 'Urban fabric'" in failure(str(path), info, vocabulary)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Moon": ["dust"]}, "unknown class 'Moon'"),
        ({"River": "a river"}, "class 'River' must have a list of prompts, not 'a river'"),
        ({"River": None}, "class 'River' must have a list"),
        ({"River": []}, "class 'River' has an empty list"),
        ({"River": ["ok", 3]}, "class 'River': prompt 2 must be text, not 3"),
        ({"River": ["ok", "  "]}, "class 'River': prompt 2 is empty"),
        ({"River": [["nested"]]}, "class 'River': prompt 1 must be text"),
        ({"River": ["\ud800"]}, "class 'River': prompt 1 holds half a surrogate pair"),
        ({"river": ["a"]}, "class 'River' twice"),
        ({"River": ["x" * 1001]}, "1,001 characters for class 'River'"),
        ({"River": ["x"] * 10_001}, "10,001 prompts for class 'River'"),
    ],
)
def test_mistakes_in_json_are_named(change, said, tmp_path, info, vocabulary):
    message = failure(write(tmp_path, complete(info, **change)), info, vocabulary)
    assert "mine.json" in message and said in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"River": ["a"]', "line 1 is not valid JSON"),
        ('\n\n{"River": [a]}', "line 3 is not valid JSON"),
        ("", "line 1 is not valid JSON"),
        ('{"River": ["a"], "River": ["b"]}', "has the key 'River' 2 times"),
        ("[" * 100_000, "is not valid JSON"),
        ("3", "must map class names to lists"),
        ('"River"', "must map class names to lists"),
        ("{}", "misses the class 'AnnualCrop'"),
        ("[]", "empty list"),
        ('["a {premise}"]', "'a {premise}' has a brace other than {}"),
        ('["a {0.__class__}"]', "brace other than {}"),
        ('["a {{}}"]', "brace other than {}"),
        ("[1]", "prompt 1 must be text"),
    ],
)
def test_malformed_json(text, said, tmp_path, info, vocabulary):
    message = failure(write(tmp_path, text), info, vocabulary)
    assert "mine.json" in message and said in message


def test_every_missing_class_is_noticed(tmp_path, info, vocabulary):
    for key in info.classes:
        raw = complete(info)
        del raw[key]
        assert f"misses the class '{key}'" in failure(write(tmp_path, raw), info, vocabulary)


def test_json_list_is_filled_with_class_names(tmp_path, info, vocabulary):
    path = write(tmp_path, ["a photo of {}.", "land", "{} and {}"])
    prompts = load_prompts(path, info, vocabulary, "clip")
    assert prompts.texts["River"] == ("a photo of river.", "land", "river and river")
    assert prompts.template_aligned


def test_byte_order_mark_is_ignored(tmp_path, info, vocabulary):
    path = write(tmp_path, "\ufeff" + json.dumps(complete(info)))
    assert load_prompts(path, info, vocabulary).n == 10


def test_unknown_style_names_the_closest(info, vocabulary):
    message = failure("grund", info, vocabulary)
    assert "unknown prompt style 'grund'" in message and "Did you mean 'ground'?" in message
    for style in ("aerial", "clip", "generic", "mixed"):
        assert style in message


@pytest.mark.parametrize("source", ("prompts/ground", "notes.txt/x", ""))
def test_a_path_without_a_known_ending(source, info, vocabulary):
    assert "must end in .j2" in failure(source, info, vocabulary)


def test_unknown_class_name_set(info, vocabulary):
    with pytest.raises(UsageError, match=r"class-name set of eurosat 'clap'.*clip, senclip, torchgeo"):
        load_prompts("clip", info, vocabulary, "clap")


def test_class_name_set_changes_prompts_and_hash(info, vocabulary):
    sets = {s: load_prompts("ground", info, vocabulary, s) for s in ("clip", "senclip", "torchgeo")}
    assert len({p.hash for p in sets.values()}) == 3
    assert load_prompts("ground", info, vocabulary) == sets["senclip"]


def test_dataset_with_another_class_order_gets_its_own(info, describe, vocabulary):
    few = describe(("SeaLake", "Forest"), "few")
    prompts = load_prompts("clip", few, vocabulary, "clip")
    assert list(prompts.texts) == ["SeaLake", "Forest"] and prompts.names == ("lake or sea", "forest")
    with pytest.raises(UsageError, match="eurosat has no class 'Moon'"):
        load_prompts("clip", describe(("Moon",), "moon"), vocabulary)


def test_prompts_from_dict(info, vocabulary):
    raw = complete(info, River=("one", "two"))
    prompts = prompts_from_dict(raw, info, vocabulary, id="notebook")
    assert prompts.texts["River"] == ("one", "two")
    assert (prompts.id, prompts.style, prompts.source) == ("notebook", "custom", "python")
    with pytest.raises(UsageError, match="class 'River' must have a list of prompts, not 'one'"):
        prompts_from_dict(complete(info, River="one"), info, vocabulary)


def test_prompt_hash():
    import hashlib

    expected = hashlib.sha256(b'{"a":["x","\\u00e9"],"b":["y"]}').hexdigest()
    assert prompt_hash({"b": ("y",), "a": ("x", "é")}) == expected
    assert prompt_hash({"a": ("é", "x"), "b": ("y",)}) != expected  # order of prompts counts
    assert prompt_hash({"a": ("x", "é", "y"), "b": ()}) != expected  # and whose they are


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(data=JUNK | st.dictionaries(st.sampled_from(["River", "forest", "Sea & Lake", "x"]), JUNK))
def test_any_json_loads_or_fails_in_one_line(data, tmp_path_factory, info, vocabulary):
    path = write(tmp_path_factory.mktemp("j"), data)
    try:
        prompts = load_prompts(path, info, vocabulary)
    except UsageError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert isinstance(data, list) and all(prompts.texts.values())


VOCABULARY = load_vocabulary("eurosat")


@settings(max_examples=80, deadline=None)
@given(data=st.data(), seed=st.integers(0, 999))
def test_alignment_survives_order_and_spelling(data, seed, info):
    """Whatever set, case, spacing and order the names come in, each class gets its own sentences."""
    rng = random.Random(seed)
    raw = {}
    for entry in rng.sample(VOCABULARY.classes, 10):
        name = rng.choice([entry.key, *entry.names.values()])
        name = rng.choice([str.upper, str.lower, str.title])(name)
        name = re.sub(" ", lambda _: rng.choice([" ", "_", "-", "  ", ""]), name)
        lines = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=9), min_size=1, max_size=3)
        raw[name] = [entry.key, *(t for t in data.draw(lines) if t.strip())]
    prompts = prompts_from_dict(raw, info, VOCABULARY)
    assert list(prompts.texts) == list(info.classes)
    assert all(texts[0] == key for key, texts in prompts.texts.items())
    written = [tuple(unicodedata.normalize("NFC", text) for text in texts) for texts in raw.values()]
    assert sorted(prompts.texts.values()) == sorted(written)  # accents composed, nothing lost


def test_prompts_with_accents_written_apart_are_composed(tmp_path):
    from senbench.datasets.open import dataset_info
    from senbench.prompts import load_prompts, prompts_from_dict, vocabulary_for

    info = dataset_info("eurosat")
    vocabulary, _ = vocabulary_for(info, None)
    texts = {key: [f"Wälder {key}"] for key in info.classes}
    apart = {key: [unicodedata.normalize("NFD", text) for text in of] for key, of in texts.items()}
    assert prompts_from_dict(apart, info, vocabulary).hash == prompts_from_dict(texts, info, vocabulary).hash
    path = tmp_path / "p.json"
    path.write_text(json.dumps(apart))
    assert load_prompts(str(path), info, vocabulary).texts == prompts_from_dict(texts, info, vocabulary).texts


def test_a_template_on_the_command_line():
    from senbench.datasets.open import dataset_info
    from senbench.prompts import vocabulary_for

    info = dataset_info("eurosat")
    vocabulary, names = vocabulary_for(info, "clip")
    found = load_prompts("a photo, {}, from {} above", info, vocabulary, names)
    assert found.texts["River"] == ("a photo, river, from river above",) and found.template_aligned
    assert found.id == "a photo, {}, from {} above" and found.source == "command line"
