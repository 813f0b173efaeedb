"""Vocabularies: shipped, derived from folders, and from users' YAML; mistakes are one clear line."""

from __future__ import annotations

import unicodedata

import pytest

from senbench.errors import UsageError
from senbench.prompts import load_prompts, load_vocabulary, vocabulary_for, vocabulary_for_keys
from senbench.prompts.vocabulary import CUES, find_class, name_from_key, normalise

FULL = """
id: land
title: My land
default_names: short
classes:
  wheat_field:
    names: {short: wheat, long: a field of wheat}
    ground: [ripe ears swaying in the wind]
    aerial: [a golden rectangle]
  wood:
    names: {short: wood, long: a small wood}
    ground: [mossy trunks]
"""


def write(folder, text, name="land.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def failure(call, *args) -> str:
    with pytest.raises(UsageError) as caught:
        call(*args)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400
    return message


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("AnnualCrop", "Annual Crop"),
        ("sea_lake", "sea lake"),
        ("olive-grove", "olive grove"),
        ("Sea Lake", "Sea Lake"),
        ("river", "river"),
        ("UTMZone32North", "UTM Zone32 North"),
        ("GRASS", "GRASS"),
        ("Wälder_ÖkoFläche", "Wälder Öko Fläche"),
        ("森林", "森林"),
        ("___", "___"),
    ],
)
def test_names_from_folders(key, name):
    assert name_from_key(key) == name


def test_derived_vocabulary(describe):
    vocabulary = vocabulary_for_keys(["SeaLake", "annual_crop"])
    assert [c.names for c in vocabulary.classes] == [{"folder": "Sea Lake"}, {"folder": "annual crop"}]
    assert vocabulary.default_names == "folder"
    assert "share the name" in failure(vocabulary_for_keys, ["SeaLake", "sea_lake"])


def test_flat_file(tmp_path):
    path = write(tmp_path, "wood: small wood\nwheat: wheat field\n")
    vocabulary = vocabulary_for_keys(["wheat", "wood"], path)
    assert [(c.key, c.names) for c in vocabulary.classes] == [
        ("wheat", {"land": "wheat field"}),  # the folders' order, not the file's
        ("wood", {"land": "small wood"}),
    ]


def test_full_file_with_cues(tmp_path, describe):
    info = describe(("wood", "wheat_field"), "folder:land", "")
    path = write(tmp_path, FULL)
    vocabulary, names = vocabulary_for(info, path)
    assert names is None and vocabulary.default_names == "short"
    prompts = load_prompts("ground", info, vocabulary, "long")
    assert prompts.texts["wheat_field"][0] == "a ground photo of ripe ears swaying in the wind."
    assert list(prompts.texts) == ["wood", "wheat_field"]
    assert "needs aerial cues, but class 'wood'" in failure(load_prompts, "aerial", info, vocabulary)
    assert load_vocabulary(path).classes[0].key == "wheat_field"


def test_vocabulary_for(info, describe, tmp_path):
    assert vocabulary_for(info, "clip") == (load_vocabulary("eurosat"), "clip")
    assert vocabulary_for(info, None) == (load_vocabulary("eurosat"), None)
    folder = describe(("a", "b"), "folder:x", "")
    assert vocabulary_for(folder, None)[0].default_names == "folder"
    path = write(tmp_path, "a: one\nb: two\n")
    assert vocabulary_for(describe(("a", "b"), "folder:x", path), None)[0].classes[1].names == {"land": "two"}


def test_find_class(vocabulary):
    assert find_class(vocabulary, "lake or sea") == find_class(vocabulary, "sealake") == "SeaLake"
    message = failure(find_class, vocabulary, "rivr")
    assert "'rivr'" in message and "'River'" in message


def test_unknown_vocabulary(tmp_path):
    assert "unknown class vocabulary 'eurosta'" in failure(load_vocabulary, "eurosta")
    assert "unknown class vocabulary '../classes/eurosat'" in failure(load_vocabulary, "../classes/eurosat")
    assert "does not exist" in failure(load_vocabulary, str(tmp_path / "absent.yaml"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id: land", "id: [land", "land.yaml, line"),
        ("id: land\n", "", "misses the field 'id'"),
        ("default_names: short\n", "", "misses the field 'default_names'"),
        ("default_names: short", "default_names: tall", "'tall' is none of the sets short, long"),
        ("title: My land", "titel: My land", "unknown field 'titel'"),
        ("title: My land", "title: 3", "title must be text, not 3"),
        ("    aerial: ", "    arial: ", "class 'wheat_field' has the unknown field 'arial'"),
        ("    ground: [mossy trunks]", "    ground: mossy trunks", "class 'wood': ground must be a list"),
        ("[mossy trunks]", "[mossy: trunks]", "class 'wood': ground cue 1 must be text"),
        ("[mossy trunks]", "['']", "class 'wood': ground cue 1 must be one non-empty line"),
        ("[mossy trunks]", '["a\\nb"]', "class 'wood': ground cue 1 must be one non-empty line"),
        ("{short: wood, long: a small wood}", "{short: wood}", "class 'wood' must have the name sets"),
        ("{short: wood, long: a small wood}", "{}", "class 'wood': names must map"),
        ("{short: wood, long: a small wood}", "wood", "class 'wood': names must map"),
        ("short: wood,", "short: Wheat,", "share the name 'Wheat'"),
        ("  wood:", "  wheat_field:", "key 'wheat_field' occurs 2 times"),
        ("  wood:", "  no:", "must be text, not False; put it in quotes"),
        ("id: land", "id: !!python/object/apply:os.getcwd []", "is not valid YAML"),
        ("id: land", "id: " + "[" * 50_000, "is not valid YAML"),
    ],
)
def test_mistakes_in_yaml_are_named(old, new, said, tmp_path):
    assert old in FULL
    message = failure(load_vocabulary, write(tmp_path, FULL.replace(old, new)))
    assert "land.yaml" in message and said in message


@pytest.mark.parametrize("text", ("", "3", "- a\n- b", "classes: 3", "id: x\ntitle: x\nclasses: {}"))
def test_no_vocabulary_at_all(text, tmp_path):
    assert "land.yaml" in failure(load_vocabulary, write(tmp_path, text))
    assert "land.yaml" in failure(vocabulary_for_keys, ["a", "b"], write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: one\n", "misses the class 'b'"),
        ("a: one\nb: two\nc: three\n", "unknown class 'c'"),
        ("a: one\nb: [two]\n", "class 'b' must be text"),
        ("a: one\nb: One\n", "share the name 'One'"),
        ("a: one\nb: two\nyes: three", "unknown class True (put it in quotes"),
        (FULL, "unknown class 'wheat_field'"),
    ],
)
def test_class_file_that_does_not_fit_the_folders(text, said, tmp_path):
    message = failure(vocabulary_for_keys, ["a", "b"], write(tmp_path, text))
    assert "land.yaml" in message and said in message


