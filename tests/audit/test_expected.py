"""What a result must say, made again; honest results of every kind are what they must be."""

from __future__ import annotations

import json
from typing import Any

import pytest
import runs
import stubs

import senbench
from senbench.audit.validate import validate
from senbench.errors import SenbenchError
from senbench.evaluation.grid import run_crossed
from senbench.schema.run_spec import RunSpec

TILES = {"single": stubs.tiles, "located": runs.located, "multi": runs.multi}
OPTIONS: tuple[dict[str, Any], ...] = (
    *({"ensemble": rule} for rule in ("logit-mean", "max", "dap", "mean-norm")),
    *(
        {"postprocess": "column-mean"},
        {"postprocess": "transclip"},
        {"limit": 30},
        {"noise": 20},
        {"seed": 3},
        {"batch_size": 3},
    ),
)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("tiles", TILES)
def test_honest_results_of_every_rule(tmp_path, tiles, options):
    if tiles == "multi" and options == {"postprocess": "transclip"}:
        pytest.skip("transclip gives every tile one class")
    made = runs.run(tmp_path, share=0.2, tiles=TILES[tiles](), **options)
    assert validate(tmp_path / made.run_id) == []


class Own:
    """A user's object."""

    name = "own"

    def __init__(self, **scale: float) -> None:
        vars(self).update(scale)
        self.stub = stubs.StubEncoder()

    def encode_images(self, tiles):
        return self.stub.encode_prepared(tiles)

    def encode_texts(self, texts):
        return self.stub.encode_texts(texts)


@pytest.mark.parametrize("scale", [{}, {"logit_scale": 4.6}, {"logit_scale": 100.0, "logit_bias": -10.0}], ids=str)
@pytest.mark.parametrize("tiles", TILES)
def test_a_users_object(tmp_path, tiles, scale):
    made = senbench.evaluate(Own(**scale), TILES[tiles](), runs.PROMPTS, results=str(tmp_path / "r"))
    wrong = [line for line in validate(tmp_path / "r" / made.run_id) if "looks like a path" not in line]
    assert wrong == []


def test_tiles_that_could_not_be_decoded(tmp_path):
    made = runs.run(tmp_path, tiles=stubs.tiles(bad=(3, 7)), on_error="skip")
    assert validate(tmp_path / made.run_id) == []


GRIDS: tuple[dict[str, Any], ...] = (
    {"prompts": ("generic", "aerial", "clip")},
    {"datasets": ("demo-multilabel",), "prompts": ("clip", "ground")},
    {"protocol": "clip-benchmark", "prompts": ("clip", "generic")},
    {"protocol": "senclip-release"},
    {"ensemble": "prob-mean", "prompts": ("clip",)},
    {"ensemble": "dap", "datasets": ("demo", "demo-multilabel")},
    {"postprocess": "column-mean", "datasets": ("demo", "demo-multilabel")},
    {"dtype": "bf16"},
    {"exact": True},
    {"prompts": ("list.json",)},
    {"limit": 50},
)


@pytest.mark.parametrize("options", GRIDS, ids=str)
def test_honest_results_of_the_shipped_model(tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.json").write_text(json.dumps(["a photo of {}", "land: {}"]))
    usual = {"models": ("mini",), "prompts": ("generic",), "datasets": ("demo",), "offline": True, "device": "cpu"}
    run_crossed(RunSpec(**{**usual, "results": "r", **options}))
    found = {path.name: validate(path) for path in (tmp_path / "r").iterdir() if path.is_dir()}
    assert found
    assert found == {name: [] for name in found}


def test_levels_that_come_from_prompts_pass_and_one_that_is_taken_away_is_found(tmp_path):
    texts = {"senbench_pack": 1, "id": "p", "style": "custom", "dataset": "stub", "class_names": "folder"}
    texts |= {"access_level": 3, "texts": runs.PROMPTS, "provenance": {}}
    (tmp_path / "p.json").write_text(json.dumps(texts))
    try:
        made = runs.run(tmp_path, prompts="p.json")
    except SenbenchError as error:
        pytest.fail(str(error))
    folder = tmp_path / made.run_id
    assert made.access_level == 3
    assert validate(folder) == []
    data = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**data, "access_level": 0}))
    assert "access_level is 0, expected 3" in validate(folder)
