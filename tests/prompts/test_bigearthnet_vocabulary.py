"""BigEarthNet's vocabularies: keys are TorchGeo's, cues are matched pairs, no class is named in another's prompts."""

from __future__ import annotations

import ast
import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import senclip_files
from prompt_words import (
    AERIAL_ONLY,
    AERIAL_WORDS,
    GROUND_ONLY,
    GROUND_WORDS,
    STYLES,
    label_words,
    named,
    plain_words,
    words,
)

from senbench.errors import UsageError
from senbench.prompts import load_prompts, load_vocabulary, vocabulary_for
from senbench.prompts.vocabulary import find_class, normalise

SETS = ("bigearthnet", "short")
MULTI = {"collection": "bigearthnet", "task": "multi-label"}
CUED = ("ground", "aerial", "mixed")


@pytest.fixture(scope="module")
def ben():
    return load_vocabulary("bigearthnet")


@pytest.fixture(scope="module")
def ben43():
    return load_vocabulary("bigearthnet-43")


@pytest.fixture(scope="module")
def v2(ben, describe):
    keys = tuple(c.key for c in ben.classes)
    return describe(keys, "bigearthnet-v2", "bigearthnet").model_copy(update=MULTI)


@pytest.fixture(scope="module")
def v1(ben43, describe):
    keys = tuple(c.key for c in ben43.classes)
    return describe(keys, "bigearthnet-v1", "bigearthnet-43").model_copy(update=MULTI)


@pytest.fixture(scope="module")
def torchgeo_labels() -> dict[int, list[str]]:
    """TorchGeo's `class_sets`, read from its source: importing it takes seconds."""
    source = Path(find_spec("torchgeo").origin).parent / "datasets" / "bigearthnet.py"
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "class_sets":
            return ast.literal_eval(node.value)
    pytest.fail("torchgeo.datasets.BigEarthNet has no class_sets any more")


@pytest.fixture(params=(19, 43))
def both(request, ben, ben43, v1, v2):
    """Dataset and vocabulary of either nomenclature."""
    return {19: (v2, ben), 43: (v1, ben43)}[request.param]


def cues(vocabulary) -> list[str]:
    return [cue for entry in vocabulary.classes for cue in entry.ground + entry.aerial]


def mean_words(texts) -> float:
    return sum(map(words, texts)) / len(texts)


@pytest.mark.parametrize("n", (19, 43))
def test_keys_and_published_names_are_torchgeos_in_its_order(n, ben, ben43, torchgeo_labels):
    vocabulary = {19: ben, 43: ben43}[n]
    assert [c.key for c in vocabulary.classes] == torchgeo_labels[n]
    assert [c.names["bigearthnet"] for c in vocabulary.classes] == torchgeo_labels[n]
    assert [tuple(c.names) for c in vocabulary.classes] == [SETS] * n
    assert vocabulary.default_names == "bigearthnet"


def test_short_names_are_short_and_tell_classes_apart(ben, ben43):
    for vocabulary in (ben, ben43):
        short = [c.names["short"] for c in vocabulary.classes]
        assert len(set(map(normalise, short))) == len(short)
        for name in short:
            assert words(name) <= 5 and name.isascii()
            assert name == name.lower() or name.startswith("Mediterranean")


def test_a_label_of_both_nomenclatures_has_one_short_name(ben, ben43):
    coarse, fine = ({c.key: c.names["short"] for c in v.classes} for v in (ben, ben43))
    shared = coarse.keys() & fine.keys()
    assert len(shared) == 9  # those that BigEarthNet-19 took over as they were
    assert {k: coarse[k] for k in shared} == {k: fine[k] for k in shared}


def test_classes_are_found_by_any_name(ben, ben43):
    assert find_class(ben, "broadleaf forest") == find_class(ben, "broad-leaved FOREST") == "Broad-leaved forest"
    assert find_class(ben43, "peat bog") == "Peatbogs"


def test_datasets_resolve_to_these_vocabularies(v1, v2, ben, ben43):
    assert vocabulary_for(v2, "short") == (ben, "short")
    assert vocabulary_for(v1, None) == (ben43, None)


@pytest.mark.parametrize("names", SETS)
@pytest.mark.parametrize("style", STYLES)
def test_every_style_renders(style, names, both):
    info, vocabulary = both
    texts = load_prompts(style, info, vocabulary, names).texts
    assert list(texts) == list(info.classes)
    everything = [text for prompts in texts.values() for text in prompts]
    assert len(set(everything)) == len(everything)  # within a class and across
    assert len({len(prompts) for prompts in texts.values()}) == 1
    if style in CUED:
        assert len(next(iter(texts.values()))) >= 20
    for text in everything:
        assert text.isascii() and "  " not in text
        assert words(text) <= (23 if names == "short" else 30)  # some labels are twelve words themselves


def test_every_cue_is_there_once_and_is_one_of_a_kind(both):
    _, vocabulary = both
    for entry in vocabulary.classes:
        assert len(entry.ground) == len(entry.aerial) >= 22, entry.key
    everything = [normalise(cue) for cue in cues(vocabulary)]
    assert len(set(everything)) == len(everything)
    assert set(everything).isdisjoint(map(normalise, cues(load_vocabulary("eurosat"))))


