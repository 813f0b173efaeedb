"""Train the mini CLIP on procedural scenes and the project's own prompts; at most 30 minutes on 2 cores.

    python tools/make_mini_vocab.py
    OMP_NUM_THREADS=1 python tools/train_mini.py

(One thread per scene worker; torch takes --threads of its own.)

Every prompt of a batch classifies every image of the batch (ten classes, several prompts each), and every
prompt is matched to all images of its class: same-class pairs are positives. Every fifth cue of a class is
kept out of training; the report at the end shows what such unseen wording gets. No real image is read.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from senbench.datasets.radiometry import render
from senbench.datasets.synthetic.scenes import CLASSES, FRESH_SEED, scene
from senbench.models.openclip import encode_cut
from senbench.prompts.load import load_prompts
from senbench.prompts.vocabulary import load_vocabulary
from senbench.schema.dataset import ClassEntry, DatasetInfo, Vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARCHITECTURE = Path(__file__).resolve().parents[1] / "senbench" / "models" / "architectures" / "mini.json"
WEIGHTS = Path(__file__).resolve().parents[1] / "senbench" / "models" / "weights"
NAME_SETS = ("clip", "senclip", "torchgeo")
STYLES = ("generic", "clip", "aerial", "ground")
HOLD_OUT = 5
MEAN, STD = (0.344, 0.380, 0.408), (0.19, 0.135, 0.115)


def tile(class_key: str, seed: int) -> NDArray[np.uint8]:
    """A scene as EuroSAT's JPEGs show it: 0..2750 DN to 1..255, 4:2:0 JPEG; uint8 (64, 64, 3)."""
    from PIL import Image

    rgb = render(scene(class_key, seed)[[3, 2, 1]], "eurosat-jpeg")
    file = io.BytesIO()
    quality = 100 if seed % 3 else int(np.random.default_rng(seed).integers(70, 100))
    Image.fromarray(rgb).save(file, "JPEG", quality=quality, subsampling=2)
    return np.asarray(Image.open(file))


def _chunk(job: tuple[str, int, int]) -> NDArray[np.uint8]:
    key, first, n = job
    return np.stack([tile(key, seed) for seed in range(first, first + n)])


def pool(per_class: int, first: int, workers: int) -> tuple[Tensor, Tensor]:
    """Render `per_class` scenes of each class: uint8 (10 n, 3, 64, 64) and labels int64."""
    step = min(250, per_class)
    jobs = [(key, first + k, min(step, per_class - k)) for key in CLASSES for k in range(0, per_class, step)]
    with ProcessPoolExecutor(workers) as executor:
        parts = list(executor.map(_chunk, jobs))
    images = torch.from_numpy(np.concatenate(parts)).permute(0, 3, 1, 2).contiguous()
    return images, torch.arange(len(CLASSES)).repeat_interleave(per_class)


