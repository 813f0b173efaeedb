"""Short and long variants, published sets, controls; matched pairs line by line; frozen hashes."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from functools import cache

import pytest
from places import ROOT
from prompt_words import AERIAL_ONLY, AERIAL_WORDS, ALL, GROUND_ONLY, GROUND_WORDS, mentions, named, words

from senbench.datasets.open import dataset_info
from senbench.models.clip import bpe
from senbench.prompts import frozen as frozen_module
from senbench.prompts import list_styles, load_prompts, load_vocabulary
from senbench.prompts.frozen import frozen, since
from senbench.runtime.paths import shipped

DATASETS = ("eurosat", "bigearthnet-v2")
CASES = [(d, n) for d in DATASETS for n in load_vocabulary(dataset_info(d).vocabulary).classes[0].names]
LENGTHS = {"": 3, "-short": 3, "-long": 7}
"""Variant -> most words by which the two lines of a pair may differ."""
COMMON = {"with", "from", "along", "over", "between", "beside", "and", "the", "photo", "ground", "satellite", "air"}
COMMON |= {"seen", "place", "another", "elsewhere", "taken"}


@cache
def rendered(style: str, dataset: str, names: str | None = None):
    info = dataset_info(dataset)
    vocabulary = load_vocabulary(info.vocabulary)
    return load_prompts(style, info, vocabulary, names), vocabulary


def stems(text: str) -> set[str]:
    return {w.rstrip("s") for w in re.findall(r"[a-z-]{4,}", text.lower())} - COMMON


@pytest.mark.parametrize(("dataset", "names"), CASES)
@pytest.mark.parametrize("variant", LENGTHS)
def test_ground_and_aerial_are_matched_line_by_line(variant, dataset, names):
    ground, vocabulary = rendered(f"ground{variant}", dataset, names)
    aerial, _ = rendered(f"aerial{variant}", dataset, names)
    for entry in vocabulary.classes:
        name = entry.names[names].lower()
        pairs = list(zip(ground.texts[entry.key], aerial.texts[entry.key], strict=True))  # equal counts
        for g, a in pairs:
            assert abs(words(g) - words(a)) <= LENGTHS[variant], (g, a)
            assert g.lower().count(name) == a.lower().count(name), (g, a)
            assert stems(g) & stems(a), (g, a)  # the same cue
            assert g != a
        mean_g, mean_a = (sum(words(pair[side]) for pair in pairs) / len(pairs) for side in (0, 1))
        assert abs(mean_g - mean_a) / mean_g < 0.08, entry.key


@pytest.mark.parametrize(("dataset", "names"), CASES)
@pytest.mark.parametrize("side", ["ground", "aerial"])
def test_short_and_long_have_their_lengths(side, dataset, names):
    short, vocabulary = rendered(f"{side}-short", dataset, names)
    long, _ = rendered(f"{side}-long", dataset, names)
    for entry in vocabulary.classes:
        extra = max(0, words(entry.names[names]) - 6)  # a label of eleven words cannot be in a line of ten
        for text in short.texts[entry.key]:
            assert words(text) <= 10 + (extra if entry.names[names].lower() in text.lower() else 0), text
        for text in long.texts[entry.key]:
            assert 30 <= words(text) <= 40, text
            assert text.startswith((f"{entry.names[names].lower()} ", f"a photo of {entry.names[names].lower()}"))
    texts = [text for prompts in (short, long) for lines in prompts.texts.values() for text in lines]
    assert max(bpe.counts(texts, None)) <= 64
    assert max(bpe.counts([t.replace(".", "").replace(",", "") for t in texts], None)) <= 56  # as SigLIP reads


@pytest.mark.parametrize("variant", ["-short", "-long"])
@pytest.mark.parametrize("dataset", DATASETS)
def test_variants_are_true_to_their_style_and_name_no_other_class(variant, dataset):
    for style, lexicon in (("ground", AERIAL_WORDS), ("aerial", GROUND_WORDS)):
        prompts, vocabulary = rendered(style + variant, dataset)
        for key, lines in prompts.texts.items():
            assert len(set(lines)) == len(lines)
            for text in lines:
                assert not re.search(rf"\b({lexicon})\b", text, re.IGNORECASE), text
                found = mentions(text, vocabulary) if dataset == "eurosat" else named(text)
                assert found <= {key}, text
                assert text.isascii() and "  " not in text and not re.search(r"\b(\w+) \1\b", text), text
                assert not re.search(r"\ba [aeio]|\ban [^aeiou]", text, re.IGNORECASE), text


@pytest.mark.parametrize("vocabulary", ["eurosat", "bigearthnet"])
def test_short_cues_are_short_and_paired(vocabulary):
    for entry in load_vocabulary(vocabulary).classes:
        assert len(entry.ground_short) == len(entry.aerial_short) == 8
        for g, a in zip(entry.ground_short, entry.aerial_short, strict=True):
            assert 2 < words(g) <= 8 and 2 < words(a) <= 8, (g, a)
            assert g != a
            if vocabulary == "bigearthnet":
                assert not re.search(rf"\b({AERIAL_ONLY})\b", g), g
                assert not re.search(rf"\b({GROUND_ONLY})\b", a), a


def test_published_sets_are_word_for_word():
    for style, lines in {
        "remoteclip": ("a satellite photo of lake or sea.",),
        "skyscript": ("a satellite photo of lake or sea.", "a satellite image of lake or sea"),
        "control-bare": ("lake or sea",),
    }.items():
        prompts, _ = rendered(style, "eurosat", "clip")
        assert prompts.texts["SeaLake"] == lines
        assert prompts.template_aligned


@pytest.mark.parametrize(("dataset", "names"), CASES)
def test_shuffled_names_are_a_derangement_and_nothing_else(dataset, names):
    ground, vocabulary = rendered("ground", dataset, names)
    shuffled, _ = rendered("control-shuffled", dataset, names)
    given = {}
    for entry in vocabulary.classes:
        own = entry.names[names].lower()
        lines = list(zip(ground.texts[entry.key], shuffled.texts[entry.key], strict=True))
        other = lines[1][1].split(" seen from")[0]
        given[entry.key] = next(e.key for e in vocabulary.classes if e.names[names].lower() == other)
        assert all(b == re.sub(rf"\b{re.escape(own)}\b", other, a) for a, b in lines)
    assert sorted(given.values()) == sorted(given)
    assert all(key != other for key, other in given.items())
    default, _ = rendered("control-shuffled", dataset)
    for key, other in given.items():  # the same classes are swapped in every name set
        name = next(e.names[vocabulary.default_names] for e in vocabulary.classes if e.key == other).lower()
        assert default.texts[key][1].startswith(f"{name} seen from the ground")


@pytest.mark.parametrize("dataset", DATASETS)
def test_random_words_say_nothing_of_a_class(dataset):
    prompts, vocabulary = rendered("control-random-words", dataset)
    ground, _ = rendered("ground", dataset)
    assert prompts.template_aligned  # the same words for every class
    assert {len(t) for t in prompts.texts.values()} == {len(t) for t in ground.texts.values()}
    known = {w for e in vocabulary.classes for c in (*e.ground, *e.aerial, *e.names.values()) for w in stems(c)}
    key, lines = next(iter(prompts.texts.items()))
    noise = [line.rstrip(".").split(": ")[1].split() for line in lines if ": " in line]
    assert len(noise) == 44 and all(len(set(line)) == 9 for line in noise)
    assert len({tuple(line) for line in noise}) == 44
    assert not {word.rstrip("s") for line in noise for word in line} & known
    assert all(prompts.names[0].lower() in line for line in prompts.texts[key])


@pytest.mark.parametrize("dataset", DATASETS)
def test_ground_cues_from_above_have_the_cues_of_one_and_the_frames_of_the_other(dataset):
    control, vocabulary = rendered("control-ground-from-above", dataset)
    aerial, _ = rendered("aerial", dataset)
    for entry in vocabulary.classes:
        swapped = list(aerial.texts[entry.key])
        for j, (g, a) in enumerate(zip(entry.ground, entry.aerial, strict=True)):
            for line in (2 * j, 2 * j + 1):
                swapped[line] = swapped[line].replace(a, g)
        assert control.texts[entry.key] == tuple(swapped)


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location("freeze_prompts", ROOT / "tools" / "freeze_prompts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_frozen_styles_render_what_they_did(tool):
    """A change of a shipped style needs a new version: prompts/README.md says how."""
    versions = {summary.style: summary.version for summary in list_styles()}
    assert set(frozen()) >= set(ALL)
    for style, entries in frozen().items():
        assert [e.version for e in entries] == list(range(1, len(entries) + 1)), style
        assert versions[style] == entries[-1].version, f"{style}: run tools/freeze_prompts.py"
        assert tool.hashes(style) == entries[-1].hashes, f"{style} renders something else under the same version"
        assert since(style, versions[style]) == entries[-1].date


def test_freezing_refuses_a_change_without_a_new_version(tool, tmp_path, monkeypatch):
    folder = tmp_path / "prompts"
    shutil.copytree(shipped("prompts"), folder)
    kept = {"control-bare.j2", "clip.j2"}  # the others take their time
    for path in folder.glob("*.j2"):
        if path.name not in kept:
            path.unlink()
    monkeypatch.setattr("senbench.prompts.load.shipped", lambda name: tmp_path / name)
    monkeypatch.setattr(frozen_module, "shipped", lambda name: tmp_path / name)
    monkeypatch.setattr(tool, "PATH", folder / "frozen.json")
    before = (folder / "frozen.json").read_text(encoding="utf-8")
    tool.main()
    assert (folder / "frozen.json").read_text(encoding="utf-8") == before  # nothing new
    path = folder / "control-bare.j2"
    path.write_text(path.read_text(encoding="utf-8") + "\na {{ cls.name }}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="control-bare: version 1 renders something else now; state version 2"):
        tool.main()
    path.write_text(path.read_text(encoding="utf-8").replace("version: 1", "version: 2"), encoding="utf-8")
    (folder / "mine.j2").write_text("{# style: mine, version: 1 #}\n{{ cls.name }}!\n", encoding="utf-8")  # one file
    tool.main()
    styles = json.loads((folder / "frozen.json").read_text(encoding="utf-8"))["styles"]
    assert [e["version"] for e in styles["control-bare"]] == [1, 2]
    assert styles["control-bare"][0] == json.loads(before)["styles"]["control-bare"][0]
    assert set(styles["mine"][0]["hashes"]) == {"eurosat", "bigearthnet", "bigearthnet-43"}


def test_prompt_sets_record_their_version(tmp_path):
    assert rendered("ground", "eurosat")[0].version == 1
    for n, header in enumerate(("{#- style: ground , version: 12 -#}\n", "{# style: ground #}\n", "")):
        path = tmp_path / f"mine{n}.j2"
        path.write_text(header + "{{ cls.name }}\n", encoding="utf-8")
        mine = rendered(str(path), "eurosat")[0]
        assert (mine.style, mine.version) == [("ground", 12), ("ground", None), ("custom", None)][n]
