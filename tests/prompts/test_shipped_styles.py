"""The shipped vocabulary and styles: golden renders, counts, matched pairs, no contamination."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prompt_words import AERIAL_WORDS, ALL, GROUND_WORDS, STYLES, mentions, words

from senbench.datasets.open import dataset_info
from senbench.prompts import list_styles, load_prompts, load_vocabulary
from senbench.prompts.lint.lint import checked, lint
from senbench.runtime.paths import shipped

GOLDEN = Path(__file__).parent / "golden"
SHOWN = {"eurosat": ("HerbaceousVegetation", "SeaLake"), "bigearthnet-v2": ("Inland wetlands",)}
SETS = ("clip", "senclip", "torchgeo")


def golden_text(style: str) -> str:
    """Hash per dataset and class-name set, counts, and the full render of some classes."""
    lines, shown = [], []
    for dataset, keys in SHOWN.items():
        info = dataset_info(dataset)
        vocabulary = load_vocabulary(info.vocabulary)
        for names in vocabulary.classes[0].names:
            prompts = load_prompts(style, info, vocabulary, names)
            counts = {len(texts) for texts in prompts.texts.values()}
            lines.append(f"{dataset} {names} {prompts.hash} {' '.join(map(str, counts))}")
        prompts = load_prompts(style, info, vocabulary)
        for key in keys:
            shown += ["", key, *(f"  {text}" for text in prompts.texts[key])]
    return "\n".join([*lines, *shown]) + "\n"


@pytest.mark.parametrize("style", [summary.style for summary in list_styles()])
def test_golden_render(style):
    # A new style: run this test twice. A deliberate change: a new version (prompts/README.md), then the same.
    path = GOLDEN / f"{style}.txt"
    text = golden_text(style)
    if not path.exists():
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} was missing and has been written; review it and run again")
    assert text == path.read_text(encoding="utf-8")


def test_every_template_is_a_style():
    assert {s.style for s in list_styles()} >= set(ALL)
    files = {p.stem for p in shipped("prompts").glob("*.j2") if not p.name.startswith("_")}
    assert [s.style for s in list_styles()] == sorted(files)


def test_class_names_are_the_published_ones(vocabulary):
    names = {s: [c.names[s] for c in vocabulary.classes] for s in SETS}
    assert names["clip"] == [
        "annual crop land",
        "forest",
        "brushland or shrubland",
        "highway or road",
        "industrial buildings or commercial buildings",
        "pasture land",
        "permanent crop land",
        "residential buildings or homes or apartments",
        "river",
        "lake or sea",
    ]
    assert names["senclip"] == [
        "Annual Crop Land",
        "Forest",
        "Herbaceous Vegetation Land",
        "Highway or Road",
        "Industrial Buildings",
        "Pasture Land",
        "Permanent Crop Land",
        "Residential Buildings",
        "River",
        "Sea or Lake",
    ]
    assert vocabulary.default_names == "senclip"


def test_torchgeo_names_are_those_of_its_docstring(vocabulary):
    from importlib.util import find_spec

    source = Path(find_spec("torchgeo").origin).parent / "datasets" / "eurosat.py"  # without importing it
    listed = re.findall(r"^    \* ([A-Z][\w &]+)$", source.read_text(), re.MULTILINE)
    assert set(listed) >= {c.names["torchgeo"] for c in vocabulary.classes}


def test_clip_templates_are_exact(info, vocabulary):
    prompts = load_prompts("clip", info, vocabulary, "clip")
    assert prompts.texts["SeaLake"] == (
        "a centered satellite photo of lake or sea.",
        "a centered satellite photo of a lake or sea.",
        "a centered satellite photo of the lake or sea.",
    )


@pytest.mark.parametrize("names", SETS)
@pytest.mark.parametrize("style", ("ground", "aerial", "mixed"))
def test_at_least_50_distinct_prompts_per_class(style, names, info, vocabulary):
    for key, texts in load_prompts(style, info, vocabulary, names).texts.items():
        assert len(texts) == len(set(texts)) >= 50, key


@pytest.mark.parametrize("style", STYLES)
def test_no_prompt_serves_two_classes(style, info, vocabulary):
    texts = [t for ts in load_prompts(style, info, vocabulary).texts.values() for t in ts]
    assert len(set(texts)) == len(texts)


def test_cues_are_matched_pairs(vocabulary):
    for entry in vocabulary.classes:
        assert len(entry.ground) == len(entry.aerial) >= 17
        ground, aerial = sum(map(words, entry.ground)), sum(map(words, entry.aerial))
        assert abs(ground - aerial) / ground < 0.05, entry.key
        for g, a in zip(entry.ground, entry.aerial, strict=True):
            assert abs(words(g) - words(a)) <= 3, (g, a)
            content = {w for w in re.findall(r"[a-z-]{4,}", g) if w not in {"with", "from", "along", "over"}}
            stems = {w.rstrip("s") for w in content}
            assert stems & {w.rstrip("s") for w in re.findall(r"[a-z-]{4,}", a)}, (g, a)
        assert set(entry.ground).isdisjoint(entry.aerial)


def test_rendered_styles_are_matched(info, vocabulary):
    ground = load_prompts("ground", info, vocabulary).texts
    aerial = load_prompts("aerial", info, vocabulary).texts
    mixed = load_prompts("mixed", info, vocabulary).texts
    for entry in vocabulary.classes:
        name = entry.names["senclip"].lower()
        g, a = ground[entry.key], aerial[entry.key]
        assert len(g) == len(a)
        assert [name in t for t in g] == [name in t for t in a]
        mean_g, mean_a = (sum(map(words, t)) / len(t) for t in (g, a))
        assert abs(mean_g - mean_a) / mean_g < 0.05
        assert mixed[entry.key] == g + a


def test_cues_name_no_class_and_prompts_no_other_class(info, vocabulary):
    for entry in vocabulary.classes:
        for cue in entry.ground + entry.aerial:
            assert not mentions(cue, vocabulary), cue
    for style in STYLES:
        for key, texts in load_prompts(style, info, vocabulary).texts.items():
            for text in texts:
                assert mentions(text, vocabulary) <= {key}, text


def test_mentions_can_fail(vocabulary):
    assert mentions("a track through forests by the sea", vocabulary) == {"Forest", "SeaLake"}


def test_styles_are_not_contaminated(info, vocabulary):
    for style, lexicon in (("ground", AERIAL_WORDS), ("aerial", GROUND_WORDS)):
        for texts in load_prompts(style, info, vocabulary).texts.values():
            for text in texts:
                assert not re.search(rf"\b({lexicon})\b", text, re.IGNORECASE), text
    other = load_prompts("aerial", info, vocabulary).texts["River"]
    assert all(re.search(AERIAL_WORDS, text) for text in other)  # the lexicon is able to find something


def test_prompts_are_short_plain_sentences(info, vocabulary):
    for style in STYLES:
        for texts in load_prompts(style, info, vocabulary).texts.values():
            for text in texts:
                assert text.isascii() and words(text) <= 25 and "  " not in text
                assert not re.search(r"\ba [aeio]|\ban [^aeiou]", text), text  # a/an
                assert not re.search(r"\b(\w+) \1\b", text), text


def test_vocabulary_keys_are_in_label_order(vocabulary):
    keys = [c.key for c in load_vocabulary("eurosat").classes]
    assert keys == sorted(keys) and len(keys) == 10


@pytest.mark.parametrize("dataset", ["eurosat", "bigearthnet-v2", "bigearthnet-v1-43"])
def test_synonyms_and_hypernyms_are_said_equally_often(dataset):
    info = dataset_info(dataset)
    vocabulary = load_vocabulary(info.vocabulary)
    texts = load_prompts("synonyms", info, vocabulary).texts
    for entry in vocabulary.classes:
        name = entry.names[vocabulary.default_names].lower()
        for called in (name, *entry.synonyms):
            assert sum(called in line for line in texts[entry.key]) >= 4
        assert len(entry.synonyms) == 2 and len(texts[entry.key]) == 12
        assert sum(f"{entry.hypernym}: " in line or f"{entry.hypernym} from" in line for line in texts[entry.key]) == 6
    assert len({s for entry in vocabulary.classes for s in entry.synonyms}) == 2 * len(vocabulary.classes)


@pytest.mark.parametrize("dataset", ["eurosat", "bigearthnet-v2", "bigearthnet-v1-43"])
def test_contrast_is_against_each_other_class_without_a_storm(dataset):
    info = dataset_info(dataset)
    vocabulary = load_vocabulary(info.vocabulary)
    prompts = load_prompts("contrast", info, vocabulary)
    names = [name.lower() for name in prompts.names]
    for name, lines in zip(names, prompts.texts.values(), strict=True):
        assert list(lines) == [f"a satellite photo of {name}, not {other}." for other in names if other != name]
    assert lint("contrast", info, vocabulary).findings == ()
    ours = prompts.model_copy(update={"style": "custom"})
    assert any("P205" in line for line in checked(ours, vocabulary).warnings)  # the rule is able to find it
