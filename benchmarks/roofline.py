"""GFLOP/s of each tower and kernels against the best product on this CPU, as a table in Markdown.

    uv run python benchmarks/roofline.py [--models clip-vit-b-32] [--dtypes float32,bf16]

Generated weights. Operations are those of the linear layers, convolutions and attention, as torch counts them (two for
a multiplication with an addition); the best product is the faster of both kernels on 1,600 x 768 -> 3,072, measured
in every round. Rates are by wall clock: nothing else may run.
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
    """Wall time of one call."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def best(dtype: torch.dtype) -> float:
    """GFLOP/s of the faster kernels on a large product."""
    from senbench.models import onednn

    x, weight = torch.randn(1600, 768).to(dtype), torch.randn(3072, 768).to(dtype)
    laid_out = onednn.laid_out(weight)
    ways = (lambda: torch.nn.functional.linear(x, weight), lambda: onednn.product(x, laid_out, None))
    return 2 * 1600 * 768 * 3072 / min(min(seconds(way) for _ in range(4)) for way in ways) / 1e9


def main() -> None:
    """Measure and print."""
    import checkpoints

    from senbench.models.load import load

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(LAYOUTS))
    parser.add_argument("--dtypes", default="float32,bf16")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
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
                n = min(mine.batch_size, 8 if "l-14" in name else 32)
                pixels, tokens = torch.randn(n, 3, 224, 224).to(kind), torch.full((64, LENGTH), 320)
                tokens[:, -1] = 49407
                stages = {
                    "image tower": lambda model: model._encode_image_batch(pixels),  # noqa: B023
                    f"text tower, {LENGTH} tokens": lambda model: model._encode_token_batch(tokens),  # noqa: B023
                }
                for stage, do in stages.items():
                    with FlopCounterMode(display=False) as counter:
                        do(plain)
                    work, rates = counter.get_total_flops() / 1e9, []
                    do(mine)
                    for _ in range(options.rounds):
                        rates.append((work / seconds(lambda: do(plain)), work / seconds(lambda: do(mine)), best(kind)))  # noqa: B023
                    by_torch, chosen, limit = (statistics.median(one) for one in zip(*rates, strict=True))
                    share = statistics.median(rate[1] / rate[2] for rate in rates)
                    print(
                        f"| {name} {stage} | {dtype} | {by_torch:.0f} | {chosen:.0f} | {mine.kernels} | {limit:.0f} | "
                        f"{share:.2f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
