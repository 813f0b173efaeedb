"""The linter: every finding, where it stands, what is an error; and what must not be found."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.datasets.open import dataset_info
from senbench.errors import UsageError
from senbench.prompts import load_prompts, load_vocabulary, prompts_from_dict, vocabulary_for, vocabulary_for_keys
from senbench.prompts.lexicon import foreign_word, load_lexicon
from senbench.prompts.lint.findings import CODES, LintFinding, Tokens
from senbench.prompts.lint.lint import checked, lint, summary
from senbench.prompts.lint.rules import apply
from senbench.prompts.load import list_styles

GOOD = {
    "AnnualCrop": ["ripe wheat", "young maize"],
    "Forest": ["tall spruces", "old beeches"],
    "HerbaceousVegetation": ["tall grass", "wild herbs"],
    "Highway": ["a paved lane", "an overpass"],
    "Industrial": ["a steel plant", "grey sheds"],
    "Pasture": ["grazing cows", "a sheep fold"],
    "PermanentCrop": ["vines in rows", "olive trees"],
    "Residential": ["small homes", "a block of flats"],
    "River": ["a winding stream", "a muddy bend"],
    "SeaLake": ["waves on a beach", "a calm reservoir"],
}


@pytest.fixture
def found(tmp_path, info, vocabulary):
    """Findings of a file: (code, class, prompt, line), and their messages."""

    def of(content, suffix="json", **options) -> tuple[list[tuple], str]:
        path = tmp_path / f"mine.{suffix}"
        text = content if isinstance(content, str) else json.dumps(content, indent=1)
        path.write_text(text, encoding="utf-8")
        report = lint(str(path), info, vocabulary, **options)
        assert all(len(str(f).splitlines()) == 1 and str(f).isprintable() for f in report.findings)
        assert all(f.code in CODES for f in report.findings)
        places = [(f.code, f.cls, f.prompt, f.line) for f in report.findings]
        return places, " | ".join(map(str, report.findings))

    return of


def changed(**classes):
    return GOOD | classes


def test_a_good_file_has_no_findings(found):
    assert found(GOOD)[0] == []


def test_every_undefined_name_is_found_with_its_line(found):
    places, said = found("{{ cls.nam }} a\n{{ klass }} b\n{{ cls.name }} {{ seson }}", "j2")
    assert places == [("P101", None, None, line) for line in (1, 2, 3)]
    assert "no attribute 'nam'" in said and "'klass' is undefined" in said and "'seson' is undefined" in said


@pytest.mark.parametrize(
    ("content", "suffix", "piece", "advice"),
    [
        ("a photo of {cls.name}.\nland: {{ cls.name }}", "j2", "'{cls.name}' stands in 10 prompts", "{{ cls.name }}"),
        ("a {name}, {{ cls.name }}", "j2", "'{name}'", "{{ cls.name }}"),
        (["a photo of {name}", "a {}"], "json", "'{name}' stands in 10 prompts", "write {} for"),
        (
            changed(River=["a {{ cls.name }}", "b"]),
            "json",
            "'{{ cls.name }}' stands in 1 prompt ",
            "write the name out",
        ),
        (changed(River=["a { bend", "b"]), "json", "'{'", "write the name out"),
    ],
)
def test_braces(content, suffix, piece, advice, found):
    places, said = found(content, suffix)
    assert [p[0] for p in places].count("P102") == 1 and piece in said and advice in said


def test_a_template_that_renders_the_same_for_every_class(found):
    places, said = found("a photo of land\nanother photo", "j2")
    assert places == [("P103", None, None, None)]
    assert "all 10 classes have the same 2 prompts" in said and "{{ cls.name }}" in said
    assert found(["a photo of land"])[0] == [("P103", None, None, None)]


def test_classes_with_the_same_prompts_in_any_order_and_case(found):
    places, said = found(changed(River=["Waves on a  beach", "a calm reservoir"], SeaLake=GOOD["SeaLake"][::-1]))
    assert places == [("P103", "River", None, None)] and "River, SeaLake" in said


def test_lines_that_never_mention_the_class(found):
    places, said = found("a photo\n{{ cls.name }}\na map", "j2")
    assert places == [("P201", "AnnualCrop", 1, None), ("P201", "AnnualCrop", 3, None)] and "'a photo'" in said
    assert [p[0] for p in found(["a photo", "a {}"])[0]] == ["P201"]


def test_duplicates(found):
    places, said = found(changed(River=["a bend", "a winding stream", "A  Bend"], Forest=["tall spruces", "a bend"]))
    assert ("P202", "River", 3, 37) in places and "repeats prompt 1" in said
    assert ("P203", "Forest", 2, 8) in places and "also a prompt of River" in said
    assert [p[0] for p in places] == ["P204", "P203", "P202"]


def test_unequal_counts_name_the_odd_ones(found):
    places, said = found(changed(River=["a bend"]))
    assert places == [("P204", None, None, None)] and "2 for 9 classes; 1 for River" in said


def test_missing_and_unknown_classes_and_classes_given_twice(found):
    classes = {k: v for k, v in GOOD.items() if k != "River"} | {"Rivers": ["x"], "Sea or Lake": ["y"]}
    places, said = found(classes)
    assert [p[:2] for p in places] == [("P104", "River"), ("P105", None), ("P106", "SeaLake")]
    assert "did you mean 'River'?" in said
    places, said = found('{"River": ["a"], "River": ["b"]}')
    assert ("P106", "River", None, 1) in places


def test_another_datasets_file_is_one_finding(found):
    places, said = found({"Arable land": ["x"], "Pastures": ["y"]})
    assert [p[0] for p in places] == ["P100"] and "--dataset" in said


def test_what_is_no_prompt(found):
    places, said = found(changed(River=["  ", 3, None, {"a": ["b"]}, "\ud800", "x" * 1001, "a bend"], Forest=[]))
    assert [p[:3] for p in places] == [
        ("P107", "Forest", None),
        *[("P109", "River", 1), ("P108", "River", 2), ("P108", "River", 3), ("P108", "River", 4)],
        *[("P108", "River", 5), ("P110", "River", 6)],
    ]
    assert [p[3] for p in places if p[0] == "P109"] == [32]
    assert "empty" in said and "1,001 characters" in said
    assert ("P108", "River", None, 1) in found('{"River": "a bend"}')[0]


def test_lines_are_right_after_what_is_skipped(found):
    places, _ = found(
        '{"x": {"y": ["z", "w"]}, "River": [\n"a bend",\n"a {",\n"\\"q\\"", 3, ["s"],\n""],\n"Forest": ["tall {}"]}'
    )
    assert [(p[0], p[3]) for p in places if p[1] in ("River", "Forest") and p[3]] == [
        *[("P102", 3), ("P108", 4), ("P108", 4), ("P109", 5), ("P102", 6)]
    ]


@pytest.mark.parametrize("content", ["{", "[1", "nul", '{"a": }', "", "[" * 9999, "3", '"text"', "1" * 5000])
def test_unreadable_json_is_one_finding(content, found):
    assert [p[0] for p in found(content)[0]] == ["P100"]


@pytest.mark.parametrize(
    "content",
    ["{% if %}", "{{ 1 / 0 }}", "{% include '../x.j2' %}", "{{ 'a' * 3000000000 }}", "", "{{ x | nofilter }}"],
)
def test_a_template_that_cannot_be_rendered(content, found):
    places, _ = found(content, "j2")
    assert [p[0] for p in places] == ["P100"]


def test_missing_cues_are_told_once(describe):
    info = describe(("wheat", "wood"), "folder:land", "")
    report = lint("ground", info, vocabulary_for_keys(info.classes))
    assert [f.code for f in report.findings] == ["P100"] and "and so for 1 more" in str(report.findings[0])


def test_an_absent_file_or_style_is_a_usage_error(tmp_path, info, vocabulary):
    for source in (str(tmp_path / "absent.json"), str(tmp_path), "nostyle"):
        with pytest.raises(UsageError):
            lint(source, info, vocabulary)


@pytest.mark.parametrize(
    ("key", "text", "word"),
    [
        ("Forest", "trees beside a river", "river"),
        ("Forest", "trees beside Rivers", "Rivers"),
        ("Forest", "trees along the highway", "highway"),  # an alternative of "Highway or Road"
        ("River", "annual-crop land on the bank", "annual-crop land"),
        ("AnnualCrop", "permanent crop land", "permanent crop land"),
        ("Forest", "a riverbed with sealant", None),
        ("SeaLake", "a sea, a lake, a Sea or Lake, lakes", None),
        ("PermanentCrop", "Permanent Crop Land", None),
        ("Residential", "an industrial area", None),  # "Industrial" is a name in another set only
    ],
)
def test_names_of_other_classes(key, text, word, found):
    places, said = found(changed(**{key: [text, "b"]}))
    assert [p[:3] for p in places] == ([("P205", key, 1)] if word else [])
    assert not word or f"{word!r} in" in said


def test_names_inside_names(describe):
    info = describe(("crop", "permanent_crop", "crop_mosaic"), "folder:land", "")
    vocabulary = vocabulary_for_keys(info.classes)
    texts = {
        "crop": ("a crop", "permanent crops here"),
        "permanent_crop": ("a permanent crop", "permanent-crop rows", "cropland", "one crop"),
        "crop_mosaic": ("a crop mosaic", "a mosaic"),
    }
    found = [(f.cls, f.prompt) for f in apply(texts, vocabulary, "folder", "custom", "sentences") if f.code == "P205"]
    assert found == [("crop", 2), ("permanent_crop", 4)]


@pytest.mark.parametrize(
    ("style", "text", "word"),
    [
        ("ground", "an Aerial view of homes", "Aerial"),
        ("ground", "Aerial roots of mangroves", "Aerial"),  # the text tower reads the word, not the sense
        ("ground", "a bird's-eye view", "bird's-eye"),
        ("ground", "seen from  above", "from  above"),
        ("ground", "Sentinel-2 pixels", "Sentinel-2"),
        ("ground", "a canopy overhead, the sky above", None),
        ("ground", "a scarecrow standing sentinel", None),
        ("ground", "aerialist", None),
        ("aerial", "a street-level photo", "street-level"),
        ("aerial", "cows on the horizon", "horizon"),
        ("aerial", "patches of bare ground", None),
        ("aerial", "standing water", None),
        ("mixed", "an aerial and a ground-level photo", None),
        ("custom", "an aerial photo", None),
    ],
)
def test_words_of_the_other_style(style, text, word):
    found = foreign_word(text, style)
    assert (found and found[0]) == word


def test_the_lexicon_states_a_reason_for_every_word():
    lexicon = load_lexicon()
    assert set(lexicon) == {"aerial", "ground"}
    for style, words in lexicon.items():
        for word, reason in words.items():
            assert reason and foreign_word(f"x {word} y", "ground" if style == "aerial" else "aerial")


def test_contamination_follows_the_claim(found):
    content = changed(River=["an aerial photo of a bend", "b"])
    assert found(content)[0] == []
    places, said = found(content, style="ground")
    assert places == [("P206", "River", 1, 35)] and "belongs to aerial prompts" in said
    template = "{# style: ground #}\n{{ cls.name }} by drone"
    assert [p[0] for p in found(template, "j2")[0]] == ["P206"] * 10
    assert found(template, "j2", style="aerial")[0] == []


def test_truncation_by_the_models_own_count(found):
    tokens = Tokens("stub", 5, lambda texts: [len(t.split()) + 2 for t in texts])
    places, said = found(changed(River=["one two three", "one two three four"]), tokens=tokens)
    assert [p[:3] for p in places] == [("P207", "Residential", 2), ("P207", "River", 2), ("P207", "SeaLake", 1)]
    assert "takes 6 tokens, stub reads 5" in said


def test_long_and_non_ascii(found):
    text = "wide " * 61
    places, said = found(changed(River=[text, "the river\u2019s bend\u202e", "a\nb"]))
    assert [p[:3] for p in places] == [
        ("P204", None, None),
        ("P208", "River", 1),
        ("P209", "River", 2),
        ("P209", "River", 3),
    ]
    assert "305 characters" in said and "U+2019 right single quotation mark (write ')" in said
    assert "U+202E right-to-left override" in said and "U+000A a control character (write a space)" in said


def test_a_class_name_may_be_spelt_as_it_is(describe):
    info = describe(("For\u00eat", "Pr\u00e9"), "folder:land", "")
    vocabulary = vocabulary_for_keys(info.classes)
    texts = {"For\u00eat": ("une for\u00eat",), "Pr\u00e9": ("un pr\u00e9 o\u00f9",)}
    assert [(f.code, f.cls) for f in apply(texts, vocabulary, "folder", "custom", "sentences")] == [
        ("P209", "Pr\u00e9")
    ]


def test_key_order_is_a_warning_that_says_who_is_safe(found):
    places, said = found(dict(reversed(GOOD.items())))
    assert places == [("P210", None, None, None)]
    assert "class 1 of the file is SeaLake, class 1 of the labels AnnualCrop: senbench aligns by name" in said


@pytest.mark.parametrize("dataset", ["eurosat", "bigearthnet-v2", "bigearthnet-v1-43"])
def test_shipped_styles_are_clean(dataset):
    info = dataset_info(dataset)
    vocabulary, names = vocabulary_for(info, None)
    for style in list_styles():
        try:
            prompts = load_prompts(style.style, info, vocabulary, names)
        except UsageError as error:
            assert "cues" in str(error) and dataset == "bigearthnet-v1-43"
            continue
        assert checked(prompts, vocabulary).warnings == (), style.style


def test_before_an_evaluation_errors_stop_and_warnings_are_kept(info, vocabulary):
    ragged = prompts_from_dict(changed(River=["an old bend", "a mill, a mill", "a lake", "a forest"]), info, vocabulary)
    assert checked(ragged, vocabulary).warnings == (
        "prompts custom: P204 unequal counts: 1",
        "prompts custom: P205 name of another class: 2 of 22 prompts",
    )
    wrong = prompts_from_dict(changed(River=["a {name}"], Forest=["a {x}"]), info, vocabulary)
    with pytest.raises(UsageError) as caught:
        checked(wrong, vocabulary)
    assert re.match(
        r"prompts custom: P102 Forest, prompt 1: '\{x\}' .*\(errors: 2; `senbench prompts lint` shows all\)",
        str(caught.value),
    )


def test_summary_counts():
    findings = [LintFinding("P206", "x", "River", 1), LintFinding("P206", "y", "River", 2), LintFinding("P204", "z")]
    assert summary(findings, 510) == ["P204 unequal counts: 1", "P206 word of the other style: 2 of 510 prompts"]


TEXT = st.text(max_size=30)
NAMES = st.sampled_from([*GOOD, "Sea or Lake", "forest", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FILES = st.one_of(
    TEXT,
    VALUES.map(json.dumps),
    st.dictionaries(NAMES, st.lists(TEXT | st.sampled_from(["a {}", "aerial", "a river"]), max_size=3)).map(json.dumps),
    st.fixed_dictionaries({key: st.lists(TEXT, min_size=1, max_size=2) for key in GOOD}).map(json.dumps),
    st.lists(TEXT | st.sampled_from(["a {}", "{x}"]), max_size=3).map(json.dumps),
)


@settings(max_examples=120, deadline=None)
@given(content=FILES, style=st.sampled_from([None, "ground", "aerial"]))
def test_any_file_is_linted_as_the_strict_reader_judges_it(content, style, tmp_path_factory, info, vocabulary):
    path = tmp_path_factory.mktemp("l") / "mine.json"
    path.write_text(content, encoding="utf-8", errors="surrogatepass")
    report = lint(str(path), info, vocabulary, style=style)
    assert report == lint(str(path), info, vocabulary, style=style)
    assert all(str(f).isprintable() and f.code in CODES for f in report.findings)
    lines = len(content.splitlines()) + content.count("\n") + 1
    assert all(f.line is None or 1 <= f.line <= lines for f in report.findings)
    try:
        prompts = load_prompts(str(path), info, vocabulary)
    except UsageError:
        assert report.count("error") > 0
    else:
        assert {f.code for f in report.findings if f.severity == "error"} <= {"P102", "P103"}
        assert report.n == prompts.n
        # what a run says is what the linter says, but for the order of the file and the places in it
        rules = apply(prompts.texts, vocabulary, prompts.class_names, style or "custom", "sentences")
        assert sorted(f.code for f in report.findings if f.code != "P210") == sorted(f.code for f in rules)


def test_vocabularies_are_not_their_own_contamination():
    for name in ("eurosat", "bigearthnet"):
        for entry in load_vocabulary(name).classes:
            assert not [cue for cue in entry.ground if foreign_word(cue, "ground")]
            assert not [cue for cue in entry.aerial if foreign_word(cue, "aerial")]


def test_a_control_is_not_blamed_for_what_it_is_made_of(info, vocabulary):
    texts = load_prompts("control-shuffled", info, vocabulary).texts
    assert lint("control-shuffled", info, vocabulary).findings == ()
    codes = {f.code for f in apply(texts, vocabulary, vocabulary.default_names, "ground", "sentences")}
    assert codes == {"P205"}  # under any other style it is
