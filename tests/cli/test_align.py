"""`senbench align`: from a LUCAS folder to a card that is evaluated, and what is said of wrong input."""

from __future__ import annotations

import json
import shutil
import sys

import lucas_files
import pytest

from senbench.cli.main import main

SMALL = ["--epochs", "1", "--batch", "4", "--queue", "8", "--hold-out", "random:0.2"]


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*words, code=0):
        monkeypatch.setattr("sys.argv", ["senbench", "align", *map(str, words)])
        found = 0
        try:
            main()
        except SystemExit as end:
            found = end.code or 0
        told = capsys.readouterr()
        assert found == code, told.err
        return told

    return run


@pytest.fixture
def stored(run, tmp_path):
    lucas_files.survey(tmp_path, 12)
    run("pairs", "--lucas", tmp_path / "photos", "--points", tmp_path / "points.csv", "--tiles", tmp_path / "tiles",
        "--out", tmp_path / "pairs.csv")  # fmt: skip
    run("pack", tmp_path / "pairs.csv", "--out", tmp_path / "t")
    run("embed", tmp_path / "pairs.csv", "--model", "mini", "--out", tmp_path / "g")
    return tmp_path


def words(folder, *more):
    return ["train", "--pairs", folder / "pairs.csv", "--tiles", folder / "t", "--ground", folder / "g", "--out",
            folder / "run", "--base", "mini", "--device", "cpu", *SMALL, *more]  # fmt: skip


def test_from_a_survey_to_a_card(run, stored):
    assert "0 photos encoded now" in run("embed", stored / "pairs.csv", "--base", "mini", "--out", stored / "g").err
    told = run(*words(stored)).err
    assert "10 tiles to train on, 2 held out" in told
    assert "R@1 of 2 held-out tiles" in told
    sha = json.loads((stored / "run" / "align.json").read_text())["state_sha256"]
    assert f"state {sha}" in told
    again = run(*words(stored)).err
    assert "goes on after step 2 of 2" in again
    assert sha in again
    out = stored / "mine.safetensors"
    assert str(stored / "mine.toml") in run("export", stored / "run", "--base", "mini", "--out", out).out
    assert out.is_file()


def test_every_setting_arrives(run, stored):
    given = ["--pool", "att-dim", "--train", "visual.layer4,visual.attnpool", "--negatives", "both", "--head"]
    given += ["--views", "2", "--micro-batches", "1", "--learning-rate", "0.001", "--weight-decay", "0"]
    given += ["--augmentation", "none", "--crop", "16", "--dtype", "bf16", "--seed", "7", "--recipe", "senclip-paper"]
    run(*words(stored, *given))
    recipe = json.loads((stored / "run" / "align.json").read_text())["settings"]["recipe"]
    expected = {
        "name": "senclip-paper", "pool": "att-dim", "train": ["visual.layer4", "visual.attnpool"], "negatives": "both",
        "head": True, "views": 2, "micro_batches": 1, "learning_rate": 0.001, "weight_decay": 0.0, "seed": 7,
        "augmentation": "none", "crop": 16, "dtype": "bf16", "epochs": 1, "batch": 4, "queue": 8,
        "hold_out": "random:0.2",
    }  # fmt: skip
    assert {name: recipe[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--batch", "3"], "batch 3 does not divide the queue"),
        (["--recipe", "nonsense"], "senclip-release"),
        (["--pool", "max"], "pool"),
        (["--base", "clip-vit-b-32"], "128 dimensions, those of clip-vit-b-32 have 512"),
        (["--tiles", "nowhere"], "align pack"),
        (["--ground", "nowhere"], "align embed"),
        (["--pairs", "nowhere.csv"], "no such manifest"),
        (["--train", ""], "empty"),
        (["--train", "last-block"], "ResNet"),
    ],
)
def test_wrong_input_is_one_line_before_the_first_step(run, stored, more, said):
    told = run(*words(stored, *more), code=2).err
    assert said in told
    assert told.count("\n") == 1
    assert not (stored / "run").exists()


def test_missing_files_are_one_line(run, stored):
    (stored / "photos" / lucas_files.photo_name(0, "N", 2018)).unlink()
    (stored / "tiles" / f"{lucas_files.point_id(1)}.png").write_bytes(b"")
    for name, of in (("embed", "photo"), ("pack", "tile")):
        model = ["--model", "mini"] if name == "embed" else []
        told = run(name, stored / "pairs.csv", *model, "--out", stored / "new", code=3).err
        assert told.startswith(f"senbench: {of} ")
        assert told.count("\n") == 1
        skipped = run(name, stored / "pairs.csv", *model, "--out", stored / "new", "--on-error", "skip")
        assert "1 left out" in skipped.out
        shutil.rmtree(stored / "new")
    assert "stop or skip" in run("pack", stored / "pairs.csv", "--out", stored / "new", "--on-error", "go", code=2).err


def test_torchrun_is_for_training(run, monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr("senbench.cli.main.distributed.tell", lambda line: print(line, file=sys.stderr))
    assert "`senbench align train` only" in run("pack", tmp_path / "x.csv", "--out", tmp_path / "t", code=2).err
