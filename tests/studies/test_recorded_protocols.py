"""Recorded figures run again: expected matrices from OpenAI's own package, and what a difference is made of."""

from __future__ import annotations

import csv
import json
from types import SimpleNamespace

import checkpoints
import clip
import narrow
import numpy as np
import pytest
import runs
import torch
from changed_results import changed
from eurosat_files import REAL, real
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from senbench.cli.main import application
from senbench.datasets.catalog import BUILTIN, EUROSAT
from senbench.errors import UnavailableError, UsageError
from senbench.models import registry
from senbench.models.checkpoints import fetch
from senbench.results.predictions import Predictions
from senbench.runtime.access import Access
from senbench.runtime.paths import shipped
from senbench.studies import published_tables, recorded_protocols
from senbench.studies.recorded_protocols import compared, moved, too_close
from senbench.studies.reproduction import Options

CELL = "clip-eurosat-matrices:sentence-folder-names"


def test_the_shipped_matrices_are_those_figures():
    """Their diagonals are the rows of `published.csv`, and they count EuroSAT's images."""
    known = published_tables.matrices()
    cells = published_tables.select("clip-eurosat-matrices")
    assert {c.part.matrix for c in cells} == set(known) and len(known) == 5
    for cell in cells:
        matrix = np.array(known[cell.part.matrix])
        assert matrix.sum(axis=1).tolist() == [3000, 3000, 3000, 2500, 2500, 2000, 2500, 3000, 2500, 3000]
        of = {row["metric"]: float(row["value"]) for row in cell.rows}
        assert of["top-1 %"] == pytest.approx(100 * np.trace(matrix) / 27000, abs=1e-4)
        recall = (np.diag(matrix) / matrix.sum(axis=1)).mean()
        assert of["mean per-class recall %"] == pytest.approx(100 * recall, abs=1e-4)
        assert len(cell.part.names) == 10


@pytest.mark.shared
def test_the_shipped_matrices_are_the_recorded_ones(shared):
    recorded = json.loads((shared / "recorded" / "eurosat_zero_shot_confusion_matrices.json").read_text())
    assert recorded["classes"] == list(EUROSAT)
    theirs = [tuple(map(tuple, one["matrix"])) for one in recorded["matrices"].values()]
    assert list(published_tables.matrices().values()) == theirs


def test_moved_images_are_the_fewest_that_explain_two_matrices():
    rng = np.random.default_rng(0)
    for _ in range(20):
        labels, first, second = rng.integers(0, 4, (3, 200))
        one, other = np.zeros((2, 4, 4), int)
        np.add.at(one, (labels, first), 1)
        np.add.at(other, (labels, second), 1)
        found = moved(one, other)
        assert found == moved(other, one) == np.abs(one - other).sum() / 2
        assert found <= (first != second).sum()
    assert moved(one, one) == 0
    with pytest.raises(UsageError, match="not of the same images"):
        moved(one, np.roll(other, 1, axis=0) + np.eye(4, dtype=int))


def test_images_too_close_to_call():
    scores = np.array([[0.3, 0.30015, 0.1], [0.3, 0.3003, 0.1], [0.1, 0.2, 0.3]], np.float32)
    table = Predictions(("a", "b", "c"), np.arange(3), None, scores, scores.argmax(axis=1))
    assert [too_close(table, change) for change in (1e-5, 1e-4, 1e-3)] == [0, 1, 2]


@pytest.fixture
def cell():
    return published_tables.select(CELL)[0]


def test_verdicts(tmp_path, cell, monkeypatch):
    """Equal matrices, one image moved that is or is not too close, other images."""
    r = runs.run(tmp_path)
    r = changed(r, dataset={"n_evaluated": 27000, "n_expected": 27000})
    own = np.array(published_tables.matrices()[cell.part.matrix])
    table = SimpleNamespace(ids=range(27000), scores=np.tile(np.float32([0.3, 0.2]), (27000, 1)))
    again = cell.part.model_copy(update={"again": ""})
    cell = cell._replace(part=again)

    def said(matrix, scores=table.scores):
        held = r.model_copy(update={"confusion": tuple(map(tuple, matrix.tolist()))})
        return compared(cell, held, SimpleNamespace(ids=range(27000), scores=scores), own_list=False)

    other = own.copy()
    other[0, 0] -= 1
    other[0, 1] += 1
    close = table.scores.copy()
    close[5] = [0.3, 0.29999]
    monkeypatch.setattr(recorded_protocols, "lines", lambda *a, **k: [top1(r, ())])
    assert said(own).ok is True and "+0" in said(own).detail and "precision explains 0" in said(own).detail
    assert said(other).ok is False and "(-1); at least 1 must have another answer" in said(other).detail
    assert said(other, close).ok is True
    monkeypatch.setattr(recorded_protocols, "lines", lambda *a, **k: [top1(r, ("split: not stated",))])
    assert said(own).ok is True  # a whole matrix agrees: that is no chance
    assert said(other).ok is None and said(other).detail.endswith("; split: not stated")


def top1(r, unlike):
    return SimpleNamespace(metric="top1", published=0.382296, tolerance=0.002, tolerance_why="declared", unlike=unlike)