def test_cues_are_matched_pairs(both):
    _, vocabulary = both
    for entry in vocabulary.classes:
        for size, allowed in ((words, 0.05), (len, 0.1)):
            ground, aerial = sum(map(size, entry.ground)), sum(map(size, entry.aerial))
            assert abs(ground - aerial) / ground < allowed, (entry.key, size)
        for g, a in zip(entry.ground, entry.aerial, strict=True):
            assert abs(words(g) - words(a)) <= 3, (g, a)
            shared = set(plain_words(g)) & set(plain_words(a))
            assert any(len(w) >= 3 and w not in {"with", "from", "along", "over", "the", "and"} for w in shared), (g, a)


@pytest.mark.parametrize("names", SETS)
def test_rendered_styles_are_matched(names, both):
    info, vocabulary = both
    ground, aerial, mixed = (load_prompts(style, info, vocabulary, names).texts for style in CUED)
    for entry in vocabulary.classes:
        name = entry.names[names].lower()
        g, a = ground[entry.key], aerial[entry.key]
        assert [name in text for text in g] == [name in text for text in a]
        assert abs(mean_words(g) - mean_words(a)) / mean_words(g) < 0.05
        assert mixed[entry.key] == g + a


def test_cues_name_no_class(both):
    _, vocabulary = both
    heads = label_words(vocabulary)
    for cue in cues(vocabulary):
        assert not named(cue, vocabulary.id), cue
        assert not heads & set(plain_words(cue)), cue


@pytest.mark.parametrize("names", SETS)
@pytest.mark.parametrize("style", STYLES)
def test_prompts_name_no_other_class(style, names, both):
    info, vocabulary = both
    for key, texts in load_prompts(style, info, vocabulary, names).texts.items():
        for text in texts:
            assert named(text, vocabulary.id) <= {key}, text


def test_the_search_for_names_finds_some(ben):
    assert named("a salt marsh behind sandy beaches") == {"Coastal wetlands", "Beaches, dunes, sands"}
    assert named("a pasture between two Orchards") == {"Pastures", "Permanent crops"}
    assert named("a sandy seaside heather garden") == set()
    assert {"dune", "forest", "beach", "marine", "shrub", "moor", "broad-leaved"} <= label_words(ben)


def test_styles_are_not_contaminated(both):
    info, vocabulary = both
    for style, frames, strict in (("ground", AERIAL_WORDS, AERIAL_ONLY), ("aerial", GROUND_WORDS, GROUND_ONLY)):
        for entry in vocabulary.classes:
            for cue in getattr(entry, style):
                assert not re.search(rf"\b({strict})\b", cue, re.IGNORECASE), cue
        for texts in load_prompts(style, info, vocabulary).texts.values():
            for text in texts:
                assert not re.search(rf"\b({frames})\b", text, re.IGNORECASE), text
    # The lexicons are able to find something.
    assert sum(bool(re.search(rf"\b({AERIAL_ONLY})\b", cue)) for c in vocabulary.classes for cue in c.aerial) > 10
    assert sum(bool(re.search(rf"\b({GROUND_ONLY})\b", cue)) for c in vocabulary.classes for cue in c.ground) > 10


def test_cues_are_of_caption_length(both):
    _, vocabulary = both
    for cue in cues(vocabulary):
        assert 6 <= words(cue) <= 13, cue


def test_cues_span_the_seasons(both):
    _, vocabulary = both
    text = " ".join(cues(vocabulary))
    for season in ("spring", "summer", "autumn|fall", "winter|snow|frost"):
        assert len(re.findall(rf"\b({season})\b", text)) >= 4, season


@pytest.mark.parametrize("names", SETS)
def test_43_classes_render_by_name(names, v1, ben43):
    for style in ("generic", "clip"):
        texts = load_prompts(style, v1, ben43, names).texts
        assert list(texts) == list(v1.classes)
        assert len({text for prompts in texts.values() for text in prompts}) == sum(map(len, texts.values()))


@pytest.mark.parametrize("style", CUED)
def test_styles_of_version_1_refuse_the_43_in_one_line(style, v1, ben43):
    with pytest.raises(UsageError) as caught:
        load_prompts(f"{style}@1", v1, ben43)
    message = str(caught.value)
    kind = "ground" if style == "mixed" else style
    assert f"needs {kind} cues, but class 'Continuous urban fabric' of bigearthnet-v1 has none" in message
    assert "\n" not in message and "--class-names FILE.yaml" in message


@pytest.mark.parametrize("kind", ("aerial", "ground", "ground_aerial"))
def test_senclip_files_are_aligned_by_the_published_names(kind, v2, ben, tmp_path):
    path = senclip_files.write(tmp_path) / f"prompt_ben_{kind}_mixed.json"
    prompts = load_prompts(str(path), v2, ben)
    assert list(prompts.texts) == list(v2.classes)
    assert min(len(texts) for texts in prompts.texts.values()) >= 21
    raw = json.loads(path.read_text(encoding="utf-8"))
    assert set(raw) == {c.names["bigearthnet"] for c in ben.classes}  # word for word: no set of its own is needed
