"""A stranger's result: everything that is changed in it is found, by name; what is whole passes."""

from __future__ import annotations

import json
from functools import partial

import nudges
import numpy as np
import pyarrow as pa
import pytest
import runs
import stubs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import ROOT
from pyarrow import parquet

from senbench.audit.unknowable import UNKNOWABLE
from senbench.audit.validate import validate
from senbench.results import predictions
from senbench.schema.run_spec import RunSpec

KINDS = {
    "single": stubs.tiles,
    "located": runs.located,
    "blocks": runs.in_blocks,
    "multi": runs.multi,
    "multi in blocks": partial(runs.multi, tiles=runs.in_blocks),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Kind -> (result.json as data, predictions as a table), of runs that are some of them wrong."""
    made = {}
    for kind, tiles in KINDS.items():
        folder = tmp_path_factory.mktemp(kind)
        result = runs.run(folder, share=0.3, tiles=tiles())
        path = folder / result.run_id
        made[kind] = json.loads((path / "result.json").read_text()), parquet.read_table(path / predictions.FILE)
    return made


def write(tmp_path, data, table, name=None):
    folder = tmp_path / (name or data["run_id"])
    folder.mkdir(exist_ok=True)
    (folder / "result.json").write_text(json.dumps(data))
    parquet.write_table(table, folder / predictions.FILE)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_whole_results_pass(tmp_path, whole, kind):
    data, table = whole[kind]
    assert validate(write(tmp_path, data, table)) == []
    assert validate(tmp_path / data["run_id"] / "result.json") == []


def test_every_rule_and_subsets_pass(tmp_path):
    for options in (
        {"ensemble": "logit-mean"},
        {"ensemble": "max"},
        {"ensemble": "dap"},
        {"postprocess": "column-mean"},
        {"limit": 30},
    ):
        for tiles in (stubs.tiles, runs.in_blocks):
            result = runs.run(tmp_path, share=0.2, tiles=tiles(), **options)
            assert validate(tmp_path / result.run_id) == [], options


def edit(data, path, value):
    data = json.loads(json.dumps(data))
    *steps, last = path
    inner = data
    for step in steps:
        inner = inner[step]
    inner[last] = value(inner[last]) if callable(value) else value
    return data


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        (("metrics", "top1", "value"), lambda v: v + 2e-6, "metrics.top1.value is"),
        (("metrics", "balanced_accuracy", "value"), 0.9, "metrics.balanced_accuracy.value is"),
        (("metrics", "f1_macro", "value"), 0.9, "metrics.f1_macro.value is"),
        (("metrics", "nll", "value"), 0.1, "metrics.nll.value is"),
        (("metrics", "top1", "ci"), [0.69, 0.71], "metrics.top1.ci is"),
        (("metrics", "top1", "n"), 600, "metrics.top1.n is"),
        (("confusion", 0, 0), lambda v: v + 1, "confusion.0.0 is"),
        (("per_class", 1, "recall"), 1.0, "per_class.1.recall is"),
        (("lines", "chance"), 0.1, "lines.chance is"),
        (("ties",), 3, "ties is 3"),
        (("complete",), False, "complete is False"),
        (("dataset", "n_expected"), 100, "complete is True, expected False"),
        (("dataset", "n_evaluated"), 59, "dataset.n_evaluated is 59, expected 60"),
        (("dataset", "index_hash"), "0" * 64, "dataset.index_hash is"),
        (("dataset", "radiometry"), "dn3000", "run_id is"),
        (("model", "weights_sha256"), "1" * 64, "run_id is"),
        (("prompts", "hash"), "0" * 64, "prompts.hash is"),
        (("prompts", "n"), 4, "prompts.n is 4, expected 3"),
        (("prompts", "texts", "Lake", 0), "a pond", "prompts.hash is"),
        (("access_level",), 1, "access_level is 1, expected 0"),
        (("ensemble",), "dap", "ensemble is 'dap'"),
        (("headline",), "f1", "headline 'f1' is not among"),
        (("logit_scale",), None, "metrics.nll.value is"),
        (("logit_scale",), 50.0, "metrics.nll.value is"),
        (("spec", "data_dir"), "/home/ada/eurosat", "spec.data_dir holds '/home/ada/eurosat'"),
        (("spec", "data_dir"), "C:\\Users\\ada", "spec.data_dir holds"),
        (("spec", "data_dir"), "~/data", "spec.data_dir holds"),
        (("spec", "results"), "/data", "spec.results holds"),
        (("dataset", "source"), "mail ada@example.org", "dataset.source holds"),
        (("warnings",), ["cannot open file:///srv/x"], "warnings.0 holds"),
        (("run_id",), "other_0123456789", "folder"),
    ],
)
def test_what_was_changed_is_found(tmp_path, whole, path, value, found):
    data, table = whole["single"]
    findings = validate(write(tmp_path, edit(data, path, value), table, name=data["run_id"]))
    assert any(line.startswith(found) or found in line for line in findings), findings


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        (("metrics", "map_macro", "value"), 0.99, "metrics.map_macro.value is"),
        (("metrics", "lrap", "value"), 0.99, "metrics.lrap.value is"),
        (("metrics", "f1_macro_at_mean", "value"), 0.99, "metrics.f1_macro_at_mean.value is"),
        (("per_label", 0, "average_precision"), 0.99, "per_label.0.average_precision is"),
        (("replicates", "map_macro", "tile0"), 0.99, "replicates.map_macro.tile0 is"),
        (("clustering", "sizes", "tile0"), 5, "clustering.sizes.tile0 is"),
        (("n_unlabelled",), 5, "n_unlabelled is 5"),
    ],
)
def test_what_was_changed_is_found_with_several_labels(tmp_path, whole, path, value, found):
    data, table = whole["multi"]
    assert any(line.startswith(found) for line in validate(write(tmp_path, edit(data, path, value), table)))


@pytest.mark.parametrize("kind", ["blocks", "multi in blocks"])
@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        (("clustering", "by_size", 0, "error"), 0.001, "clustering.by_size.0.error is 0.001"),
        (("clustering", "by_size", 2, "clusters"), 20, "clustering.by_size.2.clusters is 20"),
        (("clustering", "morans_i"), 0.9, "clustering.morans_i is 0.9"),
        (("clustering", "by_size"), lambda sizes: sizes[:1], "clustering.by_size has 1 entries"),
    ],
)
def test_errors_by_block_size_are_made_again(tmp_path, whole, kind, path, value, found):
    data, table = whole[kind]
    sizes = data["clustering"]["by_size"]
    assert [(one["size"], one["clusters"]) for one in sizes] == [("5 km", 15), ("25 km", 3), ("100 km", 1)]
    assert "none by 25 km or 100 km" in data["metrics"][data["headline"]]["interval"]
    assert any("3 by 25 km, 1 by 100 km" in warning for warning in data["warnings"])
    assert any(line.startswith(found) for line in validate(write(tmp_path, edit(data, path, value), table)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_fact_that_is_removed_is_missed_the_list_apart(tmp_path, whole, kind):
    """What a result must hold follows from its schema version: it does not pass as an older one."""
    data, table = whole[kind]
    folder = write(tmp_path, data, table)
    spec = data["spec"]  # what is as by default may be left out: it reads alike
    usual = [f"spec.{name}" for name, field in RunSpec.model_fields.items() if spec[name] == field.default]
    listed = [*(entry.pattern for entry in UNKNOWABLE), *usual]
    n, missed = nudges.missed_if_removed(folder / "result.json", lambda: validate(folder), listed)
    assert n > 200
    assert missed == []


NEWER = {
    "scores by class": lambda r: [one.pop("scores") for one in (*r["per_class"], *r["per_label"])],
    "ece_l1": lambda r: r["metrics"].pop("ece_l1", None),
    "errors by size": lambda r: r["clustering"].pop("by_size"),
    "how recalls were made": lambda r: [one.pop("recall_interval", None) for one in r["per_class"]],
    "all of these": lambda r: [NEWER[name](r) for name in list(NEWER)[:-1]],
}


@pytest.mark.parametrize("name", NEWER)
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", ["blocks", "multi in blocks"])
def test_a_result_without_newer_facts_is_neither_of_this_version_nor_of_the_first(tmp_path, whole, kind, version, name):
    data, table = whole[kind]
    old = json.loads(json.dumps({**data, "schema_version": version}))
    NEWER[name](old)
    nothing_removed = old == data
    assert (validate(write(tmp_path, old, table)) == []) is nothing_removed


def test_first_results_pass_and_may_not_hold_what_they_did_not(tmp_path):
    """The committed ones are of schema version 1."""
    source = next((ROOT / "leaderboard" / "results").glob("mini_generic*"))
    data, table = json.loads((source / "result.json").read_text()), parquet.read_table(source / predictions.FILE)
    assert data["schema_version"] == 1
    assert validate(write(tmp_path, data, table)) == []
    newer = edit(data, ("per_class", 0), lambda one: {**one, "recall_interval": "iid-wilson"})
    assert "per_class.0.recall_interval" in validate(write(tmp_path, newer, table))[0]
    assert any(
        "metrics.ece_l1 is missing" in line for line in validate(write(tmp_path, {**data, "schema_version": 2}, table))
    )


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        (("schema_version",), 3, "schema version 3, this senbench reads 1 and 2: update senbench"),
        (("schema_version",), 0, "schema version 0, this senbench reads 1 and 2: run it again"),
        (("schema_version",), "1", "schema version '1'; this is not a result"),
        (("schema_version",), True, "schema version True"),
        (("complete",), "true", "field complete"),
        (("ties",), "0", "field ties"),
        (("access_level",), 0.5, "field access_level"),
        (("metrics", "top1", "value"), "0.5", "field metrics.top1.value"),
        (("contamination",), "clean", "field contamination"),
        (("spec", "limit"), "all", "field spec.limit"),
        (("prompts", "texts"), ["a"], "field prompts.texts"),
        (("dataset",), {}, "field dataset.id"),
        (("resolved",), {}, "field resolved.protocol"),
        (("model",), {"id": []}, "field model.id"),
        (("dataset", "classes"), ["Lake"], "field dataset.classes"),
        (("dataset", "classes", 0), {}, "field dataset.classes.0"),
    ],
)
def test_the_layout_is_strict(tmp_path, whole, path, value, found):
    data, table = whole["single"]
    findings = validate(write(tmp_path, edit(data, path, value), table, name=data["run_id"]))
    assert len(findings) == 1
    assert found in findings[0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"schema_version": 1, "schema_version": 1}', "occurs twice"),
        ('{"schema_version": 1, "surprise": 1}', "field"),
        ("[]", "schema version None"),
    ],
)
def test_what_is_no_result(tmp_path, text, found):
    (tmp_path / "result.json").write_text(text)
    (finding,) = validate(tmp_path)
    assert found in finding


def test_sizes_are_bounded(tmp_path, whole, monkeypatch):
    folder = write(tmp_path, *whole["single"])
    monkeypatch.setattr(predictions, "MAX_ROWS", 59)
    assert "60 rows" in validate(folder)[-1]
    monkeypatch.setattr(predictions, "MAX_BYTES", 10)
    assert "not opened" in validate(folder)[-1]
    monkeypatch.setattr("senbench.audit.validate.MAX_BYTES", 10)
    assert "not read" in validate(folder)[-1]


def column(table, name, values):
    return table.set_column(table.column_names.index(name), name, pa.array(values))


ROWS = [
    (lambda t: t.slice(1), "n_evaluated is 60, expected 59"),
    (lambda t: column(t, "id", [*t["id"].to_pylist()[:-1], t["id"][0].as_py()]), "ids occur more than once"),
    (lambda t: column(t, "score_Lake", np.full(60, np.nan, np.float32)), "60 scores are not finite"),
    (lambda t: column(t, "score_Lake", np.zeros(60)), "'score_Lake' is double"),
    (lambda t: t.drop_columns("score_Lake"), "'score_Lake' is missing"),
    (lambda t: t.append_column("x", pa.array([b"\x80\x04K*."] * 60)), "'x' is not expected"),
    (lambda t: column(t, "label", ["Sea"] * 60), "label 'Sea' is none of the classes"),
    (lambda t: column(t, "label", [None, *t["label"].to_pylist()[1:]]), "label"),
    (lambda t: column(t, "prediction", ["Lake"] * 60), "prediction is not the class with the best score"),
    (lambda t: column(t, "label", ["Lake"] * 60), "index_hash"),
    (lambda t: column(t, "cluster", ["a", *[None] * 59]), "59 of 60 rows have no cluster"),
    (lambda t: column(t, "id", [None, *t["id"].to_pylist()[1:]]), "'id' has 1 empty"),
    (lambda t: column(t, "score_Lake", np.asarray(t["score_Lake"]) + np.float32(0.5)), "is"),
    (lambda t: t.slice(0, 0), "0 rows"),
]


@pytest.mark.parametrize(("change", "found"), ROWS)
def test_what_was_changed_in_the_rows_is_found(tmp_path, whole, change, found):
    data, table = whole["single"]
    findings = validate(write(tmp_path, data, change(table)))
    assert any(found in line for line in findings), findings


@given(st.binary(max_size=400), st.integers(0, 3000))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_rows_are_a_finding_never_a_traceback(tmp_path, whole, junk, at):
    folder = write(tmp_path, *whole["single"])
    path = folder / predictions.FILE
    raw = bytearray(path.read_bytes())
    at %= len(raw)
    raw[at : at + len(junk)] = junk
    path.write_bytes(bytes(raw))
    assert all(isinstance(line, str) for line in validate(folder))


def test_missing_rows_and_foreign_files(tmp_path, whole):
    folder = write(tmp_path, *whole["single"])
    (folder / "model.pkl").write_bytes(b"")
    assert any("'model.pkl' does not belong" in line for line in validate(folder))
    (folder / predictions.FILE).unlink()
    assert any("predictions.parquet is missing" in line for line in validate(folder))


def test_what_a_shipped_card_or_dataset_says_cannot_be_changed(tmp_path, whole):
    from senbench.models import card_files, registry

    data, table = whole["single"]
    card = card_files.portable(registry.find("georsclip-vit-b-32"))
    data = edit(data, ("model",), {**json.loads(json.dumps(card)), "weights_sha256": None})
    data = edit(data, ("dataset", "id"), "bigearthnet-v2")
    findings = validate(write(tmp_path, data, table))
    assert any("contamination is 'unknown', expected 'images'" in line for line in findings)
    assert any("dataset.classes " in line for line in findings)
    findings = validate(write(tmp_path, edit(data, ("model", "activation"), "gelu"), table))
    assert any("model.activation is 'gelu', expected 'quickgelu'" in line for line in findings)


@pytest.mark.slow
def test_committed_results_are_valid():
    from senbench.audit.validate import validate

    root = ROOT / "leaderboard" / "results"
    found = [path.parent for path in root.glob("*/result.json")]
    assert found
    assert {path.name: validate(path) for path in found} == {path.name: [] for path in found}
    assert sum(f.stat().st_size for f in root.rglob("*") if f.is_file()) < 8e6
