"""What a second prompt set costs, and whether memory grows with the number of tiles.

Run: `python benchmarks/bench_prompt_set.py --data-dir FOLDER_WITH_2750 [--tiles 27000]`. Each measurement is a process
of its own with an empty SENBENCH_HOME, so that nothing is cached; the pairs are interleaved.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from statistics import median

CHILD = """
import json, re, sys, time
from senbench.evaluation.grid import run
from senbench.schema.run_spec import RunSpec
import torch, open_clip, senbench.scoring.single_label.evaluate, senbench.datasets.eurosat.rgb
from senbench.models.load import load
load("mini", device="cpu").encode_texts(["warm"])
def peak():  # unlike ru_maxrss it does not inherit the parent's
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
imports = peak()
prompts, data, limit, out = sys.argv[1].split(","), sys.argv[2], int(sys.argv[3]), sys.argv[4]
began = time.perf_counter()
results = run(RunSpec(models=("mini",), prompts=tuple(prompts), datasets=("eurosat-rgb",), data_dir=data,
                      limit=limit, offline=True, device="cpu", results=out))
print(json.dumps({
    "seconds": time.perf_counter() - began,
    "imports_mb": imports,
    "peak_mb": peak(),
    "texts": results[-1].timings.texts,
    "scoring": results[-1].timings.scoring,
    "images": results[-1].timings.images,
}))
"""


def measure(prompts: str, data: str, tiles: int) -> dict[str, float]:
    """One run in a fresh process and home."""
    with tempfile.TemporaryDirectory() as home:
        words = [sys.executable, "-c", CHILD, prompts, data, str(tiles), f"{home}/results"]
        done = subprocess.run(words, env={**os.environ, "SENBENCH_HOME": home}, capture_output=True, check=True)
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found


def main() -> None:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True, help="folder that holds EuroSAT's 2750/ or its zip")
    parser.add_argument("--tiles", type=int, default=27_000)
    parser.add_argument("--pairs", type=int, default=3)
    options = parser.parse_args()
    pairs = [
        (measure("ground", options.data_dir, options.tiles), measure("ground,aerial", options.data_dir, options.tiles))
        for _ in range(options.pairs)
    ]
    one, two = (median(pair[i]["seconds"] for pair in pairs) for i in (0, 1))
    added = median(b["seconds"] - a["seconds"] for a, b in pairs)
    texts = median(b["texts"] - a["texts"] for a, b in pairs)
    scoring = median(b["scoring"] for _, b in pairs)
    print(f"{options.tiles:,} tiles, medians of {options.pairs} interleaved pairs")
    print(f"one prompt set {one:.2f} s, two {two:.2f} s: the second costs {added:.2f} s, {added / one:.1%} of a run")
    print(f"of that: encoding its texts {texts:.2f} s, scores with intervals {scoring:.2f} s, result files the rest")
    few = measure("ground", options.data_dir, 2_000)
    many = pairs[0][0]
    print(
        f"peak memory: {few['peak_mb']:.0f} MB for 2,000 tiles, {many['peak_mb']:.0f} MB for {options.tiles:,} "
        f"(after imports {many['imports_mb']:.0f} MB): ratio {many['peak_mb'] / few['peak_mb']:.2f}"
    )


if __name__ == "__main__":
    main()
