"""Whole processes against CLIP_benchmark: 500 EuroSAT JPEGs, CLIP's templates, ViT-B/32 with generated weights.

It needs `uv sync --group bench`, and EuroSAT.zip below the folder that SENBENCH_SHARED names.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.benchmark(group="peers"),
    pytest.mark.whole,
    pytest.mark.skipif(importlib.util.find_spec("clip_benchmark") is None, reason="uv sync --group bench"),
]
PER_CLASS = 50


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """50 tiles a class in torchvision's layout."""
    archive = Path(os.environ.get("SENBENCH_SHARED", ".")) / "eurosat" / "EuroSAT.zip"
    if not archive.is_file():
        pytest.skip("SENBENCH_SHARED holds no eurosat/EuroSAT.zip")
    root, counts = tmp_path_factory.mktemp("peer"), {}
    with zipfile.ZipFile(archive) as source:
        for name in source.namelist():
            kind = name.rpartition("/")[0]
            if name.endswith(".jpg") and counts.get(kind, 0) < PER_CLASS:
                counts[kind] = counts.get(kind, 0) + 1
                source.extract(name, root / "eurosat")
    return root


def finished(command: list[str], said: str = "") -> None:
    """Run a process to its end. CLIP_benchmark's own last line fails on NumPy >= 2.4, after all work is done."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or (said and said in done.stderr), done.stderr[-2000:]


@pytest.fixture
def processes(folder, weights):
    """What runs CLIP_benchmark, and what runs senbench with these options."""
    file = str(weights("openai-vit-b-32"))
    peer = [sys.executable, "-c", "from clip_benchmark.cli import main; main()", "eval", "--dataset", "eurosat"]
    peer += ["--dataset_root", str(folder), "--model", "ViT-B-32-quickgelu", "--pretrained", file, "--no_amp"]
    peer += ["--num_workers", "2", "--output", str(folder / "peer.json")]
    mine = [sys.executable, "-m", "senbench", "run", "--model", "clip-vit-b-32", "--weights", file, "--offline"]
    mine += ["--dataset", "eurosat-rgb", "--data-dir", str(folder / "eurosat"), "--device", "cpu"]
    mine += ["--results", str(folder / "results")]
    return lambda *options: lambda: finished([*mine, *options]), lambda: finished(peer, "100%")


CLIP = ("--prompts", "clip", "--class-names", "clip")


def test_first_run(against, processes):
    """Nothing kept."""
    mine, peer = processes
    against(mine(*CLIP, "--no-cache"), peer, what="CLIP_benchmark", goal=1 / 0.45, rounds=3)


def test_all_kept(against, processes):
    """Every embedding kept from the round that is not counted."""
    mine, peer = processes
    against(mine(*CLIP), peer, what="CLIP_benchmark", goal=1 / 0.06, rounds=3)


def test_ten_prompt_sets(against, processes, tmp_path):
    """Ten files of 60 prompts in one run, against one; ratio in runs of one set."""
    mine, _ = processes
    names = ["AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture", "PermanentCrop"]
    names += ["Residential", "River", "SeaLake"]
    for k in range(10):
        texts = {name: [f"{name}, view {k}.{i} from orbit" for i in range(6)] for name in names}
        (tmp_path / f"set-{k}.json").write_text(json.dumps(texts))
    ten = ",".join(str(tmp_path / f"set-{k}.json") for k in range(10))
    one = mine("--prompts", ten.split(",")[0], "--no-cache")
    against(mine("--prompts", ten, "--no-cache"), one, what="a run of one set", work=10, goal=10 / 1.5, rounds=3)
