"""Rate of short prompts cut at their end against all 77 tokens, ViT-B/32's text tower with random weights, on the CPU.

Run with `python benchmarks/bench_text_tower.py`. The prompts are those of the style `ground-short` (9 to 23 tokens),
again from the first until there are 510. CPU seconds of both, interleaved, median of the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import save_file

from senbench.datasets.open import dataset_info
from senbench.models import architectures, load, registry
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.prompts.load import load_prompts
from senbench.prompts.vocabulary import vocabulary_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.models.encoder import TextEncoder

PROMPTS = 510


def tower(folder: Path) -> TextEncoder:
    """ViT-B/32's text tower from a file of random weights."""
    card = registry.find("clip-vit-b-32").model_copy(update={"layout": None})
    generator = torch.Generator().manual_seed(0)
    model = architectures.empty(architectures.config(card))
    architectures.drop_images(model)
    shapes = architectures.shapes(model)
    save_file(
        {key: 0.02 * torch.randn(shape, generator=generator) for key, shape in shapes.items()}, folder / "w.safetensors"
    )
    return load.texts_from_file(Checkpoint(card, folder / "w.safetensors", "0" * 64, "cpu"))


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    info = dataset_info("eurosat-rgb")
    vocabulary, names = vocabulary_for(info, "senclip")
    lines = [text for texts in load_prompts("ground-short", info, vocabulary, names).texts.values() for text in texts]
    texts = (lines * PROMPTS)[:PROMPTS]

    def whole_context(lines: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        tokens = encoder._tokenizer.tokenize(lines)
        return tokens, np.full(len(tokens), tokens.shape[1])

    ratios, rates = [], []
    with tempfile.TemporaryDirectory() as folder:
        encoder = tower(Path(folder))
        encoder.encode_texts(texts[:64])
        as_it_is = encoder._tokenize
        for _ in range(rounds):
            spent = []
            for tokenize in (as_it_is, whole_context):
                encoder._tokenize = tokenize
                began = time.process_time()
                encoder.encode_texts(texts)
                spent.append(time.process_time() - began)
            ratios.append(spent[1] / spent[0])
            rates.append([PROMPTS / seconds for seconds in spent])
    cut, whole = (statistics.median(one) for one in zip(*rates, strict=True))
    print(f"{PROMPTS} prompts: {cut:.0f} a CPU second cut at their end, {whole:.1f} at 77 tokens")
    print(f"{statistics.median(ratios):.1f} times the rate ({min(ratios):.1f} to {max(ratios):.1f})")


if __name__ == "__main__":
    main()
