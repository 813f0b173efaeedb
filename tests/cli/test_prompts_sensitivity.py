"""`senbench prompts sensitivity`: bands, the best and the most harmful prompts, as text, JSON and a pack."""

from __future__ import annotations

import json

import pytest
from outcomes import refused

OFFLINE = ("--offline", "--device", "cpu")


def test_text_and_json(senbench, mini_run, tmp_path):
    words = ("prompts", "sensitivity", "--model", "mini,mini", "--prompts", "generic", "--dataset", "demo", *OFFLINE)
    done = senbench(*words, "--draws", 20, "--best-out", tmp_path / "best.json", "--best-k", 1)
    assert done.code == 0, done.err
    assert "3 of 6" in done.out
    assert "20 draws" in done.out
    assert "mini: leaving one prompt out, points" in done.out
    assert f"{tmp_path / 'best.json'}: the 1 prompts of each class" in done.out
    found = json.loads(senbench(*words, "--draws", 20, "--json", "--bootstrap").out)
    assert (found["n"], found["k"], found["replacement"], found["ranking"]) == (20, None, True, None)
    assert set(found["models"][0]["bands"]["top1"]) == {"median", "low", "high"}
    assert len(found["models"][0]["contributions"]) == found["prompts"]["n"] == 60


def test_mistakes_are_one_line(senbench, tmp_path):
    words = ("prompts", "sensitivity", "--model", "mini", "--prompts", "generic", "--dataset", "demo", *OFFLINE)
    refused(senbench(*words, "--k", 4), 2, "--k 4 of 6 prompts per class", "give 1 to 3, or --bootstrap")
    refused(senbench(*words, "--ensemble", "dap"), 2, "--ensemble dap: only means of prompts are resampled")
    refused(senbench(*words, "--best-out", tmp_path / "x.txt"), 2, "a pack's name ends in .json")
    assert senbench(*words, "--draws", 19).code == 2


@pytest.mark.slow
def test_sensitivity_prints_bands_and_names_prompts(senbench, scenes, spoilt, tmp_path):
    pack = tmp_path / "best.json"
    words = (
        "prompts", "sensitivity", "--model", "mini", "--prompts", spoilt, "--dataset", "eurosat", "--data-dir", scenes,
        "--split", scenes / "held-out.txt", "--draws", 50, "--best-out", pack, "--best-k", 3, *OFFLINE,
    )  # fmt: skip
    done = senbench(*words)
    assert done.code == 0, done.err
    assert "5 of 11" in done.out
    assert "9 of 10 draws of mini lie between" in done.out
    assert "access level 3" in done.out
    found = json.loads(senbench(*words, "--json").out)
    assert found["access_level"] == 3
    assert len(found["models"][0]["contributions"]) == 110
    best = max(found["models"][0]["contributions"], key=lambda entry: entry["contribution"])
    assert best["prompt"] in json.loads(pack.read_text())["texts"][best["class"]]
    assert json.loads(pack.read_text())["access_level"] == 3
