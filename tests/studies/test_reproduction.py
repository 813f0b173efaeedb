"""Recipes, what is missing, when a difference is shown, and what explains one."""

from __future__ import annotations

import csv
import json

import pytest
import runs
import stubs
from changed_results import changed
from eurosat_files import REAL, jpeg, unpack
from typer.testing import CliRunner

import senbench
from senbench.cli.main import application, main
from senbench.cli.reproduce import _table
from senbench.datasets.catalog import EUROSAT
from senbench.errors import UnavailableError, UsageError
from senbench.runtime import paths
from senbench.runtime.paths import shipped
from senbench.studies import published_tables, reproduction
from senbench.studies.configuration import listed
from senbench.studies.explain_difference import explain
from senbench.studies.reproduction import Options

CELL = "senclip-table1:eurosat/vit-b-32/ground/avgpool"


def test_cells_are_the_published_rows():
    with (shipped("leaderboard") / "published.csv").open(newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["source"] == "SenCLIP, Table 1 (arXiv 2412.08536)"]
    assert len(published_tables.select("senclip-table1")) == len(rows) == 60
    (cell,) = published_tables.select(CELL)
    assert (cell.model, cell.rows[0]["value"]) == ("senclip-vit-b-32-avgpool", "65.54")
    assert len(published_tables.select("senclip-table1:eurosat/vit-b-32")) == 18
    assert {"remoteclip-eurosat:remoteclip-rn50", "remoteclip-eurosat:remoteclip-rn50-gelu"} <= {
        c.name for c in published_tables.select("remoteclip-eurosat")
    }


@pytest.mark.parametrize("name", ["senclip-table2", "senclip-table1:eurosat/vit-b"])
def test_unknown_cells_are_refused(name):
    with pytest.raises(UsageError, match="unknown"):
        published_tables.select(name)


@pytest.mark.parametrize("table", list(published_tables.recipes()))
def test_every_cell_names_prompts_and_a_standard_end(table):
    for cell in published_tables.select(table):
        part = cell.part
        assert cell.prompts in part.styles or cell.prompts in part.templates
        assert cell.prompts in part.standard.styles


def test_what_is_missing_is_named_with_its_command(tmp_path):
    done = CliRunner().invoke(application(), ["reproduce", CELL, "--json", "--data-dir", str(tmp_path)])
    assert isinstance(done.exception, UnavailableError)
    lacks = {one["kind"]: one for one in json.loads(done.stdout)["missing"][CELL]}
    assert set(lacks) == {"weights", "data", "prompts"}
    assert lacks["weights"]["file"] == "SenCLIP_AvgPool_ViTB32.ckpt of pallavijainpj/SenCLIP"
    assert "senbench models fetch" in lacks["weights"]["command"]


def test_what_is_missing_is_said_once(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("sys.argv", ["senbench", "reproduce", "senclip-table1"])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    assert said.count("senbench prompts fetch senclip") == 2  # the aerial and the ground sentences
    assert said.count("- weights ") == 10
    assert "bigearthnet-v1: BigEarthNet v1, 66,000 MB" in said
    assert said.endswith("60 of 60 cells of senclip-table1 could not be measured: missing, see above\n")


def test_a_part_of_the_list_that_is_drawn_from_is_missing_data(tmp_path):
    (tmp_path / "BigEarthNet-v1.0").mkdir()
    line = "S2A_MSIL2A_20170613T101031_87_48,S1A_IW_GRDH_1SDV_20170613T165043_33UUP_87_48\n"
    (tmp_path / "bigearthnet-test.csv").write_text(line)
    cells = published_tables.select("senclip-table1:bigearthnet/rn50/generic/clip")
    ((_, lacks),) = reproduction.missing(cells, Options(str(tmp_path))).items()
    (data,) = (lack for lack in lacks if lack.kind == "data")
    assert "draws from the 125,866 patches" in data.why


def test_one_file_is_not_the_weights_of_many_models():
    with pytest.raises(UsageError, match="name one cell"):
        reproduction.missing(published_tables.select("senclip-table1"), Options(weights="x.pt"))


def measured(tmp_path, **change):
    """A complete result that says it is on 5,400 tiles."""
    result = runs.run(tmp_path)
    return changed(result, dataset={"n_evaluated": 5400, "n_expected": 5400}, **change)


def test_a_difference_only_where_everything_matches(tmp_path):
    (cell,) = published_tables.select("clip-eurosat:clip-vit-b-32")
    result = measured(tmp_path)
    assert all(line.difference is None for line in reproduction.lines(cell, result, own_list=False))
    top1, recall = reproduction.lines(cell, result, own_list=True)
    assert (top1.metric, recall.metric) == ("top1", "balanced_accuracy")
    assert top1.difference == pytest.approx(result.metrics["top1"].value - 0.507222)
    assert top1.inside is False
    for change in ({"complete": False}, {"resolved": {"overrides": ("ensemble",)}}):
        other = changed(result, **change)
        assert all(line.difference is None for line in reproduction.lines(cell, other, own_list=True))


def test_the_table_says_what_is_inside(tmp_path, capsys):
    (cell,) = published_tables.select("clip-eurosat:clip-vit-b-32")
    result = measured(tmp_path)
    near = result.metrics["top1"].model_copy(update={"value": 0.5095, "ci": (0.5, 0.52)})
    result = result.model_copy(update={"metrics": {**result.metrics, "top1": near}})
    _table([cell], reproduction.lines(cell, result, own_list=True))
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines() if line.startswith(" clip-vit-b-32")]
    assert rows[0][-3:] == ["+0.23", "0.30", "inside"]
    assert rows[1][-1] == "OUTSIDE"
    assert "brushland or shrubland" in said
    _table([cell], reproduction.lines(cell, result, own_list=False))
    said = capsys.readouterr().out
    assert "side by side" in said
    assert "give it: --split FILE" in said


