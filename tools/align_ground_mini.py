"""Make `ground-mini-aligned`: align the image tower of `ground-mini` with unlabelled pairs of tiles and ground views.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python tools/align_ground_mini.py --out runs/pair

Draws the pairs, embeds the four views of each once with the frozen `ground-mini`, and trains with `senbench.align`,
with each seed once on the pairs as they are and once on the same tiles with the views of others (the control). Prints
top-1 on 1,000 fresh scenes before and after, and R@1 on held-out pairs; `--ship` keeps the first seed's tower as the
shipped file. Labels are used for these figures only, and no real image is read.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from train_ground_mini import FIRST, MODELS, Places, places

from senbench.align.train import train
from senbench.align.training_set import TrainingSet
from senbench.datasets.open import dataset_info
from senbench.datasets.synthetic.scenes import CLASSES, FRESH_SEED
from senbench.models.load import load
from senbench.prompts import load_prompts, vocabulary_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.models.adapter import Adapter

BASE = "ground-mini"
STYLES = ("ground", "control-ground-from-above", "control-aerial-from-ground", "aerial")
"""The four styles that cross cue and frame, as in the demo."""
SCENES = FRESH_SEED + 800_000_000
"""First seed of the fresh scenes that figures are measured on."""
RECIPE: dict[str, Any] = {
    "crop": 64,
    "epochs": 3,
    "batch": 32,
    "queue": 512,
    "learning_rate": 1e-3,
    "batch_statistics": True,
    "hold_out": "random:0.05",
}
"""What differs from the recipe `senbench`: tiles of 64 pixels shown whole, and a small tower that learns fast."""


def rows_of(adapter: Adapter, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Unit rows of images, uint8 (N, 3, 64, 64)."""
    shown = images.transpose(0, 2, 3, 1)
    return np.concatenate([adapter.encode_images(list(shown[k : k + 256])) for k in range(0, len(shown), 256)])


def pairs_of(drawn: Places, photos: NDArray[np.float32], *, shuffled: int | None) -> TrainingSet:
    """Pairs of tiles with the embeddings of their views, or of another tile's.

    Args:
        drawn: The places, N.
        photos: Embeddings of their views, (4 N, D).
        shuffled: Seed of the order in which the views are given to other tiles; None: each tile has its own.
    """
    n = len(drawn.tiles)
    own = np.arange(4 * n).reshape(n, 4)
    if shuffled is not None:
        own = own[np.random.default_rng([shuffled, 5]).permutation(n)]
    unknown = np.full(n, np.nan)
    return TrainingSet(
        ids=[f"place-{k}" for k in range(n)],
        tiles=np.ascontiguousarray(drawn.tiles.transpose(0, 2, 3, 1)),
        photos=photos,
        photo_rows=own,
        latitude=unknown,
        longitude=unknown,
        facts={"drawn_by": "tools/align_ground_mini.py", "shuffled": shuffled is not None},
    )


def classifiers(adapter: Adapter) -> dict[str, NDArray[np.float32]]:
    """Style -> zero-shot classifier (10, D): means of unit prompt rows, made unit."""
    info = dataset_info("demo")
    found = {}
    for style in STYLES:
        texts = load_prompts(style, info, *vocabulary_for(info, None)).texts
        means = np.stack([adapter.encode_texts(list(texts[key])).mean(0) for key in CLASSES])
        found[style] = means / np.linalg.norm(means, axis=1, keepdims=True)
    return found


def top1(adapter: Adapter, heads: dict[str, NDArray[np.float32]], scenes: Places) -> dict[str, float]:
    """Style -> percent of the scenes' tiles that are answered rightly."""
    rows = rows_of(adapter, scenes.tiles)
    return {style: 100 * float(((rows @ head.T).argmax(1) == scenes.labels).mean()) for style, head in heads.items()}


def ship(adapter: Adapter) -> None:
    """Write the aligned tower beside the base's text tower as float16."""
    from safetensors.torch import load_file, save_file

    weights = MODELS / "weights"
    base, trained = load_file(weights / f"{BASE}.safetensors"), adapter.model.state_dict()
    state = {
        name: trained[name].half().contiguous() if name.startswith("visual.") and value.is_floating_point() else value
        for name, value in base.items()
    }
    save_file(state, weights / f"{BASE}-aligned.safetensors", metadata={"format": "pt"})


def main() -> None:
    """Draw, align, measure, and ship if asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=4000, help="places that are paired")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw scenes")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--ship", action="store_true", help="keep the first seed's tower as the shipped file")
    args = parser.parse_args()
    torch.set_num_threads(1)
    start = time.time()
    drawn = places(args.pairs // len(CLASSES), FIRST["pairs"], args.workers)
    fresh = places(100, SCENES, args.workers)
    base = load(BASE, device="cpu", offline=True)
    heads = classifiers(base)
    photos = rows_of(base, drawn.views.reshape(-1, *drawn.views.shape[2:]))
    print(f"{len(drawn.tiles)} places drawn and embedded in {time.time() - start:.0f} s", flush=True)
    print(json.dumps({"before": top1(base, heads, fresh)}), flush=True)
    for seed in range(args.seeds):
        for shuffled in (None, seed):
            began, cost = time.time(), time.process_time()
            folder = args.out / f"seed-{seed}{'' if shuffled is None else '-shuffled'}"
            done = train(pairs_of(drawn, photos, shuffled=shuffled), BASE, folder, **RECIPE, seed=seed)
            found = {
                "seed": seed,
                "shuffled": shuffled is not None,
                "top1": top1(done.adapter, heads, fresh),
                "retrieval": done.folder.epochs[-1]["retrieval"],
                "seconds": round(time.time() - began),
                "processor_seconds": round(time.process_time() - cost),
            }
            print(json.dumps(found), flush=True)
            if args.ship and seed == 0 and shuffled is None:
                ship(done.adapter)
    print(f"{time.time() - start:.0f} s in all")


if __name__ == "__main__":
    main()