def test_two_recordings_of_the_same_prompts_tell_what_a_device_moves(cell):
    known = {name: np.array(rows) for name, rows in published_tables.matrices().items()}
    assert cell.part.again == "sentence-folder-names-again"
    assert 0 < moved(known[cell.part.again], known[cell.part.matrix]) < 30
    assert moved(known["bare-folder-names"], known[cell.part.matrix]) > 10_000


def test_what_is_missing_is_one_line(tmp_path):
    with pytest.raises(UnavailableError) as raised:
        recorded_protocols.verify("clip-vit-b-32", "eurosat-rgb", Options(data_dir=str(tmp_path)))
    said = str(raised.value)
    assert "\n" not in said
    for part in ("weights clip-vit-b-32 (", "senbench models fetch clip-vit-b-32", "data eurosat-rgb", "94 MB"):
        assert part in said
    assert said.count("weights clip-vit-b-32") == 1


@pytest.mark.parametrize(
    ("model", "options", "says"),
    [
        ("mini", {}, "nothing is recorded of mini on eurosat-rgb"),
        (
            "senclip-vit-b-32-avgpool",
            {"split": "x.txt"},
            "no recorded protocol of senclip-vit-b-32-avgpool on eurosat-rg",
        ),
    ],
)
def test_what_does_not_fit_is_refused(model, options, says):
    with pytest.raises(UsageError, match=says):
        recorded_protocols.verify(model, "eurosat-rgb", Options(**options))


def test_generated_weights_give_the_matrices_of_openais_own_package(tmp_path, monkeypatch):
    """All of it in one command: the protocols are as recorded, but for the images, of which there are sixty."""
    narrow.release(monkeypatch, ["clip-vit-b-32"])
    card = registry.find("clip-vit-b-32")
    state = load_file(fetch.locate(card, Access(offline=True)))
    card = card.model_copy(update={"parameters": sum(tensor.numel() for tensor in state.values())})
    monkeypatch.setattr(registry.card_files, "shipped_as", lambda name: card)
    names = list(real())
    labels = np.array([EUROSAT.index(name.split("/")[0]) for name in names])
    reference = checkpoints.reference(state)
    prepare = clip.clip._transform(224)
    with torch.inference_mode():
        images = torch.stack([prepare(Image.open(REAL / "2750" / name)) for name in names])
        rows = torch.nn.functional.normalize(reference.encode_image(images), dim=1)
        expected = {}
        for cell in published_tables.select("clip-eurosat-matrices"):
            template = next(iter(cell.part.templates.values()))
            texts = reference.encode_text(clip.tokenize([template.replace("{}", name) for name in cell.part.names]))
            answers = (rows @ torch.nn.functional.normalize(texts, dim=1).T).argmax(dim=1).numpy()
            matrix = np.zeros((10, 10), int)
            np.add.at(matrix, (labels, answers), 1)
            expected.setdefault(cell.part.matrix, matrix)
    assert len({matrix.tobytes() for matrix in expected.values()}) > 2  # prompts matter to these weights

    def recorded_as(change):
        folder = tmp_path / "leaderboard"
        folder.mkdir(exist_ok=True)
        (folder / "published_models.csv").write_bytes((shipped("leaderboard") / "published_models.csv").read_bytes())
        with (shipped("leaderboard") / "published.csv").open(newline="") as stream:
            table = list(csv.DictReader(stream))
        of = {c.rows[0]["value"]: c.part.matrix for c in published_tables.select("clip-eurosat-matrices")}
        rows = [row | {"n": "60"} for row in table if row["source"].startswith("andrea") and row["value"] in of]
        for row in rows:
            row["value"] = f"{100 * np.trace(expected[of[row['value']]]) / 60:.4f}"
        with (folder / "published.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        matrices = {name: change(matrix).tolist() for name, matrix in expected.items()}
        (folder / "recorded_matrices.json").write_text(json.dumps({"matrices": matrices}))
        return folder

    def command():
        words = ["models", "verify", "clip-vit-b-32", "--on", "eurosat-rgb", "--offline", "--device", "cpu"]
        words += ["--data-dir", str(REAL), "--json"]
        with pytest.MonkeyPatch.context() as patch:
            for module in ("senbench.results.published", "senbench.studies.published_tables"):
                patch.setattr(f"{module}.shipped", lambda name: tmp_path / name)
            patch.setitem(BUILTIN["eurosat-rgb"][1].splits, "all", 60)
            done = CliRunner().invoke(application(), words)
        assert isinstance(done.exception, SystemExit | None), done.exception
        items = {one["name"]: one for one in json.loads(done.stdout)["items"]}
        return done.exit_code, {name: one for name, one in items.items() if name.startswith("clip-eurosat-matrices")}

    recorded_as(lambda matrix: matrix)
    code, items = command()
    assert code == 0, items
    assert len(items) == 7
    other = [items.pop(name) for name in list(items) if name.endswith("sea-or-lake")]
    assert {one["ok"] for one in other} <= {None, True} and all("both are run" in one["detail"] for one in other)
    assert all(one["ok"] is True for one in items.values())
    assert all("(+0); at least 0 must have another answer" in one["detail"] for one in items.values())

    def swapped(matrix):
        return np.roll(matrix, 1, axis=1)

    recorded_as(swapped)
    code, items = command()
    assert code == 1
    own = expected["sentence-folder-names"]
    assert items[CELL]["ok"] is False
    assert f"at least {moved(own, swapped(own))} must have another answer" in items[CELL]["detail"]