def test_accents_that_are_written_apart_are_composed():
    apart = unicodedata.normalize("NFD", "Wälder")
    assert len(apart) == 7
    assert name_from_key(apart) == "Wälder" and normalise(apart) == normalise("WÄLDER") == "wälder"
    assert vocabulary_for_keys([apart, "See"]).classes[0].names == {"folder": "Wälder"}


def one_class(tmp_path, *lines):
    fields = "".join(f"    {line}\n" for line in lines)
    text = f"id: x\ntitle: X\ndefault_names: short\nclasses:\n  wood:\n    names: {{short: wood}}\n{fields}"
    return write(tmp_path, text)


def test_fields_of_a_class(tmp_path):
    path = one_class(
        tmp_path,
        "hypernym: tree cover",
        "synonyms: [woods, timber land]",
        "translations: {de: Wald, fr: bois}",
        "source: my own eyes",
        "cues_from: {bigearthnet: Mixed forest}",
    )
    [entry] = load_vocabulary(path).classes
    mixed = next(e for e in load_vocabulary("bigearthnet").classes if e.key == "Mixed forest")
    assert (entry.hypernym, entry.synonyms, entry.source) == ("tree cover", ("woods", "timber land"), "my own eyes")
    assert entry.translations == {"de": "Wald", "fr": "bois"}
    assert [getattr(entry, kind) for kind in CUES] == [getattr(mixed, kind) for kind in CUES]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["ground: [a, b]", "aerial: [c]"], "ground has 2 cues and aerial 1, but cue j of both is the same thing"),
        (["ground_short: [a]", "aerial_short: [c, d]"], "ground_short has 1 cues and aerial_short 2"),
        (["translations: {xx: Wald}"], "unknown language of translations in class vocabulary"),
        (["translations: {en: wood}"], "Available: de, es, fr"),
        (["translations: Wald"], "translations must map languages to names"),
        (["translations: {de: ''}"], "translation into 'de' must be one non-empty line"),
        (["synonyms: woods"], "synonyms must be a list of synonyms"),
        (["synonyms: [1]"], "synonyms synonym 1 must be text, not 1"),
        (["hypernym: [a]"], "hypernym must be text"),
        (["cues_from: Mixed forest"], "cues_from must name one class of a shipped vocabulary"),
        (["cues_from: {eurosat: Woods}"], "class vocabulary eurosat has no class 'Woods'"),
        (["cues_from: {mine.yaml: Woods}"], "cues_from must name a shipped vocabulary, not 'mine.yaml'"),
        (["cues_from: {bigearthnt: Woods}"], "unknown class vocabulary 'bigearthnt'"),
        (
            ["cues_from: {bigearthnet: Pastures}", "ground: [a]"],
            "has cues_from and ground; inherit its cues or list them",
        ),
    ],
)
def test_bad_fields_of_a_class_are_one_line(tmp_path, lines, message):
    told = failure(load_vocabulary, one_class(tmp_path, *lines))
    assert message in told and "\n" not in told


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("{{ cls.hypernym }}", "needs hypernym, but class 'wood'"),
        ("{% for s in cls.synonyms %}{{ s }}{% endfor %}", "needs synonyms, but class 'wood'"),
        ("{{ cls.translations.es }}", "needs translations into 'es', but class 'wood'"),
    ],
)
def test_a_template_that_needs_what_is_not_stated_is_told_so(tmp_path, describe, asked, message):
    template = tmp_path / "mine.j2"
    template.write_text(f"{asked}\n", encoding="utf-8")
    vocabulary = load_vocabulary(one_class(tmp_path, "translations: {de: Wald}"))
    told = failure(load_prompts, str(template), describe(("wood",), "folder:land", ""), vocabulary)
    assert message in told and "\n" not in told
