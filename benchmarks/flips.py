"""Answers that differ between the kernels chosen here and torch's, over a whole data set; once, by hand.

    uv run python benchmarks/flips.py EuroSAT.zip [--tiles 27000] [--checked 500]

ViT-B/32 with generated weights, four prompt sets. All tiles go through the chosen kernels; through torch's, which take
twice the time, go some tiles at random and all whose margin (best score less second) is below 20 times the largest
difference of a score on those: no other answer can differ unless a score moved ten times as far as any that was
compared. Rows are kept in `.benchmarks/flips.npy` as they are made, so that it goes on where it was ended.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from senbench.datasets.open import open_dataset
from senbench.models.load import load
from senbench.prompts.load import load_prompts
from senbench.prompts.vocabulary import vocabulary_for
from senbench.scoring.classifier import class_scores

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))
STYLES = ("ground", "aerial", "ground-short", "clip")
KEPT = Path(".benchmarks/flips.npy")


def main() -> None:
    """Embed, compare and print."""
    import checkpoints

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive")
    parser.add_argument("--tiles", type=int, default=27_000)
    parser.add_argument("--checked", type=int, default=500)
    options = parser.parse_args()
    torch.set_num_threads(1)  # waiting threads would take what others on the machine could use
    tiles = open_dataset("eurosat-rgb", split="all", data_dir=options.archive, offline=True)
    order = np.random.default_rng(0).permutation(len(tiles))[: options.tiles]
    with tempfile.TemporaryDirectory() as folder:
        file = checkpoints.write(Path(folder) / "w.pt", checkpoints.state_dict("openai-vit-b-32", images=2))
        mine, plain = (load("clip-vit-b-32", file=str(file), device="cpu", kernels=k) for k in ("onednn", "torch"))
    vocabulary, names = vocabulary_for(tiles.info, "senclip")
    sets = []
    for style in STYLES:
        prompts = load_prompts(style, tiles.info, vocabulary, names).texts
        owner = np.repeat(np.arange(len(prompts)), [len(texts) for texts in prompts.values()])
        lines = [text for texts in prompts.values() for text in texts]
        sets.append((owner, mine.encode_texts(lines), plain.encode_texts(lines)))

    def scores(rows: np.ndarray, which: int) -> np.ndarray:
        """(styles, N, C)."""
        return np.stack([class_scores(rows, one[1 + which], one[0], len(names)) for one in sets])

    def rows(model: object, chosen: np.ndarray) -> np.ndarray:
        return np.concatenate([model.encode_images([tiles.read(i) for i in part]) for part in _parts(chosen)])

    KEPT.parent.mkdir(exist_ok=True)
    found = np.load(KEPT) if KEPT.exists() else np.zeros((0, mine.embed_dim), np.float32)
    for part in _parts(order[len(found) :]):
        found = np.concatenate([found, rows(mine, part)])
        if len(found) % 512 == 0 or len(found) == len(order):
            np.save(KEPT, found)
    some = np.arange(min(options.checked, len(order)))
    difference = float(np.abs(scores(found[some], 0) - scores(rows(plain, order[some]), 1)).max())
    ours = scores(found, 0)
    best = np.sort(ours, axis=2)
    near = np.nonzero(((best[..., -1] - best[..., -2]) < 20 * difference).any(axis=0))[0]
    again = np.union1d(near, some)
    theirs = scores(rows(plain, order[again]), 1)
    moved = np.abs(ours[:, again] - theirs).max()
    flips = int((ours[:, again].argmax(axis=2) != theirs.argmax(axis=2)).sum())
    print(f"{len(order):,} tiles x {len(STYLES)} prompt sets by {mine.kernels}: {flips} answers differ from torch's")
    print(
        f"{len(again):,} tiles went through both; of these {len(near):,} for their margin below {20 * difference:.1e}"
    )
    print(f"largest difference of a score: {moved:.1e}")


def _parts(chosen: np.ndarray, size: int = 32) -> list[np.ndarray]:
    return [chosen[k : k + size] for k in range(0, len(chosen), size)]


if __name__ == "__main__":
    main()
