"""CPU time of an alignment's steps against the release's loop on the same tiles, and the memory of a large set.

    python benchmarks/bench_align.py steps             # ViT-B/32, batches of 16, one thread
    python benchmarks/bench_align.py memory            # 235,000 tiles and 900,000 embeddings, generated; `mini`

The release's loop is transcribed from its description: each tile is read by rasterio, stretched between its least and
largest value, cut, resized, changed by RandAugment and normalised by itself; the whole image tower is trained, and
every token of it computed. Embeddings of photos are kept in both. CPU seconds, the least of some steps.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from senbench.align import augmentation, recipe
from senbench.align.learner import Learner
from senbench.align.training_set import StoredRows, TrainingSet
from senbench.models.clip.vit import CLIP, QuickGELU, VisionConfig, VisionTransformer
from senbench.models.registry import find

BATCH, DIM, QUEUE, SIDE = 16, 512, 512, 100


def tower() -> VisionTransformer:
    """The image tower of ViT-B/32, its values drawn."""
    torch.manual_seed(0)
    sizes = VisionConfig(image_size=224, patch_size=32, width=768, layers=12)
    made = VisionTransformer(sizes, DIM, QuickGELU)
    with torch.no_grad():
        for name, value in made.named_parameters():
            if value.ndim > 1 or name in ("class_embedding", "proj"):
                value.normal_(0, 0.02)
    return made


def tiles(folder: Path) -> list[Path]:
    """A batch of GeoTIFFs, 100 x 100 digital numbers of three bands."""
    import rasterio

    rng, paths = np.random.default_rng(0), []
    for i in range(BATCH):
        values = rng.integers(200, 3000, (3, SIDE, SIDE)).astype(np.uint16)
        paths.append(folder / f"{i}.tif")
        form = {"driver": "GTiff", "height": SIDE, "width": SIDE, "count": 3, "dtype": "uint16"}
        with rasterio.open(paths[-1], "w", **form) as file:
            file.write(values)
    return paths


def cpu_seconds(step: object, repeats: int) -> float:
    """CPU time of one call, the least of some after the first."""
    step()
    found = []
    for _ in range(repeats):
        start = time.process_time()
        step()
        found.append(time.process_time() - start)
    return min(found)


def of_the_release(paths: list[Path], photos: torch.Tensor) -> tuple[object, object]:
    """Loading a batch, and a step, as the release does it."""
    import rasterio
    from torchvision.transforms import CenterCrop, RandAugment, Resize

    visual = tower().requires_grad_()
    first, second, norm = nn.Linear(DIM, DIM), nn.Linear(DIM, DIM), nn.LayerNorm(DIM)
    for layer in (first, second):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
    every = [*visual.parameters(), *first.parameters(), *second.parameters(), *norm.parameters(), scale]
    optimiser = torch.optim.AdamW(every, lr=1e-5, weight_decay=0.01)
    crop, resize, change = CenterCrop(32), Resize(224, antialias=True), RandAugment(3, 5)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (augmentation.SENCLIP["mean"], augmentation.SENCLIP["std"]))
    queue = nn.functional.normalize(torch.randn(QUEUE, DIM), dim=1)

    def load() -> torch.Tensor:
        made = []
        for path in paths:
            with rasterio.open(path) as file:
                values = file.read([3, 2, 1]).astype(np.float32)
            values = (values - values.min()) / (values.max() - values.min()) * 255
            image = torch.from_numpy(values.astype(np.uint8))
            made.append((change(resize(crop(image))).float() / 255 - mean) / std)
        return torch.stack(made)

    def step() -> None:
        with torch.no_grad():
            scale.clamp_(0, 4.6052)
        optimiser.zero_grad()
        features = visual(load())
        lifted = first(features)
        dropped = nn.functional.dropout(second(nn.functional.gelu(lifted)), 0.1)
        s = nn.functional.normalize(norm(features + lifted + dropped), dim=1)
        g = nn.functional.normalize(photos.mean(1), dim=1)
        logits = scale.exp() * torch.cat([(s * g).sum(1, keepdim=True), s @ queue.T], dim=1)
        nn.functional.cross_entropy(logits, torch.zeros(BATCH, dtype=torch.long)).backward()
        optimiser.step()

    return load, step


def of_ours(packed: np.ndarray, photos: torch.Tensor, **changes: object) -> tuple[object, object]:
    """Loading a batch, and a step, of a recipe."""
    text = {"context_length": 8, "vocab_size": 32, "width": 16, "heads": 2, "layers": 1}
    made = recipe.named("senbench", convolutional=False, batch=BATCH, micro_batches=1, **changes)
    learner = Learner(CLIP(DIM, text, QuickGELU, tower()), made, DIM)
    how = find("clip-vit-b-32").preprocess
    there = torch.ones(BATCH, 4, dtype=torch.bool)

    def load() -> torch.Tensor:
        return augmentation.pixels(packed, how, made, [learner.done])

    return load, lambda: learner.step(load(), photos, there, epoch=0)


def steps(repeats: int) -> None:
    """Print CPU seconds and ratios."""
    torch.set_num_threads(1)
    photos = torch.randn(BATCH, 4, DIM)
    with tempfile.TemporaryDirectory() as name:
        load, step = of_the_release(tiles(Path(name)), photos)
        loader, release = cpu_seconds(load, 5 * repeats), cpu_seconds(step, repeats)
    print(f"release, whole tower      {release:.2f} s a step of {BATCH}; loader {1000 * loader / BATCH:.2f} ms a tile")
    packed = np.random.default_rng(0).integers(0, 255, (BATCH, 32, 32, 3)).astype(np.uint8)
    for name, changes in (
        ("senbench, last block", {}),
        ("senbench, whole tower", {"train": ("visual",)}),
        ("  with the head", {"train": ("visual",), "head": True}),
    ):
        load, step = of_ours(packed, photos, **changes)
        loader, own = cpu_seconds(load, 5 * repeats), cpu_seconds(step, repeats)
        print(f"{name:<25} {own:.2f} s, {own / release:.2f} x; loader {1000 * loader / BATCH:.2f} ms a tile")
        del load, step


def memory(points: int, photos: int, steps_made: int) -> None:
    """Print the largest resident size of a process that trains on a large generated set."""
    from senbench.align.train import train
    from senbench.models.load import load

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    load("mini", device="cpu", kernels="torch")
    model = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, shape, kind in (("t.npy", (points, 32, 32, 3), np.uint8), ("g.npy", (photos, 512), np.float16)):
            made = np.lib.format.open_memmap(folder / file, "w+", kind, shape)
            for start in range(0, shape[0], 10_000):
                part = made[start : start + 10_000]
                part[:] = rng.integers(1, 255, part.shape, np.uint8)
            made.flush()
            del made, part
        card = find("mini")
        rows = (np.arange(points * 4) % photos).reshape(points, 4).astype(np.int32)
        data = TrainingSet(
            ids=[f"{k:08d}" for k in range(points)],
            tiles=StoredRows(folder / "t.npy", "t"),
            photos=Narrow(StoredRows(folder / "g.npy", "g"), card.embed_dim),
            photo_rows=rows,
            latitude=rng.uniform(36, 70, points),
            longitude=rng.uniform(-9, 32, points),
        )
        before = time.process_time()
        print(f"{points:,} tiles, {photos:,} embeddings; a process with torch and the model: {model:,.0f} MB")
        trial = _Trial(steps_made)
        with contextlib.suppress(KeyboardInterrupt):
            train(data, card, folder / "run", surroundings=trial.where, epochs=1, hold_out="spatial:0.05", batch=64)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"after {trial.made} steps of 64: at most {most:,.0f} MB ({time.process_time() - before:.0f} CPU s)")


class Narrow:
    """The first values of each of many stored rows: embeddings as wide as a small base's, files as large as CLIP's."""

    def __init__(self, rows: StoredRows, dim: int) -> None:
        self.rows, self.shape, self.dtype = rows, (rows.shape[0], dim), rows.dtype

    def __getitem__(self, rows: object) -> np.ndarray:
        return self.rows[rows][:, : self.shape[1]]


class _Trial:
    """Progress that ends a run after some steps."""

    def __init__(self, most: int) -> None:
        from senbench.align.train import Surroundings

        self.made, trial = 0, self

        class Counts:
            def say(self, line: str) -> None:
                print(line)

            @contextlib.contextmanager
            def stage(self, title: str, total: int):
                def advance(done: int) -> None:
                    trial.made += 1
                    if trial.made >= most:
                        raise KeyboardInterrupt

                yield advance

        self.where = Surroundings(progress=Counts())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["steps", "memory"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--points", type=int, default=235_000)
    parser.add_argument("--photos", type=int, default=900_000)
    parser.add_argument("--steps", type=int, default=200)
    given = parser.parse_args()
    if given.what == "steps":
        steps(given.repeats)
    else:
        memory(given.points, given.photos, given.steps)
