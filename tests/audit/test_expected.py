"""What a result must say, made again; honest results of every kind are what they must be."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import runs
import stubs
from PIL import Image

import senbench
from senbench.audit import factorials
from senbench.audit.validate import validate
from senbench.cli.prompts_select import write_pack
from senbench.datasets.synthetic.multilabel import write_bigearthnet
from senbench.datasets.synthetic.scenes import CLASSES, write_eurosat
from senbench.errors import SenbenchError
from senbench.evaluation.grid import run_crossed
from senbench.schema.run_spec import RunSpec
from senbench.studies.prompt_selection import Selection, select_prompts

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


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Generated EuroSAT and BigEarthNet, lists of tiles, class names, a template and an own folder."""
    root = tmp_path_factory.mktemp("data")
    write_eurosat(root / "scenes", 16, 77, (0.5, 0.25))
    for name in ("train", "val", "test"):
        (root / f"{name}.txt").write_text((root / "scenes" / f"eurosat-{name}.txt").read_text())
    for name, sites in (("here", range(4)), ("there", range(4, 8))):  # tile n lies at site n modulo 8
        files = (f"{key}_{n + 1}.jpg\n" for key in CLASSES for n in range(16) if n % 8 in sites)
        (root / f"{name}.txt").write_text("".join(files))
    write_bigearthnet(root / "v2", 90, 5, split=(0.4, 0.3))
    write_bigearthnet(root / "home" / "data" / "bigearthnet-v1", 90, 5, version=1, split=(0.4, 0.3))
    (root / "my.j2").write_text("land: {{ cls.name }}\n{{ cls.name }} from above")
    names = {key: {"names": {"mine": f"my {key.lower()}"}, "ground": ["wet grass"]} for key in ("Meadow", "Water")}
    land = {"id": "land", "title": "Land", "default_names": "mine", "classes": names}
    (root / "names.yaml").write_text(json.dumps(land))
    rng = np.random.default_rng(0)
    for key, base in (("Meadow", (70, 110, 60)), ("Water", (40, 60, 110))):
        (root / "own" / key).mkdir(parents=True)
        for i in range(12):
            pixels = np.clip(rng.normal(base, 18, (64, 64, 3)), 2, 240).astype(np.uint8)
            Image.fromarray(pixels).save(root / "own" / key / f"{key}_{i}.png")
    return root


SCENES = {"datasets": ("eurosat",), "data_dir": "scenes", "accept_pixels": True}
PATCHES = {"datasets": ("bigearthnet-v2",), "data_dir": "v2", "accept_pixels": True, "prompts": ("clip",)}
OLDER = {**PATCHES, "datasets": ("bigearthnet-v1",), "data_dir": None}
EVERY: dict[str, dict[str, Any]] = {
    "a list as split": {**SCENES, "split": "test.txt"},
    "a list as split, several styles": {**SCENES, "split": "test.txt", "prompts": ("generic", "aerial", "ground")},
    "classifiers trained on a list": {**SCENES, "split": "test.txt", "anchors": "train.txt"},
    "classifiers, several rules": {**SCENES, "split": "val.txt", "anchors": "train.txt", "ensemble": "max"},
    "all tiles, by place": {**SCENES, "split": "all"},
    "a subset of a list": {**SCENES, "split": "test.txt", "limit": 20},
    "another rendering": {**SCENES, "split": "test.txt", "radiometry": "dn3000"},
    "release": {**SCENES, "split": "test.txt", "protocol": "senclip-release"},
    "countries": PATCHES,
    "countries, two styles": {**PATCHES, "prompts": ("clip", "generic")},
    "tuned thresholds": {**PATCHES, "tune": "val"},
    "tuned thresholds and classifiers": {**PATCHES, "tune": "val", "anchors": "train"},
    "tuned thresholds, divided": {**PATCHES, "tune": "val", "ensemble": "logit-mean"},
    "labels of v1": {**PATCHES, "labels": "v1"},
    "a subset with countries": {**PATCHES, "limit": 12},
    "v1": OLDER,
    "v1, 43 classes": {**OLDER, "class_names": None, "prompts": ("generic",), "tune": "val"},
    "an own folder": {"datasets": ("folder:own",), "accept_pixels": True, "prompts": ("clip", "my.j2")},
    "an own folder, own names": {
        **{"datasets": ("folder:own",), "accept_pixels": True, "prompts": ("clip",)},
        "class_names": "names.yaml",
    },
    "an own template": {"datasets": ("demo",), "prompts": ("my.j2",), "seed": 4},
    "a seed and noise": {"datasets": ("demo",), "noise": 30, "seed": 7},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", EVERY)
def test_honest_results_of_every_command(data, tmp_path, monkeypatch, kind):
    """Through the shipped model; with the factorial files that several styles leave."""
    monkeypatch.chdir(data)
    monkeypatch.setenv("SENBENCH_HOME", str(data / "home"))
    usual = {"models": ("mini",), "prompts": ("generic",), "offline": True, "device": "cpu"}
    results = tmp_path / "r"
    run_crossed(RunSpec(**{**usual, "results": str(results), **EVERY[kind]}))
    found = {path.name: validate(path) for path in results.iterdir() if path.is_dir()}
    found |= {path.name: factorials.findings(path) for path in results.glob("factorial-*.json")}
    wanted = len(EVERY[kind].get("prompts", ("generic",)))
    assert len(found) in (wanted, wanted + (wanted > 1))
    assert found == {name: [] for name in found}


@pytest.mark.slow
@pytest.mark.parametrize("by", ["mean", "hhi", "redundancy", "labels"])
@pytest.mark.parametrize("on_evaluated", [False, True])
def test_honest_results_of_selected_prompts(data, tmp_path, monkeypatch, by, on_evaluated):
    monkeypatch.chdir(data)
    results, pack = tmp_path / "r", tmp_path / "pack.json"
    spec = RunSpec(models=("mini",), prompts=("ground",), offline=True, device="cpu", **SCENES, split="here.txt")
    where = {"on_evaluated": True} if on_evaluated else {"evaluated": "there.txt"}
    chosen = select_prompts(spec, Selection(k=3, by=by, **where))
    write_pack(pack, chosen, "eurosat", "--out")
    split = "here.txt" if on_evaluated else "there.txt"
    run_crossed(spec.model_copy(update={"prompts": (str(pack),), "split": split, "results": str(results)}))
    (folder,) = (path for path in results.iterdir() if path.is_dir())
    assert validate(folder) == []
    stated = json.loads((folder / "result.json").read_text())
    assert stated["access_level"] == (3 if by == "labels" else 2 if on_evaluated else 1)
    lower = {**stated, "access_level": 0}
    (folder / "result.json").write_text(json.dumps(lower))
    assert any("access_level is 0" in line for line in validate(folder))
