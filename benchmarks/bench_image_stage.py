"""The image stage against the bare forward pass of ready tensors, and the memory of a run.

    uv run python benchmarks/bench_image_stage.py EuroSAT.zip [--images 256]

ViT-B/32 with generated weights, float32. The two are interleaved in one process; prints the ratio of median
rates (goal: at least 0.95), and the peak resident memory above that after imports, in multiples of the model.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))


def peak_mb() -> float:
    """Peak resident memory of this process, MB; unlike ru_maxrss it does not inherit the parent's."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--weights", type=Path, help="made by a first call in another process; else here")
    options = parser.parse_args()
    if options.weights is None:
        import subprocess

        import checkpoints

        with tempfile.TemporaryDirectory() as folder:
            weights = checkpoints.write(Path(folder) / "w.pt", checkpoints.state_dict("openai-vit-b-32"))
            again = [sys.executable, __file__, str(options.archive), "--images", str(options.images)]
            raise SystemExit(subprocess.run([*again, "--weights", str(weights)], check=False).returncode)

    import open_clip  # noqa: F401
    import torch

    from senbench.datasets.open import open_dataset
    from senbench.datasets.tiles import stratified
    from senbench.embedding.engine import embed_images
    from senbench.embedding.image_pass import EmbedOptions
    from senbench.models.load import load

    imported = peak_mb()
    encoder = load("clip-vit-b-32", file=str(options.weights), device="cpu")
    tiles = open_dataset("eurosat-rgb", split="all", data_dir=str(options.archive), offline=True)
    tiles = tiles.take(stratified(tiles.tile_labels, options.images, 0))
    ready = torch.randn(32, 3, 224, 224)
    bare, stage = [], []
    for _ in range(4):
        began = time.perf_counter()
        with torch.inference_mode():
            for _ in range(options.images // 32):
                encoder.model.encode_image(ready)
        bare.append(options.images / (time.perf_counter() - began))
        began = time.perf_counter()
        embed_images(encoder, tiles, None, EmbedOptions(batch_size=32))
        stage.append(options.images / (time.perf_counter() - began))
    rates = statistics.median(bare[1:]), statistics.median(stage[1:])
    model = encoder.card.parameters * 4 / 2**20
    report = {
        "bare images/s": round(rates[0], 2),
        "stage images/s": round(rates[1], 2),
        "ratio": round(rates[1] / rates[0], 3),
        "model MB": round(model),
        "peak above imports MB": round(peak_mb() - imported),
        "allowed MB (1.2 model + 1 GB)": round(1.2 * model + 1024),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
