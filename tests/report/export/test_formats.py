"""Tables of results: the right figures, marks that tests earn, and names that stay names."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
import pytest
import runs
import yaml
from changed_results import changed
from hypothesis import given, settings
from hypothesis import strategies as st
from places import ROOT
from typer.testing import CliRunner

import senbench
from senbench.cli.main import application
from senbench.errors import UsageError
from senbench.report.export import formats, latex
from senbench.results import paired_inputs, store
from senbench.results.standings import standings
from senbench.scoring.comparison import all_pairs


def folders(folder):
    found = store.load_all(folder)
    return found, {r.run_id: folder / r.run_id for r in found}


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """The best, one that is hardly worse, and one that is much worse, on 200 tiles."""
    folder = tmp_path_factory.mktemp("three")
    tiles = runs.stubs.tiles(200)
    for name, share in (("best", 0.05), ("near", 0.07), ("far", 0.6)):
        runs.run(folder, name, share, tiles)
    return folder


def test_load_results(three):
    frame = senbench.load_results(three)
    assert list(frame["model"]) == ["best", "far", "near"]
    for r, (_, row) in zip(store.load_all(three), frame.iterrows(), strict=True):
        assert row["value"] == row["top1"] == r.metrics["top1"].value
        assert (row["top1_low"], row["top1_high"]) == r.metrics["top1"].ci
        assert row["run_id"] == r.run_id
        assert row["n"] == 200
        assert row["line_chance"] == pytest.approx(1 / 3)
    assert frame["complete"].all()
    assert frame["top5"].isna().all()


def test_load_results_of_both_tasks(tmp_path):
    runs.run(tmp_path, "a")
    runs.run(tmp_path, "b", 0.3, runs.multi())
    frame = senbench.load_results(str(tmp_path)).set_index("model")
    assert frame.loc["a", "headline"] == "top1"
    assert frame.loc["b", "value"] == frame.loc["b", "map_macro"]
    assert frame.isna().loc["a", "map_macro"]


def test_best_in_bold_and_only_the_close_one_marked(three):
    (board,) = standings(*folders(three))
    by_id = {r.run_id: r.model.id for r in board.results}
    assert by_id[board.best] == "best"
    assert {by_id[run] for run in board.tied} == {"near"}
    assert board.tests == "mcnemar-exact (200 images)"
    text = formats.to_latex(*folders(three))
    (best,), (near,), (far,) = (
        [line for line in text.splitlines() if f"    {name} &" in line] for name in by_id.values()
    )
    assert r"\textbf{" in best
    assert best.count(r"\textbf") == text.count(r"\textbf") == 1
    assert near.count("$^{=}$") == 1
    assert "$^{=}$" not in far + best
    shown = formats.to_markdown(*folders(three))
    assert re.search(r"^\| best \| custom \| \*\*9\d\.\d \[", shown, re.M)
    assert re.search(r"^\| near .* = \|", shown, re.M)
    assert not re.search(r"^\| far .* = \|", shown, re.M)


def test_clustered_tests_where_there_are_clusters(tmp_path):
    for name, share in (("best", 0.05), ("near", 0.07), ("far", 0.6)):
        runs.run(tmp_path, name, share, runs.located(200))
    (board,) = standings(*folders(tmp_path))
    assert board.tests.startswith("paired-cluster-jackknife-t (50 clusters")
    assert {r.model.id for r in board.results if r.run_id in board.tied} == {"near"}


def test_rows_are_paired_by_id_not_by_position(three, tmp_path):
    import shutil

    from pyarrow import parquet

    shutil.copytree(three, tmp_path / "r")
    found, where = folders(tmp_path / "r")
    path = where[found[0].run_id] / "predictions.parquet"
    table = parquet.read_table(path)
    parquet.write_table(table.take(list(range(len(table)))[::-1]), path)
    (moved,), (as_they_were,) = standings(found, where), standings(*folders(three))
    assert (moved.best, moved.tied) == (as_they_were.best, as_they_were.tied)
    read = [[paired_inputs.read(r, places[r.run_id]) for r in found] for places in (where, folders(three)[1])]
    p = [paired_inputs.all_pairs(parts).p for parts in read]
    assert (p[0] == p[1]).all()


def test_several_labels_are_tested_by_replicates(tmp_path):
    for name, share in (("best", 0.02), ("far", 0.7)):
        runs.run(tmp_path, name, share, runs.multi())
    (board,) = standings(*folders(tmp_path))
    assert board.tests.startswith("paired-cluster-jackknife-t")
    assert not board.tied


def test_ties_are_after_holm(three, monkeypatch):
    """0.03 is significant alone, and no longer beside another: Holm takes it to 0.06."""
    p = np.array([[1, 0.03, 0.001], [0.03, 1, 0.04], [0.001, 0.04, 1]])
    found = all_pairs.Pairwise(np.zeros((3, 3)), np.ones((3, 3)), p, "made up")
    monkeypatch.setattr(paired_inputs, "all_pairs", lambda family: found)
    (board,) = standings(*folders(three))
    assert [r.model.id for r in board.results if r.run_id in board.tied] == ["near"]


def test_no_predictions_no_marks(three, tmp_path):
    found, where = folders(three)
    (board,) = standings(found, dict.fromkeys(where, tmp_path))
    assert not board.tied
    assert board.tests == "none: no per-image predictions"
    assert "not tested" in latex.table(board)


def test_a_folder_copied_under_another_name_is_still_tested(three, tmp_path):
    import shutil

    for k, path in enumerate(sorted(three.glob("*/result.json"))):
        shutil.copytree(path.parent, tmp_path / "r" / f"copy{k}")
    command = ["export", "--format", "md", "--results", str(tmp_path / "r")]
    shown = CliRunner().invoke(application(), command)
    assert "tests: mcnemar-exact" in shown.output
    shutil.copytree(tmp_path / "r" / "copy0", tmp_path / "r" / "twin")
    refused = CliRunner().invoke(application(), command)
    assert isinstance(refused.exception, UsageError)
    assert "same run id" in str(refused.exception)


def test_predictions_of_another_run_are_refused(three, tmp_path):
    import shutil

    shutil.copytree(three, tmp_path / "r")
    found, where = folders(tmp_path / "r")
    first, second = (where[r.run_id] / "predictions.parquet" for r in found[:2])
    shutil.copy(first, second)
    with pytest.raises(UsageError, match="files of two runs"):
        standings(found, where)


def test_runs_that_know_other_clusters_are_not_paired(tmp_path):
    runs.run(tmp_path, "a", 0.1, runs.located(200))
    runs.run(tmp_path, "b", 0.3, runs.stubs.tiles(200))
    (board,) = standings(*folders(tmp_path))
    assert board.tests == "none: predictions of other images or clusters"


def test_access_levels_never_meet(tmp_path):
    runs.run(tmp_path, "a", 0.3)
    runs.run(tmp_path, "b", 0.1, postprocess="column-mean")
    found = standings(*folders(tmp_path))
    assert [b.first.access_level for b in found] == [0, 2]
    assert r"\textbf" not in formats.to_latex(*folders(tmp_path))  # one entry each: nothing is best


def test_incomplete_changed_and_contaminated_are_marked_and_never_best(tmp_path):
    runs.run(tmp_path, "a", 0.5)
    runs.run(tmp_path, "b", 0.4)
    for name, change in (("c", {"complete": False}), ("d", {"contamination": "images"}), ("e", {"resolved": ...})):
        r = runs.run(tmp_path, name, 0.0)
        path = tmp_path / r.run_id / "result.json"
        data = json.loads(path.read_text())
        data |= {k: v for k, v in change.items() if v is not ...}
        if name == "e":
            data["resolved"]["overrides"] = ["ensemble"]
        path.write_text(json.dumps(data))
    (board,) = standings(*folders(tmp_path))
    assert [r.model.id for r in board.results][:2] == ["b", "a"]
    assert board.best == board.results[0].run_id
    text = latex.table(board)
    for name, mark, why in (
        ("c", latex.INCOMPLETE, "incomplete"),
        ("d", latex.SEEN, "trained"),
        ("e", latex.CHANGED, "changed"),
    ):
        assert f"    {name}{mark} &" in text
        assert why in text
    with pytest.raises(UsageError, match="nothing to put"):
        bad = [r for r in board.results if r.model.id in "cd"]
        formats.FORMATS["model-index"](bad, {})


def test_synthetic_and_real_never_meet(tmp_path):
    r = runs.run(tmp_path, "a")
    other = changed(r, run_id="x", model={"synthetic": True})
    assert len(standings([r, other], {})) == 2


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    runs.run(folder, runs.HOSTILE, prompts={k: [f"{k} {runs.HOSTILE_PROMPT}"] for k in runs.stubs.CLASSES})
    runs.run(folder, "@SUM(1)", 0.2)
    return folder


def test_no_cell_is_a_formula(hostile):
    rows = list(csv.DictReader(io.StringIO(formats.to_csv(*folders(hostile)))))
    assert {row["model"] for row in rows} == {f"'{runs.HOSTILE}", "'@SUM(1)"}
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row.values() if cell)
    found = json.loads(formats.to_json(*folders(hostile)))
    assert {row["model"] for row in found} == {runs.HOSTILE, "@SUM(1)"}
    assert [float(row["value"]) for row in rows] == [row["value"] for row in found]


def test_a_negative_figure_is_no_formula():
    assert formats.guarded(-0.5) == -0.5
    assert formats.guarded("-0.5") == "'-0.5"


def test_a_name_stays_in_its_markdown_cell(hostile):
    text = formats.to_markdown(*folders(hostile))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 2
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert "<" not in re.sub(r"\\<", "", text)


def test_a_name_stays_in_its_latex_cell(hostile):
    text = formats.to_latex(*folders(hostile))
    (row,) = [line for line in text.splitlines() if "cmd" in line]
    assert len(re.findall(r"(?<!\\)&", row)) == 4
    assert r"\input" not in text
    assert re.search(r"(?<!\\)%", row) is None
    assert row.rstrip().endswith(r"\\")


@given(st.text(alphabet=st.sampled_from('ab \\{}%$&#_^~<>|"\n\x00\u202e') | st.characters(codec="utf-8")))
@settings(max_examples=50, deadline=None)
def test_escape_leaves_no_command_comment_or_open_brace(text):
    escaped = latex.escape(text)
    assert escaped.count("{") == escaped.count("}")
    assert "\n" not in escaped
    bare = re.sub(r"\\text[a-z]+\{\}|\\[&%$#_]", "", escaped)
    assert not set(bare) & set("\\{}%$&#_^~")


@given(st.text())
@settings(max_examples=50, deadline=None)
def test_a_text_is_one_cell_of_csv_and_starts_no_formula(text):
    cell = formats.guarded(text)
    assert not str(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert str(cell).lstrip("'") == text.lstrip("'")


def test_model_index_round_trip(three):
    from huggingface_hub import ModelCard
    from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results

    text = formats.FORMATS["model-index"](*folders(three))
    documents = [d for d in yaml.safe_load_all(text) if d]
    assert [d["model-index"][0]["name"] for d in documents] == ["best", "far", "near"]
    for r, document in zip(store.load_all(three), documents, strict=True):
        name, entries = model_index_to_eval_results(document["model-index"])
        assert eval_results_to_model_index(name, entries) == document["model-index"]
        by_name = {e.metric_name: e for e in entries}
        assert by_name["top1"].metric_value == r.metrics["top1"].value
        assert by_name["top1"].metric_type == "accuracy"
        assert by_name["top1"].dataset_revision == r.dataset.index_hash
        assert by_name["top1"].dataset_split == r.dataset.split
        assert by_name["top1"].dataset_config.endswith(f"level {r.access_level}")
        card = ModelCard(f"---\n{yaml.safe_dump(document)}---\n# a model\n")
        assert card.data.eval_results == entries


def test_two_prompt_sets_on_one_split_stay_apart(tmp_path):
    for words in ("a", "the"):
        runs.run(tmp_path, "m", prompts={k: [f"{words} {k.lower()}"] for k in runs.stubs.CLASSES})
    (document,) = (d for d in yaml.safe_load_all(formats.FORMATS["model-index"](*folders(tmp_path))) if d)
    assert len(document["model-index"][0]["results"]) == 2


def test_predictions_are_written_small_and_whole(three):
    from pyarrow import parquet

    r = store.load_all(three)[0]
    file = parquet.ParquetFile(three / r.run_id / "predictions.parquet")
    encodings = {c.path_in_schema: c.encodings for c in (file.metadata.row_group(0).column(i) for i in range(7))}
    assert "BYTE_STREAM_SPLIT" in encodings["score_Lake"]
    assert "DELTA_BYTE_ARRAY" in encodings["id"]


@pytest.mark.slow
def test_predictions_open_with_datasets(three, tmp_path):
    from datasets import load_dataset

    r = store.load_all(three)[0]
    path = str(three / r.run_id / "predictions.parquet")
    data = load_dataset("parquet", data_files=path, split="train", cache_dir=str(tmp_path))
    assert len(data) == 200
    assert data.features["score_Lake"].dtype == "float32"
    assert sum(row["label"] == row["prediction"] for row in data) / 200 == r.metrics["top1"].value


@pytest.mark.slow
def test_committed_results_are_valid():
    from senbench.audit.validate import validate

    root = ROOT / "leaderboard" / "results"
    found = [path.parent for path in root.glob("*/result.json")]
    assert found
    assert {path.name: validate(path) for path in found} == {path.name: [] for path in found}
    assert sum(f.stat().st_size for f in root.rglob("*") if f.is_file()) < 4e6
