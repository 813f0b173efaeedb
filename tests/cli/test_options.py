"""The options of commands that run: every field of `RunSpec`, its default, and what a command may change."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from senbench.cli import options
from senbench.cli.options import FIELDS, REQUIRED, RUN_OPTIONS, comma_list, specification, takes_run_spec
from senbench.errors import UsageError
from senbench.schema.run_spec import RunSpec

MADE_BY_RUN = {"noise"}
"""Fields that `senbench run` sets from options of its own."""


def test_every_field_is_an_option_or_made_by_run():
    declared = [FIELDS.get(name, name) for name in RUN_OPTIONS]
    assert len(declared) == len(set(declared))
    assert set(declared) | MADE_BY_RUN == set(RunSpec.model_fields)


@pytest.mark.parametrize("name", RUN_OPTIONS)
def test_an_option_left_out_is_the_default_of_its_field(name):
    field = RunSpec.model_fields[FIELDS.get(name, name)]
    default = RUN_OPTIONS[name].default
    if default is REQUIRED:
        assert field.is_required()
    elif name in ("dataset", "no_cache"):
        assert field.default == ((default,) if name == "dataset" else not default)
    else:
        assert default == field.default


def command(order, function, **changes):
    """A command of its own, and the specs that it gets."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(takes_run_spec(order, **changes)(function))
    return app


@pytest.fixture
def seen():
    return []


def call(app, *words):
    done = CliRunner().invoke(app, list(words))
    if isinstance(done.exception, UsageError):
        raise done.exception
    return done


def test_a_command_gets_its_spec_and_its_own_options(seen):
    def study(spec: RunSpec, k: Annotated[int, typer.Option(help="How many.")] = 3, as_json: bool = False) -> None:
        """Study."""
        seen.append((spec, k, as_json))

    app = command(
        "model k prompts seed no_cache", study, lists=("model",), seed={"help": "Seed of the draws.", "default": 7}
    )
    page = call(app, "--help").stdout
    order = [page.index(f"--{name} ") for name in ("model", "k", "prompts", "seed", "no-cache", "as-json")]
    assert order == sorted(order)
    assert "Seed of the draws.  [default: 7; x>=0]" in page
    assert "Study." in page
    assert call(app, "--model", "a, b,a", "--prompts", "p,q", "--k", "5").exit_code == 0
    assert call(app, "--model", "a", "--prompts", "p", "--no-cache", "--seed", "2", "--as-json").exit_code == 0
    first, second = seen
    assert first == (RunSpec(models=("a", "b"), prompts=("p,q",), seed=7, results=None), 5, False)
    assert second == (RunSpec(models=("a",), prompts=("p",), seed=2, cache=False, results=None), 3, True)
    assert call(app, "--model", "a").exit_code == 2  # prompts are required
    assert RUN_OPTIONS["seed"].info.help == "Seed of the subset and the bootstrap."  # of other commands


def test_it_may_be_called_from_python(seen):
    def study(spec: RunSpec) -> None:
        seen.append(spec)

    run = takes_run_spec("model prompts limit results")(study)
    run(model="a", prompts="p", limit=3)
    assert seen == [RunSpec(models=("a",), prompts=("p",), limit=3, results="results")]
    with pytest.raises(TypeError, match="missing a required argument: 'prompts'"):
        run(model="a")


def test_what_is_not_allowed_names_the_option():
    with pytest.raises(UsageError, match="--on-error 'ignore': input should be 'stop' or 'skip'"):
        specification(models=("a",), prompts=("p",), on_error="ignore")
    assert options.specification(models=["a"], prompts=["p"]).models == ("a",)


@settings(deadline=None)
@given(st.lists(st.text(alphabet="ab ,-", max_size=6), max_size=5))
def test_a_list_is_its_distinct_names_in_order(parts):
    text = ",".join(parts)
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        with pytest.raises(UsageError, match=r"^--x .* the list is empty$"):
            comma_list(text, "--x")
        return
    found = comma_list(text, "--x")
    assert set(found) == set(names)
    assert [names.index(name) for name in found] == sorted(names.index(name) for name in found)
    assert len(found) == len(set(found))


def test_a_path_that_is_there_may_hold_commas(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a, b").mkdir()
    (tmp_path / "x,y.csv").write_text("")
    (tmp_path / "x").mkdir()
    assert comma_list("folder:a, b,demo", "--dataset") == ("folder:a, b", "demo")
    assert comma_list("demo,table:x,y.csv,eurosat", "--dataset") == ("demo", "table:x,y.csv", "eurosat")
    assert comma_list("table:x,y.csv?label=k", "--dataset") == ("table:x,y.csv?label=k",)
    assert comma_list("x,z.csv", "--prompts") == ("x", "z.csv")
