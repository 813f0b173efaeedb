"""senbench against CLIP_benchmark: the same 500 EuroSAT JPEGs, weights, templates; whole processes, interleaved.

    uv run --group bench python benchmarks/bench_peer.py EuroSAT.zip [--pairs 3]

ViT-B/32 with generated weights, CLIP's class names and templates (30 prompts), two CPU threads as found. Besides:
ten prompt sets of 60 texts in one run, another set after the first run, and a run whose embeddings are all kept. Prints
each time by wall clock and in CPU seconds, and the ratios of medians, as JSON. CLIP_benchmark's own accuracy line
fails on NumPy >= 2.4 after all work is done; its time counts until it exits.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

PER_CLASS = 50
RESULTS = "results"


def prepare(archive: Path, root: Path) -> Path:
    """Unpack 50 tiles a class in torchvision's layout, and write the checkpoint."""
    import checkpoints

    with zipfile.ZipFile(archive) as source:
        counts: dict[str, int] = {}
        for name in source.namelist():
            folder = name.rpartition("/")[0]
            if name.endswith(".jpg") and counts.get(folder, 0) < PER_CLASS:
                counts[folder] = counts.get(folder, 0) + 1
                source.extract(name, root / "eurosat")
    return checkpoints.write(root / "clip.pt", checkpoints.state_dict("openai-vit-b-32"))


def prompt_sets(root: Path, n: int) -> list[str]:
    """Files of six prompts a class, no text in two of them; CLIP's own order of classes is not needed."""
    names = sorted(folder.name for folder in (root / "eurosat" / "2750").iterdir())
    files = []
    for k in range(n):
        texts = {name: [f"{name}, view {k}.{i} from orbit" for i in range(6)] for name in names}
        files.append(root / f"set-{k}.json")
        files[-1].write_text(json.dumps(texts))
    return [str(file) for file in files]


def commands(root: Path, weights: Path, *, bf16: bool) -> dict[str, list[str]]:
    """What each side runs, in this order; all end with a score file.

    `ten sets` embeds the images once for ten files of prompts; of the last three the first fills a cache, the second
    brings new texts to it, and the third computes a result whose embeddings are all kept.
    """
    start = [sys.executable, "-m", "senbench", "run", "--model", "clip-vit-b-32", "--weights", str(weights)]
    start += ["--dataset", "eurosat-rgb", "--offline", "--data-dir", str(root / "eurosat"), "--device", "cpu"]
    clip = ["--prompts", "clip", "--class-names", "clip"]
    ten = ",".join(prompt_sets(root, 10))
    peer = [
        *(sys.executable, "-c", "from clip_benchmark.cli import main; main()", "eval", "--dataset", "eurosat"),
        *("--dataset_root", str(root), "--model", "ViT-B-32-quickgelu", "--pretrained", str(weights)),
        *("--no_amp", "--num_workers", "2", "--output", str(root / "peer.json")),
    ]
    ours = {
        "first run": [*clip, "--no-cache"],
        "first run, bf16": [*clip, "--no-cache", "--dtype", "bf16"],
        "ten sets": ["--prompts", ten, "--no-cache"],
        "fills the cache": clip,
        "new texts": ["--prompts", ten.split(",")[0]],
        "all cached": clip,
    }
    if bf16:
        ours = {name: ours[name] for name in ("first run", "first run, bf16")}
    else:
        del ours["first run, bf16"]
    return {"peer": peer} | {
        name: [*start, *rest, "--results", str(root / RESULTS / name)] for name, rest in ours.items()
    }


def used() -> float:
    """CPU seconds of all processes that ended."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def main() -> None:
    """Run the pairs and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--bf16", action="store_true", help="only the first run, in bf16 too; needs the instructions")
    options = parser.parse_args()
    times: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        todo = commands(root, prepare(options.archive, root), bf16=options.bf16)
        # the peer takes a GPU unasked
        environment = {**os.environ, "SENBENCH_HOME": str(root / "home"), "CUDA_VISIBLE_DEVICES": ""}
        for _ in range(options.pairs):
            for kept in ("home", RESULTS):
                shutil.rmtree(root / kept, ignore_errors=True)
            for name, command in todo.items():
                began, before = time.perf_counter(), used()
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
                times.setdefault(name, []).append(time.perf_counter() - began)
                cpu.setdefault(name, []).append(used() - before)
                if done.returncode and name != "peer":
                    raise SystemExit(done.stderr[-2000:])
                if name == "peer" and "100%" not in done.stderr:
                    raise SystemExit("the peer did not finish its images:\n" + done.stderr[-2000:])
    for kind, taken in (("wall clock", times), ("CPU", cpu)):
        median = {name: statistics.median(found) for name, found in taken.items()}
        report = {
            f"seconds, {kind}": {name: [round(t, 1) for t in found] for name, found in taken.items()},
            "ratio of medians to CLIP_benchmark": {n: round(median[n] / median["peer"], 3) for n in median},
        }
        if "ten sets" in median:
            report["ten prompt sets to one"] = round(median["ten sets"] / median["first run"], 3)
        print(json.dumps(report))


if __name__ == "__main__":
    main()
