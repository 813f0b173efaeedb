"""The renderer: scope, line rules, sandbox, limits, and errors that name file and line."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.errors import UsageError
from senbench.prompts import load_prompts, vocabulary_for_keys
from senbench.prompts.template.filters import an
from senbench.prompts.template.render import Template, render_classes


def write(folder, text, name="mine.j2"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def failure(path, info, vocabulary, names=None) -> str:
    with pytest.raises(UsageError) as caught:
        load_prompts(str(path), info, vocabulary, names)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400
    assert path.name in message
    return message


def test_one_prompt_per_line_in_label_order(tmp_path, info, vocabulary):
    path = write(tmp_path, "\n  a {{ cls.name }} \r\n\n{% if true %}b{% endif %}\nc\n\n")
    prompts = load_prompts(str(path), info, vocabulary, "clip")
    assert list(prompts.texts) == list(info.classes)
    assert prompts.texts["River"] == ("a river", "b", "c")  # a line after {% endif %} is its own
    assert (prompts.id, prompts.style, prompts.source, prompts.class_names) == (
        "mine",
        "custom",
        "mine.j2",
        "clip",
    )
    assert prompts.names[-1] == "lake or sea"


def test_everything_in_scope(tmp_path, info, vocabulary):
    path = write(
        tmp_path,
        "{# style: ground #}\n{{ cls.key }} {{ cls.names.torchgeo }} {{ cls.ground[0] }} {{ cls.aerial | length }}"
        " {{ dataset.id }} {{ dataset.title }} {{ dataset.classes | length }} {{ 'autumn' | an }}",
    )
    prompts = load_prompts(str(path), info, vocabulary)
    assert prompts.style == "ground"
    cue = vocabulary.classes[-1].ground[0]
    assert prompts.texts["SeaLake"] == (f"SeaLake Sea & Lake {cue} 22 eurosat eurosat 10 an autumn",)


def test_ampersand_is_not_escaped(info, vocabulary):
    text = load_prompts("clip", info, vocabulary, "torchgeo").texts["SeaLake"][0]
    assert text == "a centered satellite photo of Sea & Lake."


def test_repeated_lines_are_kept(tmp_path, info, vocabulary):
    path = write(tmp_path, "same\nsame\n")
    assert load_prompts(str(path), info, vocabulary).texts["River"] == ("same", "same")


def test_include_from_own_folder(tmp_path, info, vocabulary):
    (tmp_path / "parts").mkdir()
    write(tmp_path / "parts", "from {{ cls.key }}", "part.j2")
    path = write(tmp_path, 'x\n{% include "parts/part.j2" %}\n')
    assert load_prompts(str(path), info, vocabulary).texts["River"] == ("x", "from River")


@pytest.mark.parametrize("target", ("../../etc/passwd", "/etc/passwd", "../secret.j2", "link.j2", "absent.j2"))
def test_include_outside_its_folder_is_refused(target, tmp_path, info, vocabulary):
    (tmp_path / "own").mkdir()
    write(tmp_path, "SECRET", "secret.j2")
    (tmp_path / "own" / "link.j2").symlink_to(tmp_path / "secret.j2")
    path = write(tmp_path / "own", f'a\n{{% include "{target}" %}}\n')
    message = failure(path, info, vocabulary)
    assert "line 2" in message and target in message and "own folder" in message


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("ok\n{% if %}\n", 2, "Expected an expression"),
        ("ok\n\n{% for a in b %}", 3, "Unexpected end of template"),
        ("ok\n{{ cls.nam }}", 2, "has no attribute 'nam'; in scope: cls."),
        ("{{ klass }}", 1, "'klass' is undefined; in scope"),
        ("{{ dataset.path }}", 1, "no attribute 'path'"),
        ("{{ cls.name | plurals }}", 1, "No filter named 'plurals'"),
        ("a\n{{ 1 / 0 }}", 2, "division by zero"),
        ("{{ ''.__class__ }}", 1, "unsafe"),
        ("{{ cls.__init__.__globals__ }}", 1, "unsafe"),
        ("{{ cls.__class__.__mro__ }}", 1, "unsafe"),
        ("{{ '{0.__class__}'.format(cls) }}", 1, "unsafe"),
        ("{{ cls.names.update({}) }}", 1, "unsafe"),
        ("{% set cls.name = 'x' %}", 1, "cannot assign"),
        ("{{ range(1000000000) | length }}", 1, "Range too big"),
    ],
)
def test_errors_name_file_line_and_reason(source, line, said, tmp_path, info, vocabulary):
    message = failure(write(tmp_path, source), info, vocabulary)
    assert f"mine.j2, line {line}: " in message and said in message


def test_error_in_an_included_file_names_that_file(tmp_path, info, vocabulary):
    write(tmp_path, "a\nb\n{{ missing }}", "part.j2")
    path = write(tmp_path, '{% include "part.j2" %}')
    with pytest.raises(UsageError, match=r"part\.j2, line 3: 'missing' is undefined"):
        load_prompts(str(path), info, vocabulary)


def test_endless_include_and_nesting(tmp_path, info, vocabulary):
    assert "nested too deeply" in failure(write(tmp_path, '{% include "mine.j2" %}'), info, vocabulary)
    assert "nested too deeply" in failure(write(tmp_path, "{{ " + "(" * 5000), info, vocabulary)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% if cls.key == 'River' %}x{% endif %}", "renders no prompt for class 'AnnualCrop'"),
        ("", "renders no prompt for class 'AnnualCrop'"),
        ("{% for i in range(10001) %}{{ i }}\n{% endfor %}", "10,001 prompts for class 'AnnualCrop'"),
        ("{{ 'a' * 1001 }}", "1,001 characters for class 'AnnualCrop'"),
        (
            "{% for i in range(9999) %}{% for j in range(9999) %}abcdefghijklmnop\n{% endfor %}{% endfor %}",
            "too much text",
        ),
        ("x" * 1_000_001, "larger than the limit of 1 MB"),
    ],
)
def test_limits(source, said, tmp_path, info, vocabulary):
    assert said in failure(write(tmp_path, source), info, vocabulary)


def test_limits_are_inclusive(tmp_path, info, vocabulary):
    path = write(tmp_path, "{{ 'a' * 1000 }}\n{% for i in range(9999) %}{{ i }}\n{% endfor %}")
    assert len(load_prompts(str(path), info, vocabulary).texts["River"]) == 10_000


def test_unreadable_files(tmp_path, info, vocabulary):
    binary = tmp_path / "binary.j2"
    binary.write_bytes(b"a\xff\xfe")
    assert "not a text file in UTF-8 (line 1)" in failure(binary, info, vocabulary)
    assert "does not exist" in failure(tmp_path / "absent.j2", info, vocabulary)
    (tmp_path / "folder.j2").mkdir()
    assert "is a folder" in failure(tmp_path / "folder.j2", info, vocabulary)


def test_a_class_without_cues_is_named(describe):
    info = describe(("wheat", "wood"), "folder:land", "")
    vocabulary = vocabulary_for_keys(info.classes)
    with pytest.raises(UsageError, match="needs ground cues, but class 'wheat' of folder:land has none") as e:
        load_prompts("ground", info, vocabulary)
    assert "--class-names FILE.yaml" in str(e.value)
    assert load_prompts("clip", info, vocabulary).texts["wood"][0] == "a centered satellite photo of wood."


def test_a_template_may_ask_whether_there_are_cues(tmp_path, describe):
    info = describe(("wheat", "wood"), "folder:land", "")
    path = write(tmp_path, "{% if cls.ground %}{{ cls.ground[0] }}{% else %}{{ cls.name }}{% endif %}")
    assert load_prompts(str(path), info, vocabulary_for_keys(info.classes)).texts["wood"] == ("wood",)


def test_template_aligned(tmp_path, info, vocabulary):
    def aligned(source, names=None):
        return load_prompts(str(write(tmp_path, source)), info, vocabulary, names).template_aligned

    assert aligned("a {{ cls.name }}\nland: {{ cls.name | lower }}.")
    assert not aligned("{{ cls.name }}: {{ cls.ground[0] }}")
    assert not aligned("{{ cls.name }}\n{% if cls.key == 'River' %}wet{% endif %}")  # ragged
    assert not aligned("{{ cls.names.clip }}", "torchgeo")  # a name, but not the one recorded
    for style, expected in {"clip": 1, "generic": 1, "ground": 0, "aerial": 0, "mixed": 0}.items():
        assert load_prompts(style, info, vocabulary).template_aligned is bool(expected)


@pytest.mark.parametrize(
    "phrase",
    ["a spring", "an autumn", "a European", "a unit", "an urban", "an oak", "a one-way", "an open", "a river"],
)
def test_articles(phrase):
    assert an(phrase.split(" ", 1)[1]) == phrase


TEXT = st.text(alphabet=string.ascii_letters + " .,'-&<>", max_size=40)


@settings(max_examples=60, deadline=None)
@given(lines=st.lists(TEXT, min_size=1, max_size=8))
def test_plain_text_comes_back_stripped(lines, tmp_path_factory, info, vocabulary):
    path = write(tmp_path_factory.mktemp("t"), "\n".join(["x", *lines]))
    expected = tuple(line.strip() for line in ["x", *lines] if line.strip())
    texts = render_classes(Template(path), vocabulary, info, "clip")
    assert set(texts) == set(info.classes) and set(texts.values()) == {expected}


@settings(max_examples=150, deadline=None)
@given(
    source=st.lists(
        st.sampled_from(
            [
                "{{",
                "}}",
                "{%",
                "%}",
                "{#",
                "#}",
                "cls",
                ".name",
                ".ground",
                "for",
                "in",
                "if",
                "endif",
                "endfor",
                "include",
                "'mine.j2'",
                "|",
                "an",
                "(",
                ")",
                "[",
                "]",
                "'",
                "a b",
                "x",
                " ",
                "\n",
                "\0",
                "\u2028",
            ]
        ),
        max_size=14,
    ).map(" ".join)
)
def test_any_source_renders_or_fails_in_one_line(source, tmp_path_factory, info, vocabulary):
    path = write(tmp_path_factory.mktemp("t"), source)
    try:
        texts = render_classes(Template(path), vocabulary, info, "clip")
    except UsageError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert all(line.strip() == line != "" for lines in texts.values() for line in lines)
