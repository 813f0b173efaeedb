"""Marks in the table of a run."""

from __future__ import annotations

import answers
import pytest
import runs
from changed_results import changed
from rich.console import Console

from senbench.cli.tables import run_table
from senbench.cli.tables.run_table import print_noise
from senbench.results import store


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    labels, given, _ = answers.draw(n=60, wrong=6)
    return store.load(answers.save(tmp_path_factory.mktemp("one"), answers.one_hot(given), labels))


@pytest.mark.parametrize(("tiles", "model"), [(False, False), (True, False), (True, True), (False, True)])
@pytest.mark.parametrize("width", [100, 200])
def test_what_qualifies_a_figure_stands_beside_it(result, tiles, model, width, monkeypatch, capsys):
    monkeypatch.setattr(run_table, "make_console", lambda stderr: Console(width=width, highlight=False))
    shown = changed(result, dataset={"synthetic": tiles}, model={"synthetic": model}, complete=True)
    run_table.print_table([shown], stderr=False)
    out = " ".join(capsys.readouterr().out.split())
    table, _, notes = out.partition("- ")
    assert ("synthetic tiles" in table) == tiles
    assert ("synthetic model" in table) == model
    assert notes.count("synthetic tiles: this figure") == tiles


def test_every_variant_has_its_row_and_what_was_left_out_its_reason(tmp_path, capsys):
    result = runs.run(tmp_path, noise=30)
    print_noise([result], stderr=False)
    out = capsys.readouterr().out
    assert f"Noise of good, {result.prompts.id}, stub: 30 tiles (of 60) encoded again" in out
    assert result.noise.variants and all(variant.name in out for variant in result.noise.variants)
    for name, why in result.noise.left_out.items():
        assert f"- {name}: not done, {why}" in " ".join(out.split())


def test_nothing_is_printed_where_nothing_was_repeated(tmp_path, capsys):
    print_noise([runs.run(tmp_path)], stderr=False)
    assert capsys.readouterr().out == ""
    print_noise([runs.run(tmp_path, noise=60)], stderr=True)
    assert "tiles (all) encoded again" in capsys.readouterr().err
