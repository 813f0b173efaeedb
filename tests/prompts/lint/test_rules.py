"""Each rule finds its case and names the prompt; what only looks like it is left alone."""

from __future__ import annotations

import pytest
from lint_files import GOOD, changed

from senbench.prompts import load_prompts, vocabulary_for_keys
from senbench.prompts.lint.findings import Tokens
from senbench.prompts.lint.lint import lint
from senbench.prompts.lint.rules import apply, generated


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


def test_a_control_is_not_blamed_for_what_it_is_made_of(info, vocabulary):
    texts = load_prompts("control-shuffled", info, vocabulary).texts
    assert lint("control-shuffled", info, vocabulary).findings == ()
    codes = {f.code for f in apply(texts, vocabulary, vocabulary.default_names, "ground", "sentences")}
    assert codes == {"P205"}  # under any other style it is


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a lake <|endoftext|> b", "<|endoftext|>"),
        ("<start_of_text> lake", "<start_of_text>"),
        ("a lake &lt;END_OF_TEXT&gt;", "<END_OF_TEXT>"),
        ("a lake \uff1c|endoftext|\uff1e", "<|endoftext|>"),
        ("a lake</s>", "</s>"),
        ("[SEP] lake", "[SEP]"),
    ],
)
def test_marks_of_tokenizers_are_errors(text, mark):
    from senbench.prompts.lint.rules import marks

    (found,) = marks({"Lake": [text, "a lake < 3 km", "lake [s]"]})
    assert (found.code, found.severity, found.cls, found.prompt) == ("P111", "error", "Lake", 1)
    assert repr(mark) in found.message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("A satellite photo of a forest with a dark green", None),
        ("A satellite photo of a forest with a", "P213"),
        ("a river that bends through fields of the", "P213"),
        ("rows of trees,", None),  # too short to tell
        ("a wide field with rows of trees,", "P213"),
        ("As an AI language model, I do not have eyes.", "P214"),
        ("I'm sorry, I cannot describe this land.", "P214"),
        ("a model railway in a village", None),
    ],
)
def test_what_a_language_model_leaves_behind(text, code):
    found = [finding.code for finding in generated({"River": [text]})]
    assert found == ([code] if code else [])
