"""Templates of strangers: every known way to eat a machine ends in time, in one line."""

from __future__ import annotations

import json
import resource
import string
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.errors import UnavailableError, UsageError
from senbench.prompts import load_prompts
from senbench.prompts.template import sandbox
from senbench.prompts.template.render import Template, render_classes
from senbench.prompts.template.sandbox import Limits, render_isolated

GROWING = (
    "{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x | length }}"
)
MEMORY = {
    "repeated string": "x\n{{ 'a' * 3000000000 }}",
    "centred": "x\n{{ 'a' | center(1000000000) }}",
    "centred by name": "x\n{{ cls.name.center(1000000000) }}",
    "list": "x\n{{ ([0] * 1000000000) | length }}",
    "growing string": "x\n" + GROWING,
    "growing list": "x\n{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "padded number": "x\n{{ '%1000000000d' % 1 }}",
    "indented": "x\n{{ 'a' | indent(1000000000, true) }}",
    "joined": "x\n{{ (['b' * 1000000] * 9999) | join }}",
}
TIME = {
    "nested loops": (
        "x\n{% for i in range(99999) %}{% for j in range(99999) %}{% for k in range(99999) %}"
        "{% endfor %}{% endfor %}{% endfor %}"
    ),
    "macro": "x\n{% macro m(n) %}{% for i in range(9) %}{{ m(n + 1) if n < 99 }}{% endfor %}{% endmacro %}{{ m(0) }}",
}
NATIVE = {"power": "x\n{{ 9 ** (9 ** 9) }}", "shifted": "x\n{{ (10 ** 3000000) ** 300 }}"}
AT_ONCE = {
    "huge range": ("{{ range(1000000000) | list }}", "Range too big"),
    "float repeat": ("{{ 'a' * 3e9 }}", "can't multiply"),
    "includes itself": ("{% include 'mine.j2' %}", "nested too deeply"),
    "calls itself": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested too deeply"),
    "brackets": ("{{ " + "[" * 3000 + "]" * 3000 + " }}", "mine.j2"),
    "much text": (
        "{% for i in range(99999) %}{% for j in range(99999) %}abcdefghijklmnop{% endfor %}{% endfor %}",
        "too",
    ),
}


def ends(source, tmp_path, info, vocabulary, **options) -> str:
    path = tmp_path / "mine.j2"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        render_isolated(path, vocabulary, info, "clip", **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1 and len(message) < 400 and "mine.j2" in message
    assert caught.value.exit_code == 2
    return message


@pytest.mark.parametrize("name", MEMORY)
def test_memory_ends_with_the_line(name, tmp_path, info, vocabulary):
    message = ends(MEMORY[name], tmp_path, info, vocabulary, limits=Limits(memory_bytes=128 * 2**20))
    assert "memory" in message


def test_memory_is_what_the_limit_says_not_what_the_machine_has(tmp_path, info, vocabulary):
    source = "{{ ('a' * 250000000) | length }} {{ cls.name }}"
    path = tmp_path / "mine.j2"
    path.write_text(source, encoding="utf-8")
    assert render_isolated(path, vocabulary, info, "clip").texts["Forest"] == ("250000000 forest",)
    assert "needs more memory" in ends(source, tmp_path, info, vocabulary, limits=Limits(memory_bytes=128 * 2**20))


@pytest.mark.parametrize("name", TIME)
def test_time_ends_with_the_line(name, tmp_path, info, vocabulary):
    message = ends(TIME[name], tmp_path, info, vocabulary, limits=Limits(cpu_seconds=1, seconds=60))
    assert "mine.j2, line 2: takes more than 1 s of computing" in message


@pytest.mark.parametrize("name", AT_ONCE)
def test_ends_at_once(name, tmp_path, info, vocabulary):
    source, said = AT_ONCE[name]
    assert said in ends(source, tmp_path, info, vocabulary)


@pytest.mark.slow
@pytest.mark.parametrize("name", NATIVE)
def test_what_never_comes_back_to_python_is_killed(name, tmp_path, info, vocabulary):
    message = ends(NATIVE[name], tmp_path, info, vocabulary, limits=Limits(cpu_seconds=1, seconds=60))
    assert "takes more than 1 s of computing" in message


@pytest.mark.slow
@pytest.mark.parametrize("source", [*MEMORY.values(), *TIME.values(), *NATIVE.values()])
def test_default_limits_end_within_four_seconds_of_computing(source, tmp_path, info, vocabulary):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ends(source, tmp_path, info, vocabulary)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 4


def test_one_child_renders_all_classes_as_this_process_would(tmp_path, info, vocabulary):
    source = "{# style: ground #}\n{% for c in cls.ground %}{{ c }}: \u00e9\n{% endfor %}{{ cls.name | an }}"
    path = tmp_path / "mine.j2"
    path.write_text(source, encoding="utf-8")
    draft = render_isolated(path, vocabulary, info, "clip")
    assert draft.texts == render_classes(Template(path), vocabulary, info, "clip")
    assert list(draft.texts) == list(info.classes) and draft.style == "ground"
    assert load_prompts(str(path), info, vocabulary, "clip").texts == draft.texts


def test_lenient_notes_every_undefined_name_and_goes_on(tmp_path, info, vocabulary):
    (tmp_path / "part.j2").write_text("\n{{ lost }}", encoding="utf-8")
    path = tmp_path / "mine.j2"
    path.write_text(
        "a {{ cls.nam | lower }}\n{% for x in seasons %}{{ x }}{% endfor %}\n{{ klass.name[0]() }} b\n"
        "{% if maybe is defined %}c{% endif %}{{ other | default('d') }}\n{% include 'part.j2' %}\n"
        "{% if cls.key == 'River' %}{{ 1 / 0 }}{% endif %}",
        encoding="utf-8",
    )
    draft = render_isolated(path, vocabulary, info, "clip", lenient=True)
    found = {(use.file, use.line, use.message.split(";")[0]) for use in draft.undefined}
    assert found == {
        ("mine.j2", 1, "'ClassScope object' has no attribute 'nam'"),
        ("mine.j2", 2, "'seasons' is undefined"),
        ("mine.j2", 3, "'klass' is undefined"),
        ("part.j2", 2, "'lost' is undefined"),
    }
    assert draft.texts["Forest"] == ("a", "b", "d") and "River" not in draft.texts
    assert draft.errors == (f"prompt file {path}, line 6: division by zero",)


def test_lenient_is_strict_about_the_sandbox(tmp_path, info, vocabulary):
    path = tmp_path / "mine.j2"
    path.write_text("a{{ cls.__class__.__mro__ }}", encoding="utf-8")
    draft = render_isolated(path, vocabulary, info, "clip", lenient=True)
    assert not draft.texts and len(draft.errors) == 1 and "unsafe" in draft.errors[0]


def test_shipped_styles_are_rendered_here(info, vocabulary, monkeypatch):
    monkeypatch.setattr(sandbox.subprocess, "Popen", None)
    assert load_prompts("mixed", info, vocabulary).n > 100


def fake(tmp_path, monkeypatch, script: str) -> None:
    """Let the child run a script in place of the renderer."""
    (tmp_path / "evil.py").write_text(f"import sys\nsys.stdin.read()\n{script}", encoding="utf-8")
    monkeypatch.setattr(sandbox, "_ENTRY", f"import sys; exec(open({str(tmp_path / 'evil.py')!r}).read())")


def answer(**fields) -> str:
    whole = {"texts": {}, "errors": [], "undefined": [], **fields}
    return f"print('ready', flush=True); print({json.dumps(whole)!r})"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("print('ready'); print('[]')", "malformed"),
        ("print('ready'); print('{')", "malformed"),
        (answer(texts={"River": "abc"}), "malformed"),
        (answer(texts={"River": ["two\nlines"]}), "malformed"),
        (answer(texts={"River": ["x"]}), "left out classes"),
        (answer(texts={"River": ["x" * 2000]}), "2,000 characters"),
        (answer(errors=["one\n::error::two"]), "one ::error::two"),
        (answer(more=1), "malformed"),
        ("print('ready'); sys.exit(3)", r"without an answer \(exit 3\)"),
        ("print('ready', flush=True); import os; os.kill(os.getpid(), 11)", r"without an answer \(exit -11\)"),
        ("print('ready', flush=True); [print('x' * 1000000) for _ in range(99)]", "answers without end"),
        ("print('ready', flush=True)\nwhile True: pass", "takes more than 1 s to render"),
    ],
)
def test_the_answer_is_not_trusted(script, said, tmp_path, info, vocabulary, monkeypatch):
    fake(tmp_path, monkeypatch, script)
    (tmp_path / "mine.j2").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match=said) as caught:
        render_isolated(tmp_path / "mine.j2", vocabulary, info, "clip", limits=Limits(seconds=1, output_bytes=9999))
    assert len(str(caught.value).splitlines()) == 1


