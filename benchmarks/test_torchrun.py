"""The image stage in two processes of torchrun against one, each of one thread: same tiles, same result."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys

import eurosat_files
import pyarrow.parquet as pq
import pytest

pytestmark = [pytest.mark.benchmark(group="torchrun"), pytest.mark.whole]
TWO = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "senbench")


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two processes need two cores")
def test_two_processes(against, weights, tmp_path):
    """400 JPEGs, ViT-B/32; what each result says of its image stage, by wall clock: nothing else may run."""
    eurosat_files.packed(tmp_path / "EuroSAT.zip", eurosat_files.jpegs(40))
    job = ["run", "--model", "clip-vit-b-32", "--weights", str(weights("openai-vit-b-32")), "--prompts", "clip"]
    job += ["--dataset", "eurosat-rgb", "--data-dir", str(tmp_path), "--device", "cpu", "--offline"]
    numbers, seen = itertools.count(), []

    def run(*program: str) -> float:
        folder = tmp_path / str(next(numbers))
        folder.mkdir()
        environment = {**os.environ, "SENBENCH_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", *program, *job]
        subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
        (found,) = (folder / "results").glob("*/result.json")
        seen.append(pq.read_table(found.with_name("predictions.parquet")))
        return float(json.loads(found.read_text())["timings"]["images"])

    against(lambda: run(*TWO), lambda: run("senbench"), what="one process, wall clock", goal=1.8, rounds=2)
    assert all(scores.equals(seen[0]) for scores in seen)