def test_tolerance_of_another_list_holds_its_sampling_error():
    (cell,) = published_tables.select("clip-eurosat:clip-vit-b-32")
    row = cell.rows[0]
    same, other = (reproduction.tolerated(cell.part, row, 5400, own_list=own)[0] for own in (True, False))
    assert same == pytest.approx(0.003 + 0.5e-6)
    assert other - same == pytest.approx(1.96 * (2 * 0.507222 * 0.492778 / 5400 * 0.8) ** 0.5)


def test_a_table_that_cannot_be_attributed_has_no_difference(tmp_path):
    (cell,) = published_tables.select(CELL)
    (line,) = reproduction.lines(cell, measured(tmp_path), own_list=False)
    assert line.difference is None
    assert line.inside is None
    assert any(reason.startswith("protocol") for reason in line.unlike)


def test_one_list_of_tiles_has_one_name():
    assert listed("eurosat", "test") == listed("eurosat-rgb", "random-test") == "random-test"
    assert listed("eurosat-spatial", "test") == "spatial-test"


def test_a_users_object_is_not_guessed(tmp_path):
    a, b = (runs.run(tmp_path, name, share) for name, share in (("a", 0.0), ("b", 0.5)))
    found = explain(tmp_path / a.run_id, tmp_path / b.run_id)
    assert found.metrics == ()
    assert len(found.needs) == 2
    assert found.recorded["top1"] == (a.metrics["top1"].value, b.metrics["top1"].value)
    assert json.dumps(found.as_json(), allow_nan=False)


def test_other_classes_are_refused(tmp_path):
    a = runs.run(tmp_path)
    info = stubs.info(classes=("Field", "Lake", "City"))
    b = runs.run(tmp_path, tiles=stubs.tiles(info=info), prompts={key: [key] for key in info.classes})
    with pytest.raises(UsageError, match="other classes"):
        explain(tmp_path / a.run_id, tmp_path / b.run_id)


