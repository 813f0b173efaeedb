"""Short and long variants, published sets, controls; matched pairs line by line; frozen hashes."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from functools import cache

import pytest
from places import ROOT
from prompt_words import AERIAL_ONLY, AERIAL_WORDS, ALL, BEN, GROUND_ONLY, GROUND_WORDS, mentions, named, words

from senbench.datasets.open import dataset_info
from senbench.models.clip import bpe
from senbench.prompts import frozen as frozen_module
from senbench.prompts import list_styles, load_prompts, load_vocabulary
from senbench.prompts.frozen import frozen, since
from senbench.prompts.template.filters import deranged
from senbench.runtime.paths import shipped

DATASETS = ("eurosat", "bigearthnet-v2", "bigearthnet-v1-43")
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
                found = mentions(text, vocabulary) if dataset == "eurosat" else named(text, vocabulary.id)
                assert found <= {key}, text
                assert text.isascii() and "  " not in text and not re.search(r"\b(\w+) \1\b", text), text
                assert not re.search(r"\ba [aeio]|\ban [^aeiou]", text, re.IGNORECASE), text


@pytest.mark.parametrize("vocabulary", ["eurosat", *BEN])
def test_short_cues_are_short_and_paired(vocabulary):
    for entry in load_vocabulary(vocabulary).classes:
        assert len(entry.ground_short) == len(entry.aerial_short) == 8
        for g, a in zip(entry.ground_short, entry.aerial_short, strict=True):
            assert 2 < words(g) <= 8 and 2 < words(a) <= 8, (g, a)
            assert g != a
            if vocabulary in BEN:
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


def derangement(dataset) -> dict[str, str]:
    """Class key -> the key of the class whose name it is given in control-shuffled."""
    keys = dataset_info(dataset).classes
    return dict(zip(keys, deranged(keys, "senbench"), strict=True))


def named_lines(lines, name) -> list[bool]:
    return [bool(re.search(rf"\b{re.escape(name)}\b", line, re.IGNORECASE)) for line in lines]


@pytest.mark.parametrize(("dataset", "names"), CASES)
def test_shuffled_names_are_a_derangement_and_nothing_else(dataset, names):
    ground, vocabulary = rendered("ground", dataset, names)
    shuffled, _ = rendered("control-shuffled", dataset, names)
    given = derangement(dataset)
    name = {e.key: e.names[names].lower() for e in vocabulary.classes}
    assert sorted(given.values()) == sorted(given)
    for key, other in given.items():
        assert key != other
        lines = zip(ground.texts[key], shuffled.texts[key], strict=True)
        assert all(b == re.sub(rf"\b{re.escape(name[key])}\b", name[other], a) for a, b in lines)
        assert any(name[other] in line for line in shuffled.texts[key])


@pytest.mark.parametrize(("dataset", "names"), CASES)
def test_swapped_cues_are_the_lines_of_shuffled_names_for_the_class_that_is_named(dataset, names):
    ground, vocabulary = rendered("ground", dataset, names)
    shuffled, _ = rendered("control-shuffled", dataset, names)
    swapped, _ = rendered("control-swapped", dataset, names)
    entries = {entry.key: entry for entry in vocabulary.classes}
    for key, other in derangement(dataset).items():
        assert swapped.texts[other] == shuffled.texts[key]
        own = entries[other].names[names]
        assert named_lines(swapped.texts[other], own) == named_lines(ground.texts[other], own)
        assert not any(cue in line for cue in entries[other].ground for line in swapped.texts[other])


@pytest.mark.parametrize("dataset", DATASETS)
def test_random_words_say_nothing_of_a_class_and_are_as_many_as_cues(dataset):
    prompts, vocabulary = rendered("control-random-words", dataset)
    ground, _ = rendered("ground", dataset)
    assert prompts.template_aligned  # the same words for every class
    every = [cue for e in vocabulary.classes for cue in (*e.ground, *e.aerial, *e.ground_short, *e.aerial_short)]
    known = {w for text in (*every, *(n for e in vocabulary.classes for n in e.names.values())) for w in stems(text)}
    longer = []
    for (key, lines), name in zip(prompts.texts.items(), prompts.names, strict=True):
        assert named_lines(lines, name) == named_lines(ground.texts[key], name)
        longer.append(sum(map(words, lines)) / len(lines) - sum(map(words, ground.texts[key])) / len(lines))
        assert abs(longer[-1]) <= 1.25, key
        assert len(set(lines)) == len(lines)
    assert abs(sum(longer) / len(longer)) <= 0.5
    source = (shipped("prompts") / "control-random-words.j2").read_text(encoding="utf-8")
    noise = set(re.findall(r'"([a-z]+)"', source[source.index("{% set words") : source.index("{% set found")]))
    assert len(noise) > 90 and not {word.rstrip("s") for word in noise} & known


CROSSED = {
    "ground": ("ground", "ground"),
    "aerial": ("aerial", "above"),
    "ground-plain": ("ground", "plain"),
    "aerial-plain": ("aerial", "plain"),
    "control-ground-from-above": ("ground", "above"),
    "control-aerial-from-ground": ("aerial", "ground"),
}
"""Style -> whose cues, in which frame: a full factorial."""


@pytest.mark.parametrize("dataset", DATASETS)
def test_cue_and_frame_are_crossed_line_by_line(dataset):
    sets = {style: rendered(style, dataset) for style in CROSSED}
    vocabulary = sets["ground"][1]
    for entry in vocabulary.classes:
        cues = {
            "ground": [c for cue in entry.ground for c in (cue, cue)] + list(entry.ground_short),
            "aerial": [c for cue in entry.aerial for c in (cue, cue)] + list(entry.aerial_short),
        }
        frames = {}
        for style, (side, frame) in CROSSED.items():
            texts = sets[style][0].texts[entry.key]
            bare = [text.replace(cue, "CUE") for text, cue in zip(texts, cues[side], strict=True)]
            assert all("CUE" in text for text in bare), style
            assert frames.setdefault(frame, bare) == bare, (style, frame)  # the same wording around both cues
        name = sets["ground"][0].names[0].lower()
        assert all(len(set(lines)) in {5, 8} for lines in frames.values())
        if entry.key == vocabulary.classes[0].key:
            assert named_lines(frames["ground"], name) == named_lines(frames["above"], name)
            assert sum(named_lines(frames["ground"], name)) == 26
            assert not any(named_lines(frames["plain"], name))
        for text in frames["plain"]:
            assert not re.search(rf"\b({AERIAL_WORDS}|{GROUND_WORDS})\b", text)


@pytest.mark.parametrize("dataset", DATASETS)
def test_names_are_as_many_lines_and_hold_no_cue(dataset):
    prompts, _ = rendered("names", dataset)
    ground, _ = rendered("ground", dataset)
    assert prompts.template_aligned
    for (key, lines), name in zip(prompts.texts.items(), prompts.names, strict=True):
        assert len(set(lines)) == len(lines) == len(ground.texts[key])
        assert all(named_lines(lines, name))


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
        for entry in entries[:-1]:
            assert tool.hashes(f"{style}@{entry.version}") == entry.hashes, f"{style}@{entry.version} is another now"
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
    monkeypatch.setattr("senbench.prompts.versions.shipped", lambda name: tmp_path / name)
    monkeypatch.setattr(frozen_module, "shipped", lambda name: tmp_path / name)
    monkeypatch.setattr(tool, "PATH", folder / "frozen.json")
    before = (folder / "frozen.json").read_text(encoding="utf-8")
    tool.main()
    assert (folder / "frozen.json").read_text(encoding="utf-8") == before  # nothing new
    path = folder / "control-bare.j2"
    shutil.copy(path, tmp_path / "before.j2")
    path.write_text(path.read_text(encoding="utf-8") + "\na {{ cls.name }}\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="control-bare: version 1 renders something else now; state version 2"):
        tool.main()
    path.write_text(path.read_text(encoding="utf-8").replace("version: 1", "version: 2"), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"keep the template of before as prompts/older/control-bare@1\.j2"):
        tool.main()
    kept_template = folder / "older" / "control-bare@1.j2"
    kept_template.write_text("{# style: control, version: 1 #}\nanother\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="control-bare@1 renders something else than it did"):
        tool.main()
    shutil.copy(tmp_path / "before.j2", kept_template)
    (folder / "mine.j2").write_text("{# style: mine, version: 1 #}\n{{ cls.name }}!\n", encoding="utf-8")  # one file
    tool.main()
    styles = json.loads((folder / "frozen.json").read_text(encoding="utf-8"))["styles"]
    assert [e["version"] for e in styles["control-bare"]] == [1, 2]
    assert styles["control-bare"][0] == json.loads(before)["styles"]["control-bare"][0]
    assert set(styles["mine"][0]["hashes"]) == {"eurosat", "bigearthnet", "bigearthnet-43"}


def test_prompt_sets_record_their_version(tmp_path):
    assert rendered("ground", "eurosat")[0].version == 2
    for n, header in enumerate(("{#- style: ground , version: 12 -#}\n", "{# style: ground #}\n", "")):
        path = tmp_path / f"mine{n}.j2"
        path.write_text(header + "{{ cls.name }}\n", encoding="utf-8")
        mine = rendered(str(path), "eurosat")[0]
        assert (mine.style, mine.version) == [("ground", 12), ("ground", None), ("custom", None)][n]
