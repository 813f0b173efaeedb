"""Hints: off unless asked for, each once, with the figures of docs/prompt-rules.md."""

from __future__ import annotations

import json
import re

import pytest
from places import ROOT
from typer.testing import CliRunner

from senbench.cli.prompts import app
from senbench.datasets.open import dataset_info
from senbench.prompts import load_vocabulary
from senbench.prompts.lint.hints import hints, jaccard, near_duplicates, resolution
from senbench.prompts.lint.lint import lint

KINDS = ("satellite photo", "aerial image", "remote sensing picture", "drone shot")


def texts_of(vocabulary, *templates):
    return {entry.key: tuple(t.replace("{}", entry.names["clip"]) for t in templates) for entry in vocabulary.classes}


def codes(texts, vocabulary):
    return [finding.code for finding in hints(texts, vocabulary)]


def good(vocabulary):
    looks = ("in spring", "near a town, cloudless", "of Europe by noon light", "with long shadows")
    return texts_of(vocabulary, *(f"this {kind} {look}: {{}}" for kind in KINDS[:3] for look in looks))


def test_a_set_without_faults_is_told_what_it_resolves_and_no_more(vocabulary):
    assert codes(good(vocabulary), vocabulary) == ["P306"]
    assert codes({}, vocabulary) == []


@pytest.mark.parametrize(
    ("templates", "code"),
    [
        (["a satellite photo of {}.", "an aerial image: {}"], "P301"),
        ([f"a satellite photo, number {word}: {{}}" for word in ["one", "two", "three", "four"]], "P302"),
        (["a small picture: {}", "one sees {} here", "the low resolution of {}"], "P303"),
        ([f"in this clear and large photo, taken by the {n} satellite, one sees {{}}" for n in range(12)], "P304"),
    ],
)
def test_each_fault_is_told_once(templates, code, vocabulary):
    found = codes(texts_of(vocabulary, *templates), vocabulary)
    assert found.count(code) == 1


def test_small_in_a_cue_is_no_word_of_the_frame(vocabulary):
    texts = good(vocabulary)
    texts["River"] = (*texts["River"], "a small ferry")
    assert codes(texts, vocabulary) == ["P306"]


def test_pairs_that_say_the_same_are_told(vocabulary):
    entry = vocabulary.classes[0]
    twins = entry.model_copy(update={"aerial": entry.ground})
    alike = vocabulary.model_copy(update={"classes": (twins, *vocabulary.classes[1:])})
    texts = good(alike) | {entry.key: entry.ground}
    [found] = [finding for finding in hints(texts, alike) if finding.code == "P305"]
    assert found.cls == entry.key and "share 1.00 of their words" in found.message
    assert "P305" not in codes(good(alike), alike)  # no cue is used
    assert "P305" not in codes(texts, vocabulary)


def test_near_duplicates_and_overlap():
    assert near_duplicates(["a b c d e f", "a b c d e f g", "x y"]) == pytest.approx(1 / 3)
    assert jaccard({"a", "b"}, {"b", "c"}) == pytest.approx(1 / 3)
    assert jaccard(set(), set()) == 0


def test_the_resolution_is_that_of_the_page():
    """1 point between two sets of 56 lines, 2 of 15; between and beyond, by the square root."""
    assert resolution(15) == 2
    assert resolution(56) == pytest.approx(1, abs=0.05)
    assert resolution(60) == pytest.approx(resolution(15) / 2)


def columns():
    page = (ROOT / "docs" / "prompt-rules.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in rows[2:]}


def numbers(text):
    return [float(x) for x in re.findall(r"[+-]?\d+\.\d+", text)]


def test_the_figures_are_those_of_the_page(vocabulary):
    """Range over models, figure and interval of the model that is named, of each column that a hint cites."""
    told = {
        f.code: f.message
        for f in hints(texts_of(vocabulary, "a small satellite photo: {}", "satellite {}"), vocabulary)
    }
    table = columns()
    assert len(table) == 8
    for code, column, model in (("P301", 0, "CLIP ViT-B-32"), ("P302", 3, "CLIP ViT-B-32")):
        values = [numbers(row[column])[0] for row in table.values()]
        assert f"+{min(values):g} to +{max(values):g} points" in told[code]
        assert f"{model}: {table[model][column]}" in told[code]
    assert sum(numbers(row[0])[1] > 0 for row in table.values()) == 7 and "7 of 8" in told["P301"]
    small, hard = ([numbers(row[column])[0] for row in table.values()] for column in (5, 6))
    assert f"costs {-max(small):g} to {-min(small):g} points (CLIP RN50: {table['CLIP RN50'][5]}" in told["P303"]
    assert f"up to {-min(hard):g} (CLIP RN50: {table['CLIP RN50'][6]}" in told["P303"]
    assert all(value < 0 for value in small) and sum(value < 0 for value in hard) == 7
    few, many = ([float(row[column]) for row in table.values()] for column in (7, 8))
    assert f"({min(few):g} to {max(few):g} by model) and 1 for 56 ({min(many):g} to {max(many):g})" in told["P306"]


def test_hints_are_off_by_default_and_fail_nothing():
    info = dataset_info("eurosat")
    vocabulary = load_vocabulary("eurosat")
    assert lint("clip", info, vocabulary).findings == ()
    assert {f.severity for f in lint("clip", info, vocabulary, hints=True).findings} == {"hint"}
    plain = CliRunner().invoke(app, ["lint", "clip"], catch_exceptions=False)
    assert plain.exit_code == 0 and "hint" not in plain.stdout
    told = CliRunner().invoke(app, ["lint", "clip", "--hints"], catch_exceptions=False)
    assert told.exit_code == 0 and "hint P301" in told.stdout and "0 errors, 0 warnings, 4 hints" in told.stdout
    record = json.loads(CliRunner().invoke(app, ["lint", "clip", "--hints", "--format", "json"]).stdout)
    assert record["hints"] == len(record["findings"]) == 4
    github = CliRunner().invoke(app, ["lint", "clip", "--hints", "--format", "github"], catch_exceptions=False)
    assert github.stdout.startswith("::notice ")