@pytest.mark.slow
def test_two_runs_of_mini_are_split_exactly(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    common = {"limit": 60, "results": ".", "device": "cpu", "offline": True}
    a = senbench.evaluate("mini", "demo", "control-bare", **common)
    changed = {"postprocess": "column-mean", "class_names": "clip"}
    b = senbench.evaluate("mini", "demo", "clip", **changed, **common)
    there, back = explain(tmp_path / a.run_id, tmp_path / b.run_id), explain(tmp_path / b.run_id, tmp_path / a.run_id)
    (m,), (n,) = there.metrics, back.metrics
    assert {e.switch for e in m.effects} == {"class names", "prompts", "post-processing"}
    assert m.first == pytest.approx(a.metrics["top1"].value)
    assert m.second == pytest.approx(b.metrics["top1"].value)
    assert sum(e.shapley.value for e in m.effects) == pytest.approx(m.second - m.first, abs=1e-12)
    for e, f in zip(m.effects, n.effects, strict=True):
        assert e.shapley.value == pytest.approx(-f.shapley.value, abs=1e-12)
        assert e.first.value == pytest.approx(-f.second.value, abs=1e-12)
    assert not there.needs


@pytest.mark.parametrize("default", ["neither", "first", "second"])
def test_one_dataset_in_two_folders_is_read_from_both(tmp_path, monkeypatch, default):
    """Each end from its own folder, also where one of them is the place without `--data-dir`."""
    monkeypatch.chdir(tmp_path)
    found, folders = [], []
    for j, (name, first) in enumerate((("one", 0), ("two", 500))):
        home = default == ("first", "second")[j]
        folder = paths.home() / "data" / "eurosat-rgb" if home else tmp_path / name
        folders.append(None if home else str(folder))
        # the first lacks some: both figures are the share of one class
        every = [(k, n) for k in range(10) for n in range(3) if j or k or not n]
        tiles = {f"{EUROSAT[k]}/{EUROSAT[k]}_{n}.jpg": jpeg(first + 40 * k + n) for k, n in every}
        unpack(folder / "2750", tiles)
        how = {"data_dir": folders[-1], "results": ".", "device": "cpu", "offline": True}
        found.append(senbench.evaluate("mini", "eurosat-rgb", "clip", **how))
    a, b = found
    assert a.metrics["top1"].value != b.metrics["top1"].value
    (m,) = explain(tmp_path / a.run_id, tmp_path / b.run_id).metrics
    assert (m.first, m.second) == (a.metrics["top1"].value, b.metrics["top1"].value)
    assert [e.switch for e in m.effects] == ["image source"]
    assert m.effects[0].shapley.value == pytest.approx(m.second - m.first)
    if default == "neither":  # one that is named is that of both
        told = explain(tmp_path / a.run_id, tmp_path / b.run_id, data_dir=folders[0])
        assert (told.metrics[0].first, told.metrics[0].second) == (a.metrics["top1"].value, None)
        assert "the images of that run" in told.needs[0]


def test_what_changed_since_a_run_is_named(tmp_path, monkeypatch):
    """One that was recorded elsewhere: other pixels, another torch, another figure."""
    monkeypatch.chdir(tmp_path)
    how = {"results": ".", "device": "cpu", "offline": True, "limit": 20}
    a, b = (senbench.evaluate("mini", "demo", prompts, **how) for prompts in ("clip", "ground"))
    exact = explain(tmp_path / a.run_id, tmp_path / b.run_id)
    assert not any("made again" in note for note in exact.notes)
    name = tmp_path / a.run_id / "result.json"
    told = json.loads(name.read_text())
    told["metrics"]["top1"]["value"] -= 0.05
    name.write_text(json.dumps(told))
    (note,) = (n for n in explain(tmp_path / a.run_id, tmp_path / b.run_id).notes if "made again" in n)
    assert note.startswith(f"{a.run_id}: top1 made again here is {100 * a.metrics['top1'].value:.2f} %, recorded is ")
    assert note.endswith("Changed since that run: nothing that it recorded")
    told["dataset"]["content_hash"] = "a" * 64
    now = told["environment"]["versions"]["torch"]
    told["environment"]["versions"]["torch"] = "1.0"
    del told["environment"]["versions"]["pillow"]
    told["environment"] |= {"device": "cuda", "device_name": "a card", "threads": None}
    told["senbench_version"] = "0.0.1"
    name.write_text(json.dumps(told))
    (note,) = (n for n in explain(tmp_path / a.run_id, tmp_path / b.run_id).notes if "made again" in n)
    assert "Changed since that run: senbench 0.0.1 then, " in note
    assert "content keys of the tiles aaaaaaaaaaaa then, " in note
    assert "device cuda then, cpu now; device_name a card then, " in note
    assert f"torch 1.0 then, {now} now" in note
    assert "pillow none then, " in note
    assert "threads" not in note
    told["environment"]["threads"] = 99
    name.write_text(json.dumps(told))
    notes = explain(tmp_path / a.run_id, tmp_path / b.run_id).notes
    assert any("threads 99 then, " in note for note in notes)


@pytest.mark.slow
def test_a_cell_runs_on_weights_of_the_released_layout(tmp_path, monkeypatch):
    import checkpoints

    monkeypatch.chdir(tmp_path)
    weights = checkpoints.write(tmp_path / "SenCLIP_AvgPool_ViTB32.ckpt", checkpoints.state_dict("openai-vit-b-32", 4))
    name = "senclip-table1:eurosat/vit-b-32/generic/avgpool"
    options = ["--weights", weights, "--data-dir", REAL, "--limit", 20, "--explain", "--json"]
    done = CliRunner().invoke(application(), ["reproduce", name, *map(str, options)])
    assert done.exit_code == 0, done.exception
    said = json.loads(done.stdout)
    (line,) = said["lines"]
    assert line["difference"] is None
    assert any("incomplete, 20 of 27,000" in reason for reason in line["unlike"])
    told = said["explained"][name]
    (m,) = told["metrics"]
    assert m["base"] == "first"
    assert m["first"] == pytest.approx(line["measured"])
    named = {e["switch"]: e for e in m["effects"]}
    assert set(named) == {"prompts", "post-processing", "split", "image source"}
    assert "senbench datasets fetch" in named["image source"]["needs"]
    total = m["scoring"]["value"]
    assert sum(named[s]["shapley"]["value"] for s in ("prompts", "post-processing")) == pytest.approx(total)