def test_a_child_that_does_not_start(tmp_path, info, vocabulary, monkeypatch):
    (tmp_path / "mine.j2").write_text("x", encoding="utf-8")
    fake(tmp_path, monkeypatch, "sys.exit(1)")
    with pytest.raises(UnavailableError, match="did not start"):
        render_isolated(tmp_path / "mine.j2", vocabulary, info, "clip")
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(UnavailableError, match="need a Python interpreter"):
        render_isolated(tmp_path / "mine.j2", vocabulary, info, "clip")


def test_the_child_imports_nothing_heavy(tmp_path, monkeypatch, info, vocabulary):
    listed = tmp_path / "modules"
    monkeypatch.setattr(sandbox, "_ENTRY", f"{sandbox._ENTRY}; open({str(listed)!r}, 'w').write(' '.join(sys.modules))")
    (tmp_path / "mine.j2").write_text("x", encoding="utf-8")
    render_isolated(tmp_path / "mine.j2", vocabulary, info, "clip")
    found = set(listed.read_text().split())
    assert "jinja2.sandbox" in found
    assert not found & {"torch", "numpy", "pydantic", "yaml", "typer", "site", "importlib.metadata", "subprocess"}


PIECES = st.sampled_from(
    (
        *("{% for i in range(99999) %}", "{% endfor %}", "{{ ", " }}", "'a'", " * ", "99999", "[0]", " ** ", "\n"),
        *("{% set x = ", " %}", "x", " ~ ", " + ", "cls.name", " | ", "center(", ")", "join", "{% macro x() %}"),
        *("{% endmacro %}", "x()", "'\\ud800'", "\u2028", "x ", *string.punctuation),
    )
)


@settings(max_examples=8, deadline=None)
@given(source=st.lists(PIECES, max_size=16).map("".join))
def test_any_source_ends_in_time(source, tmp_path_factory, info, vocabulary):
    path = tmp_path_factory.mktemp("t") / "mine.j2"
    path.write_text(source, encoding="utf-8")
    limits = Limits(cpu_seconds=1, memory_bytes=128 * 2**20)
    try:
        draft = render_isolated(path, vocabulary, info, "clip", limits=limits)
    except UsageError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert all(line.strip() == line != "" for lines in draft.texts.values() for line in lines)


def test_wall_clock_ends_it_where_cpu_time_cannot_be_limited(tmp_path, info, vocabulary):
    limits = Limits(cpu_seconds=1000, seconds=0.3)
    assert "takes more than 0.3 s" in ends(TIME["nested loops"], tmp_path, info, vocabulary, limits=limits)
