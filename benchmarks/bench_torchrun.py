"""The image stage in two processes of torchrun against one process, each of one thread: same tiles, same result.

    uv run python benchmarks/bench_torchrun.py EuroSAT.zip [--tiles 2000] [--pairs 1] [--model mini]

ViT-B/32 with generated weights, float32, unless the shipped model `mini` is asked for. Every run has a cache of its
own; whole runs are interleaved, and what each result says of its image stage is compared (goal: at least 1.8). The
scores must be the same to the last bit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))


def run(root: Path, name: str, command: list[str]) -> tuple[dict[str, Any], Any]:
    """Result and scores of one run."""
    folder = root / name
    folder.mkdir()
    environment = {**os.environ, "SENBENCH_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    (found,) = (folder / "results").glob("*/result.json")
    return json.loads(found.read_text()), pq.read_table(found.with_name("predictions.parquet"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--tiles", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--model", choices=("clip-vit-b-32", "mini"), default="clip-vit-b-32")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-torchrun-") as scratch:
        root = Path(scratch)
        job = ["-m", "senbench", "run", "--model", options.model, "--prompts", "clip", "--dataset", "eurosat-rgb"]
        job += ["--data-dir", str(options.archive.resolve()), "--limit", str(options.tiles), "--device", "cpu"]
        if options.model != "mini":
            import checkpoints

            job += ["--weights", str(checkpoints.write(root / "w.pt", checkpoints.state_dict("openai-vit-b-32")))]
        two = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *job]
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for pair in range(options.pairs):
            one, scores = run(root, f"one-{pair}", [sys.executable, *job])
            both, shared = run(root, f"two-{pair}", two)
            if one["run_id"] != both["run_id"] or not scores.equals(shared):
                raise SystemExit("two processes gave another result than one")
            for result in (one, both):
                seconds[result["timings"]["processes"]].append(result["timings"]["images"])
    ratio = statistics.median(seconds[1]) / statistics.median(seconds[2])
    print(json.dumps({"image stage, seconds, by processes": seconds, "ratio": round(ratio, 2)}, indent=1))


if __name__ == "__main__":
    main()
