"""The child's part, run here: what it answers to a request, and undefined names that are noted."""

from __future__ import annotations

import io
import json

import pytest
from jinja2 import Environment
from jinja2.sandbox import SandboxedEnvironment, SecurityError

from senbench.prompts.template import sandbox_child
from senbench.prompts.template.render import plain_scope
from senbench.prompts.template.sandbox_child import MAX_NOTES, main, noted_undefined, render


@pytest.fixture
def request_of(tmp_path, info, vocabulary):
    def of(source, **change):
        path = tmp_path / "mine.j2"
        path.write_text(source, encoding="utf-8")
        plain = {
            "path": str(path),
            "lenient": False,
            **plain_scope(vocabulary, info, "clip"),
            "cpu_seconds": 60,
            "memory_bytes": 1 << 40,
            "output_bytes": 10_000,
        }
        return plain | change

    return of


def test_all_classes_in_order(request_of, info):
    answer = render(request_of("a {{ cls.name }}\nb"))
    assert list(answer["texts"]) == list(info.classes)
    assert answer["texts"]["Forest"] == ("a forest", "b")
    assert (answer["errors"], answer["undefined"]) == ([], [])


def test_it_ends_at_the_first_error_unless_lenient(request_of):
    source = "a {{ cls.key }}{{ 1 / 0 if cls.key == 'Forest' }}{{ [] | first if cls.key == 'River' }}"
    strict, lenient = render(request_of(source)), render(request_of(source, lenient=True))
    assert list(strict["texts"]) == ["AnnualCrop"]
    assert len(strict["errors"]) == 1
    assert "division by zero" in strict["errors"][0]
    assert len(lenient["texts"]) == 9
    assert "Forest" not in lenient["texts"]
    assert lenient["errors"] == strict["errors"]
    assert "No first item" in lenient["undefined"][0][0]
    assert render(request_of("{% if %}"))["texts"] == {}


def test_too_much_text_is_an_error_in_place_of_all_texts(request_of):
    answer = render(request_of("{{ 'a' * 300 }}", output_bytes=2_999))
    assert answer["texts"] == {}
    assert "too much text for all classes together" in answer["errors"][0]
    assert len(render(request_of("{{ 'a' * 300 }}", output_bytes=3_000))["texts"]) == 10


def test_main_says_ready_and_answers_with_one_line(request_of, monkeypatch, capsys):
    monkeypatch.setattr(sandbox_child, "limit", lambda *_: None)
    for allowed, key in ((10_000, "texts"), (100, "errors")):  # the second: names and quotes are more than the texts
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(request_of("a\nb", output_bytes=allowed))))
        main()
        ready, line = capsys.readouterr().out.splitlines()
        answer = json.loads(line)
        assert ready == "ready"
        assert [name for name, found in answer.items() if found] == [key]
    assert "too much text" in answer["errors"][0]


@pytest.mark.parametrize(
    ("source", "rendered"),
    [
        ("[{{ x }}]", "[]"),
        ("[{% for i in x %}{{ i }}{% endfor %}]", "[]"),
        ("{{ x | length }}", "0"),
        ("{{ 'yes' if x else 'no' }}", "no"),
        ("{{ 1 in x }}", "False"),
        ("{{ x == 1 }}", "False"),
        ("[{{ x.y[0]('z') }}]", "[]"),
    ],
)
def test_an_undefined_name_is_nothing_and_noted(source, rendered):
    notes: list = []
    environment = Environment(undefined=noted_undefined(notes), autoescape=False)
    assert environment.from_string(source).render() == rendered
    assert {message.split(";")[0] for message, _, _ in notes} == {"'x' is undefined"}
    assert environment.from_string("{{ x is defined }}{{ y | default('d') }}").render() == "Falsed"
    assert len(notes) == 1


def test_notes_are_bounded_and_leaving_the_sandbox_is_none():
    notes: list = []
    environment = SandboxedEnvironment(undefined=noted_undefined(notes), autoescape=False)
    environment.from_string("".join(f"{{{{ x{i} }}}}" for i in range(2 * MAX_NOTES))).render()
    assert len(notes) == MAX_NOTES
    with pytest.raises(SecurityError):
        environment.from_string("{{ ''.__class__.__mro__ }}").render()
