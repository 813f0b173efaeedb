"""Train `ground-mini`: a small CLIP of procedural ground views and their captions.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python tools/train_ground_mini.py

Each step matches 256 views with one caption of each, drawn anew; which view a caption belongs to is all that the loss
knows. Neither tower sees a tile, and no class label is used: the classes only say what is drawn.
`tools/align_ground_mini.py` then makes the twin that reads tiles.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from senbench.datasets.radiometry import render
from senbench.datasets.synthetic.ground_captions import caption
from senbench.datasets.synthetic.ground_views import look
from senbench.datasets.synthetic.scenes import CLASSES, acquired, painted
from senbench.models.openclip import encode_cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODELS = Path(__file__).resolve().parents[1] / "senbench" / "models"
MEAN, STD = (0.48, 0.49, 0.47), (0.25, 0.24, 0.26)
CAPTIONS = 6
"""Captions written for each view; a step draws one."""
FIRST = {"ground": 10_000_000, "pairs": 20_000_000, "held-out": 30_000_000}
"""First seed of each part; `mini` was trained on seeds below 5,000, and evaluated scenes start at FRESH_SEED."""


class Places(NamedTuple):
    """Scenes as tiles and ground views.

    Attributes:
        tiles: uint8 (N, 3, 64, 64).
        views: uint8 (N, 4, 3, 64, 64).
        captions: Per scene and view, CAPTIONS texts.
        labels: Class of each scene, int64 (N,): for figures, never for training.
    """

    tiles: NDArray[np.uint8]
    views: NDArray[np.uint8]
    captions: list[list[list[str]]]
    labels: NDArray[np.int64]


def _chunk(job: tuple[str, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[list[list[str]]]]:
    key, first, n = job
    tiles, photos, texts = [], [], []
    for seed in range(first, first + n):
        canvas = painted(key, seed)
        four = look(canvas, key, seed)
        rng = np.random.default_rng([seed, 1])
        tiles.append(render(acquired(canvas)[[3, 2, 1]], "eurosat-jpeg"))
        photos.append(np.stack([view.pixels for view in four]))
        texts.append([[caption(key, view, rng) for _ in range(CAPTIONS)] for view in four])
    return np.stack(tiles), np.stack(photos), texts


def places(per_class: int, first: int, workers: int) -> Places:
    """Draw `per_class` scenes of each class, class by class."""
    step = min(100, per_class)
    jobs = [(key, first + k, min(step, per_class - k)) for key in CLASSES for k in range(0, per_class, step)]
    with ProcessPoolExecutor(workers) as executor:
        parts = list(executor.map(_chunk, jobs))
    return Places(
        np.ascontiguousarray(np.concatenate([p[0] for p in parts]).transpose(0, 3, 1, 2)),
        np.ascontiguousarray(np.concatenate([p[1] for p in parts]).transpose(0, 1, 4, 2, 3)),
        [texts for p in parts for texts in p[2]],
        np.repeat(np.arange(len(CLASSES)), per_class),
    )


def normalise(images: Tensor) -> Tensor:
    """uint8 (N, 3, 64, 64) to the model's input."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (images.float() / 255 - mean) / std


def augment(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirror half of the views, shift them, and change brightness and colour; returns float 0..255."""
    x = images.float()
    n = len(x)
    mirrored = torch.from_numpy(rng.random(n) < 0.5)
    x[mirrored] = x[mirrored].flip(3)
    x = torch.roll(x, tuple(int(k) for k in rng.integers(-3, 4, 2)), (2, 3))
    gain = np.exp(rng.normal(0, 0.12, (n, 1, 1, 1)) + rng.normal(0, 0.04, (n, 3, 1, 1)))
    return (x * torch.from_numpy(gain.astype(np.float32))).clamp(0, 255)


def tokenizer_of(config: dict[str, Any]) -> Any:
    """The byte-pair tokenizer of `mini`."""
    from open_clip.tokenizer import SimpleTokenizer

    length = config["text_cfg"]["context_length"]
    return SimpleTokenizer(str(MODELS / "weights" / "mini-bpe.txt.gz"), context_length=length)


def recalibrate(model: Any, images: Tensor) -> None:
    """Set the batch-norm statistics of averaged weights from plain views; leaves the model in eval mode."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # cumulative average
            module.reset_running_stats()
    model.train()
    with torch.no_grad():
        for batch in images.split(500):
            model.encode_image(normalise(batch))
    model.eval()


def matched(images: Tensor, words: Tensor, scale: Tensor) -> Tensor:
    """CLIP's loss: cross-entropy of each view over the captions of the batch, and of each caption over the views."""
    logits = scale * images @ words.T
    target = torch.arange(len(logits))
    ce = nn.functional.cross_entropy
    return (ce(logits, target) + ce(logits.T, target)) / 2


def train(args: argparse.Namespace) -> None:
    """Draw the views, train, average, save as float16."""
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    rng, start = np.random.default_rng(args.seed), time.time()
    config = json.loads((MODELS / "architectures" / "mini.json").read_text())
    tokenizer = tokenizer_of(config)
    drawn = places(args.scenes // len(CLASSES), FIRST["ground"], args.workers)
    views = torch.from_numpy(drawn.views).flatten(0, 1)
    texts = [t for scene in drawn.captions for view in scene for t in view]
    tokens = tokenizer(texts).view(len(views), CAPTIONS, -1)[..., :48]
    print(f"{len(views)} views in {time.time() - start:.0f} s; {len(set(texts))} different captions", flush=True)

    model = open_clip.CLIP(**config)
    model.visual = model.visual.to(memory_format=torch.channels_last)
    decay = [p for p in model.parameters() if p.ndim >= 2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=args.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.lr, args.steps, pct_start=0.1)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99), use_buffers=True
    )
    unit = nn.functional.normalize
    order, at = torch.from_numpy(rng.permutation(len(views))), 0
    for step in range(1, args.steps + 1):
        if at + args.batch > len(order):
            order, at = torch.from_numpy(rng.permutation(len(views))), 0
        pick = order[at : at + args.batch]
        at += args.batch
        x = normalise(augment(views[pick], rng)).contiguous(memory_format=torch.channels_last)
        said = tokens[pick, torch.from_numpy(rng.integers(CAPTIONS, size=len(pick)))]
        said = said[:, : int(said.argmax(1).max()) + 1]
        seen, read = model.visual(x), encode_cut(model, said)
        loss = matched(unit(seen, dim=-1), unit(read, dim=-1), model.logit_scale.exp())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, np.log(100))
        average.update_parameters(model)
        if step % 50 == 0:
            spent = time.time() - start
            print(
                f"step {step} loss {loss.item():.3f} scale {model.logit_scale.exp().item():.1f} {spent:.0f} s",
                flush=True,
            )

    final = average.module
    recalibrate(final, views[torch.from_numpy(rng.permutation(len(views))[:10000])])
    state = {k: v.half() if v.is_floating_point() else v for k, v in final.state_dict().items()}
    save_file({k: v.contiguous() for k, v in state.items()}, args.out, metadata={"format": "pt"})
    digest = hashlib.sha256(args.out.read_bytes()).hexdigest()
    count = sum(p.numel() for p in final.parameters())
    print(f"{args.out.name}: {args.out.stat().st_size} bytes, sha256 {digest}, {count} parameters")
    print(f"{time.time() - start:.0f} s in all, {time.process_time():.0f} s of processor time in this process")


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=6000, help="scenes, with four views each")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1, help="of torch; one is the cheapest")
    parser.add_argument("--workers", type=int, default=2, help="processes that draw scenes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=MODELS / "weights" / "ground-mini.safetensors")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