def cues(vocabulary: Vocabulary, *, held_out: bool) -> Vocabulary:
    """The vocabulary with only the held-out cues, or with only the others."""

    def keep(all_cues: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(c for i, c in enumerate(all_cues) if (i % HOLD_OUT == HOLD_OUT - 1) == held_out)

    classes = tuple(
        c.model_copy(update={"ground": keep(c.ground), "aerial": keep(c.aerial)}) for c in vocabulary.classes
    )
    return vocabulary.model_copy(update={"classes": classes})


def texts(vocabulary: Vocabulary, style: str, names: str) -> list[tuple[str, ...]]:
    """Prompts of a style per class, in label order."""
    info = DatasetInfo(
        id="eurosat",
        title=vocabulary.title,
        collection="senbench-scenes",
        task="single-label",
        classes=CLASSES,
        vocabulary="eurosat",
        splits={},
        default_split="all",
        bands=("B04", "B03", "B02"),
        unit="uint8",
        tile_size=64,
        radiometry="eurosat-jpeg",
        licence="MIT",
        citation="",
    )
    rendered = load_prompts(style, info, vocabulary, names).texts
    return [rendered[key] for key in CLASSES]


class Corpus:
    """Tokenised training prompts, drawn class by class and style by style."""

    def __init__(self, vocabulary: Vocabulary, tokenizer: Any) -> None:
        seen = cues(vocabulary, held_out=False)
        self.end = tokenizer.eot_token_id
        self.tokens = [
            [
                tokenizer(sorted({t for names in NAME_SETS for t in texts(seen, style, names)[label]}))
                for style in STYLES
            ]
            for label in range(len(CLASSES))
        ]

    def draw(self, rng: np.random.Generator, per_class: int, dropout: float) -> Tensor:
        """Tokens (10 * per_class, L), class by class, with words dropped at random."""
        chosen = []
        for styles in self.tokens:
            for style in rng.choice(len(STYLES), per_class, p=[0.15, 0.1, 0.375, 0.375]):
                chosen.append(styles[style][rng.integers(len(styles[style]))])
        tokens = torch.stack(chosen)
        keep = torch.from_numpy(rng.random(tokens.shape) >= dropout)
        keep[:, 0] = True
        keep |= tokens == self.end
        order = torch.argsort((~keep).int(), dim=1, stable=True)
        tokens = torch.where(keep, tokens, 0).gather(1, order)
        return tokens[:, : int(tokens.argmax(1).max()) + 1]


def normalise(images: Tensor) -> Tensor:
    """uint8 (N, 3, 64, 64) to the model's input."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (images.float() / 255 - mean) / std


def augment(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn, flip, blur, and shift colour, contrast and noise of a uint8 batch; returns float 0..255."""
    x = images.float()
    n = len(x)
    parts = []
    for k, part in enumerate(x.chunk(8)):
        turned = torch.rot90(part, k % 4, (2, 3))
        parts.append(turned.flip(3) if k >= 4 else turned)
    x = torch.cat(parts)

    def column(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32))

    softness = column(np.clip(rng.normal(-0.1, 0.45, (n, 1, 1, 1)), -0.6, 1))
    x = x + softness * (nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False) - x)
    centre = x.mean((2, 3), keepdim=True)
    contrast = column(np.exp(rng.normal(0.08, 0.18, (n, 1, 1, 1))))
    gain = column(np.exp(rng.normal(0, 0.06, (n, 1, 1, 1))) * np.exp(rng.normal(0, 0.03, (n, 3, 1, 1))))
    offset = column(rng.normal(0, 3.5, (n, 1, 1, 1)) + rng.normal(0, 1.5, (n, 3, 1, 1)))
    x = ((x - centre) * contrast + centre) * gain + offset
    if rng.random() < 0.5:
        x = x + torch.from_numpy(rng.standard_normal((n, 1, 64, 64), dtype=np.float32)) * column(
            rng.uniform(0, 3, (n, 1, 1, 1))
        )
    return x.clamp(1, 255)


def loss_of(images: Tensor, words: Tensor, labels: Tensor, scale: Tensor, smoothing: float) -> Tensor:
    """Contrastive loss with many positives.

    Args:
        images: Unit rows (N, D).
        words: Unit rows (10 * P, D), class by class.
        labels: Class per image (N,).
        scale: Multiplier of the cosine.
        smoothing: Label smoothing of the image side.

    Returns:
        Image side: cross-entropy over classes, for each of the P prompts per class, and for their mean;
        text side: cross-entropy of each prompt against a uniform target on the images of its class.
    """
    classes, per_class = len(CLASSES), len(words) // len(CLASSES)
    logits = scale * images @ words.T
    single = logits.view(-1, classes, per_class).permute(0, 2, 1).reshape(-1, classes)
    ce = nn.functional.cross_entropy
    loss = ce(single, labels.repeat_interleave(per_class), label_smoothing=smoothing)
    centre = nn.functional.normalize(words.view(classes, per_class, -1).mean(1), dim=-1)
    loss = loss + ce(scale * images @ centre.T, labels, label_smoothing=smoothing)
    target = (torch.arange(classes).repeat_interleave(per_class)[:, None] == labels[None]).float()
    target = target / target.sum(1, keepdim=True).clamp(min=1)
    return loss + 0.3 * ce(logits.T, target)


