"""Text as it is, tables wide enough, JSON of records, and the line of an interruption."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.cli.terminal import interruptible, make_console, make_table, print_aligned, print_json
from senbench.schema.run_spec import RunSpec


@dataclass
class Point:
    x: int
    y: tuple[int, ...]


def test_nothing_in_a_text_is_markup(capsys):
    console = make_console(stderr=False)
    table = make_table("[red]a", figures=[":smile:"])
    table.add_row("[b]x[/b]", "[link]")
    console.print(table)
    console.print("[green]plain")
    out = capsys.readouterr().out
    for text in ("[red]a", ":smile:", "[b]x[/b]", "[link]", "[green]plain"):
        assert text in out


def test_what_is_piped_has_120_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert make_console(stderr=False).width == 120
    make_console(stderr=True).print("x" * 120)
    assert capsys.readouterr().err == "x" * 120 + "\n"


def test_figures_are_flush_right(capsys):
    table = make_table("name", figures=["n"])
    table.add_row("a", "1")
    table.add_row("b", "1,000")
    make_console(stderr=False).print(table)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line[:2].strip() in ("a", "b")]
    assert len({len(line) for line in lines}) == 1


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_plain_data_are_read_back(data):
    import io
    from contextlib import redirect_stdout

    with redirect_stdout(io.StringIO()) as written:
        print_json(data)
    assert json.loads(written.getvalue()) == data


def test_records_and_dataclasses_become_objects(capsys):
    spec = RunSpec(models=("mini",), prompts=("ground",))
    print_json({"spec": spec, "points": [Point(1, (2, 3))]}, indent=1)
    assert json.loads(capsys.readouterr().out) == {
        "spec": spec.model_dump(mode="json"),
        "points": [{"x": 1, "y": [2, 3]}],
    }
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json(float("nan"), allow_nan=False)


def test_columns_are_as_wide_as_their_widest_cell(capsys):
    print_aligned([("id", "title", "n"), ("a-long-id", "x", "1,000")])
    assert capsys.readouterr().out == "id         title  n\na-long-id  x      1,000\n"


def test_an_interruption_is_a_line_and_130(capsys):
    with pytest.raises(typer.Exit) as stop, interruptible("what arrived"):
        raise KeyboardInterrupt
    assert stop.value.exit_code == 130
    assert capsys.readouterr().err == "senbench: interrupted; the same command continues with what arrived\n"
    with pytest.raises(ValueError, match="x"), interruptible("what arrived"):
        raise ValueError("x")
