"""Which language a line looks like; what follows for templates, vocabularies and the linter."""

from __future__ import annotations

import pytest

from senbench.datasets.open import dataset_info
from senbench.errors import UsageError
from senbench.prompts import languages, load_prompts, load_vocabulary
from senbench.prompts.lint.lint import checked, lint

TRANSLATED = {"names-de": "de", "names-es": "es", "names-fr": "fr"}


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("a satellite photo of La Rochelle", "en"),
        ("ein Luftbild mit Wald.", "de"),
        ("une photo de la forêt", "fr"),
        ("una foto desde el aire", "es"),
        ("Wald", None),  # one name is in no language
        ("forest and lake", None),  # one function word is none, either
        ("", None),
    ],
)
def test_the_language_of_a_line(text, language):
    assert languages.of(text) == language
    assert languages.english(text) == (language in ("en", None))


def test_no_shipped_english_line_looks_like_another_language():
    for dataset in ("eurosat", "bigearthnet-v2", "bigearthnet-v1-43"):
        info = dataset_info(dataset)
        for style in ("mixed", "names", "synonyms", "clip"):
            for text in load_prompts(style, info, load_vocabulary(info.vocabulary)).lines:
                assert languages.english(text), text


@pytest.mark.parametrize("dataset", ["eurosat", "bigearthnet-v2"])
@pytest.mark.parametrize(("style", "language"), TRANSLATED.items())
def test_name_only_styles_in_other_languages(style, language, dataset):
    info = dataset_info(dataset)
    vocabulary = load_vocabulary(info.vocabulary)
    prompts = load_prompts(style, info, vocabulary)
    assert (prompts.language, prompts.template_aligned) == (language, True)
    assert "language" not in prompts.model_dump()  # results follow from the texts
    for entry in vocabulary.classes:
        assert set(entry.translations) == {"de", "es", "fr"}
        lines = prompts.texts[entry.key]
        assert len(set(lines)) == len(lines) == 12
        assert all(entry.translations[language] in line for line in lines)
        assert {languages.of(line) for line in lines} <= {language, None}
    assert sum(languages.of(line) == language for line in prompts.lines) > 0.8 * prompts.n
    assert checked(prompts, vocabulary).warnings == () and lint(style, info, vocabulary).findings == ()


def template(tmp_path, first, line="ein Luftbild mit {{ cls.translations.de }}."):
    path = tmp_path / "mine.j2"
    path.write_text(f"{first}\n{line}\n", encoding="utf-8")
    return str(path)


def codes(path, info, vocabulary, **options):
    return {finding.code for finding in lint(path, info, vocabulary, **options).findings}


def test_a_line_in_another_language_than_is_stated_is_told(tmp_path, info, vocabulary):
    german = template(tmp_path, "{# style: mine, version: 1, language: de #}")
    assert codes(german, info, vocabulary) == set()
    english = template(tmp_path, "{# style: mine, version: 1 #}")
    assert codes(english, info, vocabulary) == {"P215"}
    [one, *rest] = lint(english, info, vocabulary).findings
    assert "looks like German in a set that is English" in str(one) and len(rest) == 9
    wrong = template(tmp_path, "{# style: mine, language: de #}", "a satellite photo of {{ cls.translations.de }}.")
    assert codes(wrong, info, vocabulary) == {"P215"}
    assert checked(load_prompts(wrong, info, vocabulary), vocabulary).warnings == ()  # told by the linter alone


def test_lists_of_english_words_are_asked_of_no_other_language(tmp_path, info, vocabulary):
    line = "ein Bild vom Nadir mit der Drone: {{ cls.translations.de }} und bench"
    path = template(tmp_path, "{# style: ground, language: de #}", line)
    assert codes(path, info, vocabulary, style="ground") == set()
    assert codes(path, info, vocabulary, style="aerial") == set()
    english = template(tmp_path, "{# style: ground #}", "an image by drone of {{ cls.name }} and a bench")
    assert codes(english, info, vocabulary, style="ground") == {"P206"}


def test_letters_of_the_language_alone_are_plain(tmp_path, info, vocabulary):
    german = template(tmp_path, "{# style: mine, language: de #}", "ein Bild für die Übersicht: {{ cls.key }}")
    assert codes(german, info, vocabulary) == set()
    english = template(tmp_path, "{# style: mine #}", "a photo of the café in {{ cls.key }}")
    assert codes(english, info, vocabulary) == {"P209"}


def test_an_unknown_language_is_one_line(tmp_path, info, vocabulary):
    with pytest.raises(UsageError, match=r"unknown language of prompt file .*mine\.j2 'xx'.*Available: de, en, es, fr"):
        load_prompts(template(tmp_path, "{# style: mine, language: xx #}"), info, vocabulary)