def settle(model: Any, images: Tensor, rng: np.random.Generator) -> None:
    """Measure the batch-norm statistics of averaged weights afresh: averaged statistics do not fit them."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    model.train()
    with torch.no_grad():
        for pick in torch.from_numpy(rng.permutation(len(images))[:15000]).split(500):
            model.visual(normalise(augment(images[pick], rng)))
    model.eval()


def embed(model: Any, images: Tensor) -> Tensor:
    """Unit image rows of a uint8 tensor, in float32."""
    with torch.no_grad():
        return torch.cat([model.encode_image(normalise(b), normalize=True) for b in images.split(500)])


def classifier(model: Any, tokenizer: Any, per_class: list[tuple[str, ...]]) -> Tensor:
    """Zero-shot classifier (10, D): mean of the unit prompt rows, made unit again."""
    with torch.no_grad():
        rows = [model.encode_text(tokenizer(list(t)), normalize=True).mean(0) for t in per_class]
    return nn.functional.normalize(torch.stack(rows), dim=-1)


def _names(text: str, entry: ClassEntry) -> bool:
    return any(name.lower() in text.lower() for name in entry.names.values())


def report(model: Any, tokenizer: Any, vocabulary: Vocabulary, images: Tensor, labels: Tensor) -> None:
    """Print top-1 on fresh scenes per style, with all cues and with held-out cues alone."""
    rows = embed(model, images)
    for style in ("generic", "clip", "aerial", "ground", "mixed"):
        for what, vocab in (("all", vocabulary), ("held-out cues", cues(vocabulary, held_out=True))):
            prompts = texts(vocab, style, vocabulary.default_names)
            if what != "all":  # sentences that hold an unseen cue and not the class name
                prompts = [
                    tuple(t for t in p if any(q in t for q in (*e.ground, *e.aerial)) and not _names(t, e))
                    for p, e in zip(prompts, vocab.classes, strict=True)
                ]
            if all(prompts):
                hit = (rows @ classifier(model, tokenizer, prompts).T).argmax(1) == labels
                print(f"fresh scenes, {style}, {what}: top-1 {hit.float().mean():.4f}", flush=True)


def recalibrate(model: Any, images: Tensor) -> None:
    """Set the batch-norm statistics of averaged weights from unaugmented scenes; leaves the model in eval mode."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for module in norms:
        module.momentum = None  # cumulative average
        module.reset_running_stats()
    model.train()
    with torch.no_grad():
        for batch in images.split(500):
            model.encode_image(normalise(batch))
    model.eval()


def train(args: argparse.Namespace) -> None:
    """Make the pool, train, average, save as float16 and report."""
    import open_clip
    from open_clip.tokenizer import SimpleTokenizer
    from safetensors.torch import save_file

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    # without the instructions bfloat16 is emulated: 12 times slower than float32 on such a CPU
    fast_bf16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    rng, start = np.random.default_rng(args.seed), time.time()
    config = json.loads(ARCHITECTURE.read_text())
    tokenizer = SimpleTokenizer(str(WEIGHTS / "mini-bpe.txt.gz"), context_length=config["text_cfg"]["context_length"])
    vocabulary = load_vocabulary("eurosat")
    corpus = Corpus(vocabulary, tokenizer)
    images, labels = pool(args.scenes // len(CLASSES), 0, args.threads)
    print(f"{len(images)} scenes in {time.time() - start:.0f} s", flush=True)

    model = open_clip.CLIP(**config)
    model.visual = model.visual.to(memory_format=torch.channels_last)
    decay = [p for p in model.parameters() if p.ndim >= 2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    optimiser = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}], lr=args.lr
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.lr, args.steps, pct_start=0.08)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995), use_buffers=True
    )
    order = rng.permutation(len(images))
    at = 0
    for step in range(1, args.steps + 1):
        if at + args.batch > len(order):
            order, at = rng.permutation(len(images)), 0
        pick = torch.from_numpy(order[at : at + args.batch])
        at += args.batch
        x = normalise(augment(images[pick], rng)).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_bf16):
            seen = model.visual(x)
        read = encode_cut(model, corpus.draw(rng, 4, 0.12))
        unit = nn.functional.normalize
        loss = loss_of(
            unit(seen.float(), dim=-1), unit(read, dim=-1), labels[pick], model.logit_scale.exp(), args.smoothing
        )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, np.log(100))
        average.update_parameters(model)
        if step % 100 == 0:
            print(
                f"step {step} loss {loss.item():.3f} scale {model.logit_scale.exp().item():.1f} "
                f"{time.time() - start:.0f} s",
                flush=True,
            )

    final = average.module
    recalibrate(final, images[torch.from_numpy(rng.permutation(len(images))[:10000])])
    state = {k: v.half() if v.is_floating_point() else v for k, v in final.state_dict().items()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in state.items()}, args.out, metadata={"format": "pt"})
    # a fresh model: averaging turned the -inf of the text mask, a buffer that is not saved, into NaN
    saved = open_clip.CLIP(**config).eval()
    saved.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    digest = hashlib.sha256(args.out.read_bytes()).hexdigest()
    print(
        f"{args.out.name}: {args.out.stat().st_size} bytes, sha256 {digest}, "
        f"{sum(p.numel() for p in final.parameters())} parameters, {time.time() - start:.0f} s in all"
    )
    report(saved, tokenizer, vocabulary, *pool(100, FRESH_SEED + 500_000, args.threads))


def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=50000, help="scenes in the training pool")
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--smoothing", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=WEIGHTS / "mini.safetensors")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
