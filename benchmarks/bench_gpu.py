"""A GPU end to end against the bare forward pass of the same model: how much of it tiles from disk keep busy.

    python benchmarks/bench_gpu.py EuroSAT.zip [--patches 100000] [--store FOLDER] [--models clip-rn50] [--seconds 10]

ViT-B/32, ViT-L/14 and RN50 with generated weights. End to end is the image stage of a run without a cache: JPEGs read
from the zip and decoded, content keys, copies, resizing on the device, encoding, rows back on the host. Bare forward
is the image tower alone over one batch of ready tensors, before and after it. float32 and TF32 take EuroSAT; bf16, and
on a CPU every precision, also patches of BigEarthNet's size (uint8, 120x120x3, generated, packed; FOLDER keeps them).
A pass that would take longer than --seconds in float32 or TF32 takes a class-stratified part. Prints one JSON line per
model, precision and dataset; rates are tiles a second.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

import checkpoints
import patch_store
import torch

from senbench.datasets.open import open_dataset
from senbench.datasets.tiles import stratified
from senbench.embedding.engine import embed_images
from senbench.models.adapter import _products, torch_dtype
from senbench.models.load import load

if TYPE_CHECKING:
    from senbench.datasets.tiles import Tiles
    from senbench.models.adapter import Adapter
    from senbench.schema.terms import Dtype

LAYOUTS = {"clip-vit-b-32": "openai-vit-b-32", "clip-vit-l-14": "openai-vit-l-14", "clip-rn50": "openai-rn50"}
DTYPES: tuple[Dtype, ...] = ("float32", "tf32", "bf16")
WARM = 2048
"""Tiles of the pass that is not counted: kernels are chosen, memory is taken."""


def wait(encoder: Adapter) -> None:
    """Until the device has done all that was asked of it."""
    if encoder.device.type == "cuda":
        torch.cuda.synchronize(encoder.device)


def bare(encoder: Adapter, seconds: float = 1.0) -> float:
    """Images a second of the image tower alone, over one batch that is on the device in its precision and layout."""
    side, size = encoder.preprocess.resolution, encoder.batch_size
    layout = torch.channels_last if encoder.channels_last else torch.contiguous_format
    ready = torch.randn(size, len(encoder.card.bands), side, side, device=encoder.device)
    ready = ready.to(torch_dtype(encoder.dtype), memory_format=layout)
    with torch.inference_mode(), _products(encoder.dtype):
        for _ in range(3):
            encoder._encode_image_batch(ready)
        wait(encoder)
        began, n = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            for _ in range(4):
                encoder._encode_image_batch(ready)
            wait(encoder)
            n += 4 * size
        return n / (time.perf_counter() - began)


def measure(encoder: Adapter, name: str, tiles: Tiles) -> dict[str, Any]:
    """One pass over the tiles, between two looks at the bare forward rate."""
    cuda = encoder.device.type == "cuda"
    before = bare(encoder)
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    got = embed_images(encoder, tiles, None)
    after = bare(encoder)
    rate, limit = got.encoded / got.seconds, (before + after) / 2
    return {
        "model": encoder.card.id,
        "dtype": encoder.dtype,
        "data": name,
        "tiles": got.encoded,
        "batch": got.batch_size,
        "seconds": round(got.seconds, 2),
        "end to end": round(rate),
        "bare forward": [round(before), round(after)],
        "share": round(rate / limit, 3),
        "device MB": round(torch.cuda.max_memory_allocated() / 2**20) if cuda else None,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--patches", type=int, default=100_000)
    parser.add_argument("--store", type=Path, help="keeps the patches for the next time")
    parser.add_argument("--models", nargs="+", choices=list(LAYOUTS), default=list(LAYOUTS))
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=DTYPES)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--device", default="cuda")
    args = parser.parse_args()
    eurosat = open_dataset("eurosat-rgb", split="all", data_dir=str(args.archive), offline=True)
    with tempfile.TemporaryDirectory(prefix="bench-gpu-") as scratch:
        big = patch_store.opened(args.store or Path(scratch) / "store", args.patches)
        for model in args.models:
            weights = checkpoints.write(Path(scratch) / f"{model}.pt", checkpoints.state_dict(LAYOUTS[model]))
            for dtype in args.dtypes:
                encoder = load(model, file=str(weights), device=args.device, dtype=dtype)
                n = min(len(eurosat), max(WARM, int(args.seconds * bare(encoder, 0.5))))
                part = eurosat if dtype == "bf16" else eurosat.take(stratified(eurosat.tile_labels, n, 0))
                embed_images(encoder, part.take(stratified(part.tile_labels, WARM, 0)), None)
                whole = dtype == "bf16" or encoder.device.type == "cpu"
                data = {"eurosat-rgb": part} | ({"patches": big} if whole else {})
                for name, tiles in data.items():
                    print(json.dumps(measure(encoder, name, tiles)), flush=True)
                del encoder


if __name__ == "__main__":
    main()
