"""Marks in the table of a run."""

from __future__ import annotations

import answers
import pytest
from changed_results import changed
from rich.console import Console

from senbench.cli.tables import run_table
from senbench.results import store


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    labels, given, _ = answers.draw(n=60, wrong=6)
    return store.load(answers.save(tmp_path_factory.mktemp("one"), answers.one_hot(given), labels))


@pytest.mark.parametrize(("tiles", "model"), [(False, False), (True, False), (True, True), (False, True)])
@pytest.mark.parametrize("width", [100, 160])
def test_synthetic_stands_beside_what_is(result, tiles, model, width, monkeypatch, capsys):
    monkeypatch.setattr(run_table, "make_console", lambda stderr: Console(width=width, highlight=False))
    shown = changed(result, dataset={"synthetic": tiles}, model={"synthetic": model}, complete=True)
    run_table.print_table([shown], stderr=False)
    line = next(line for line in capsys.readouterr().out.splitlines() if result.prompts.id in line)
    where = f"{result.dataset.id} {result.dataset.split}"
    assert (f"{where} synthetic" in line) == tiles  # tiles say enough for both
    assert (f"{result.model.id} synthetic" in line) == (model and not tiles)
    assert line.count("synthetic") == (tiles or model)
