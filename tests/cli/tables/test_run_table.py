"""Marks in the table of a run."""

from __future__ import annotations

import re

import answers
import pytest
import runs
from changed_results import changed
from rich.console import Console

from senbench.cli.tables import run_table
from senbench.cli.tables.run_table import print_noise
from senbench.models import card_files
from senbench.results import store

KNOWN = {"weights": {"sha256": "1" * 64}}


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
    assert out.count("synthetic tiles: this figure") == tiles
    assert out.count("the model was trained on synthetic scenes only") == model


@pytest.mark.parametrize("width", [100, 120])
def test_each_row_names_its_notes_by_number(result, width, monkeypatch, capsys):
    monkeypatch.setattr(run_table, "make_console", lambda stderr: Console(width=width, highlight=False))
    shown = [
        changed(result, run_id=name, model={"id": name, **KNOWN, "weights_sha256": hashed}, prompts={"id": name})
        for name, hashed in (("first", "1" * 64), ("second", "0" * 64))
    ]
    run_table.print_table(shown, stderr=False)
    lines = capsys.readouterr().out.splitlines()
    noted = {int(line.partition(".")[0]): line for line in lines if re.match(r"\d+\. ", line)}
    assert list(noted) == list(range(1, len(noted) + 1))
    row = next(line for line in lines if re.match(r" ?weights of unknown", line))
    named = re.search(r"notes (.+)\)$", row) if width < 120 else re.search(r"\s\d\s+(\d[\d, -]*)$", row.rstrip())
    assert named is not None
    wanted = {n for n, line in noted.items() if "unknown origin" in line}
    assert wanted and wanted <= numbers(named[1])
    first = next(line for line in lines if re.match(r" ?first\b", line))
    assert not wanted & numbers(first.split()[-1].strip(")"))


def numbers(text):
    """The numbers that `1-3, 5` stands for."""
    ends = (part.split("-") for part in text.replace(" ", "").split(",") if part)
    return {n for part in ends for n in range(int(part[0]), int(part[-1]) + 1)}


def test_no_shipped_id_is_broken():
    assert max(map(len, card_files.shipped())) <= run_table.NAME


def test_ranges():
    assert run_table._ranges([]) == ""
    assert run_table._ranges([4, 1, 2, 3, 7, 9, 10]) == "1-4, 7, 9-10"


@pytest.mark.parametrize("width", [120, 140])
def test_no_column_is_crushed_by_long_names(result, width, monkeypatch, capsys):
    monkeypatch.setattr(run_table, "make_console", lambda stderr: Console(width=width, highlight=False))
    model = {"id": "openclip-laion2b-vit-b-32", **KNOWN, "weights_sha256": "0" * 64}
    run_table.print_table([changed(result, model=model, dataset={"id": "bigearthnet-v2"})], stderr=False)
    table = re.split(r"(?m)^1\. ", capsys.readouterr().out)[0]
    assert "openclip-laion2b-vit-b-32" in table
    assert "bigearthnet-v2" in table
    assert len(table.splitlines()) < 20


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
