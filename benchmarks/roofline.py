"""GFLOP/s of each stage and kernels against the best product on this CPU, as a table in Markdown.

    uv run python benchmarks/roofline.py [--models clip-vit-b-32] [--dtypes float32,bf16] [--threads 1]

Generated weights. Operations are those of the linear layers, convolutions and attention, as torch counts them (two for
a multiplication with an addition); the best product is the faster of both kernels on 1,600 x 768 -> 3,072, repeated for
as long as a batch takes. Rates are by CPU seconds, in turn in every round, so that the shares hold beside other work;
with one thread none waits for another. The image stage decodes JPEGs from a zip, resizes and normalises, too.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))
LAYOUTS = {"clip-vit-b-32": "openai-vit-b-32", "clip-vit-l-14": "openai-vit-l-14", "clip-rn50": "openai-rn50"}
LENGTH = 16
"""Tokens of a text: what a short prompt has."""


def seconds(do: Any) -> float:
    """CPU seconds of one call, over the threads."""
    began = time.process_time()
    do()
    return (time.process_time() - began) / torch.get_num_threads()


def best(dtype: torch.dtype) -> Any:
    """GFLOP/s of the faster kernels on a large product, which is repeated until it has done so many GFLOP."""
    from senbench.models import onednn

    x, weight = torch.randn(1600, 768).to(dtype), torch.randn(3072, 768).to(dtype)
    laid_out = onednn.laid_out(weight)
    ways = (lambda: torch.nn.functional.linear(x, weight), lambda: onednn.product(x, laid_out, None))
    fastest, one = min(ways, key=lambda way: min(seconds(way) for _ in range(4))), 2 * 1600 * 768 * 3072 / 1e9

    def rate(work: float) -> float:
        times = max(1, round(work / one))
        return times * one / seconds(lambda: [fastest() for _ in range(times)])

    return rate


def main() -> None:
    """Measure and print."""
    import checkpoints
    import eurosat_files

    from senbench.datasets.open import open_dataset
    from senbench.embedding.engine import embed_images
    from senbench.models.load import load

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(LAYOUTS))
    parser.add_argument("--dtypes", default="float32,bf16")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| stage | precision | torch GFLOP/s | chosen GFLOP/s | kernels | best product | share |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for name in options.models.split(","):
            file = checkpoints.write(Path(folder) / f"{name}.pt", checkpoints.state_dict(LAYOUTS[name], images=2))
            for dtype in options.dtypes.split(","):
                plain, mine = (
                    load(name, file=str(file), device="cpu", dtype=dtype, kernels=kernels)
                    for kernels in ("torch", "auto")
                )
                kind = torch.bfloat16 if dtype == "bf16" else torch.float32
                n, limit_of = mine.batch_size, best(kind)
                tiles = eurosat_files.packed(Path(folder) / "EuroSAT.zip", eurosat_files.jpegs(-(-n // 10)))
                opened = open_dataset("eurosat-rgb", split="all", data_dir=str(tiles), offline=True).take(range(n))
                pixels, tokens = torch.randn(n, 3, 224, 224).to(kind), torch.full((64, LENGTH), 320)
                tokens[:, -1] = 49407
                stages = {
                    "image stage": lambda model: embed_images(model, opened, None),  # noqa: B023
                    "image tower": lambda model: model._encode_image_batch(pixels),  # noqa: B023
                    f"text tower, {LENGTH} tokens": lambda model: model._encode_token_batch(tokens),  # noqa: B023
                }
                for stage, do in stages.items():
                    # counted by its parts: torch's one operator for attention is not counted at all
                    torch.backends.mha.set_fastpath_enabled(False)
                    with FlopCounterMode(display=False) as counter:
                        stages["image tower" if "image" in stage else stage](plain)  # decoding is in another thread
                    torch.backends.mha.set_fastpath_enabled(True)
                    work, rates = counter.get_total_flops() / 1e9, []
                    do(mine)
                    for _ in range(options.rounds):
                        by_torch, chosen = (work / seconds(lambda m=m: do(m)) for m in (plain, mine))  # noqa: B023
                        rates.append((by_torch, chosen, limit_of(work)))
                    by_torch, chosen, limit = (statistics.median(one) for one in zip(*rates, strict=True))
                    share = statistics.median(rate[1] / rate[2] for rate in rates)
                    print(
                        f"| {name} {stage} | {dtype} | {by_torch:.0f} | {chosen:.0f} | {mine.kernels} | {limit:.0f} | "
                        f"{share:.2f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
