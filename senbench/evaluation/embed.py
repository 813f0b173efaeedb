"""Tiles and texts embedded by one model, for what works on embeddings instead of results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets import bands
from senbench.embedding.engine import embed_images, embed_texts, nothing_decoded
from senbench.errors import UnavailableError, UsageError
from senbench.models import lazy_model
from senbench.runtime.access import Access
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.runtime.progress import Progress
    from senbench.schema.model_card import ModelCard
    from senbench.schema.prompt_set import PromptSet
    from senbench.schema.run_spec import RunSpec


@dataclass(frozen=True)
class Embeddings:
    """What one model makes of tiles and texts.

    Attributes:
        model: The model's description, with `weights_sha256`.
        images: float32 (N, D), one row per tile of `tiles`.
        tiles: The tiles that could be read.
        texts: One row per prompt, class by class, raw, float32 (P, D).
        text_class: Class of each prompt, ascending, (P,).
    """

    model: dict[str, Any]
    images: NDArray[np.float32]
    tiles: Tiles
    texts: NDArray[np.float32]
    text_class: NDArray[np.int64]


def embed_each(
    spec: RunSpec, cards: Sequence[ModelCard], tiles: Tiles, prompts: PromptSet, draw: Progress
) -> Iterator[Embeddings]:
    """`embed` for every model in turn, on the same tiles.

    Raises:
        UsageError: As `embed`; there is no model, or the models could not read the same tiles.
        UnavailableError: As `embed`.
    """
    if not cards:
        raise UsageError("--model is missing")
    first: Tiles | None = None
    for card in cards:
        found = embed(spec, card, tiles, prompts, draw)
        if first is not None and first.tile_ids != found.tiles.tile_ids:
            raise UsageError("a tile could be read for one model only; mend it, or leave it out of --split FILE")
        first = found.tiles
        yield found


def embed(spec: RunSpec, card: ModelCard, tiles: Tiles, prompts: PromptSet, draw: Progress) -> Embeddings:
    """Embed through the engine and its cache, with the model's own preprocessing.

    Args:
        spec: Weights, device, dtype, rendering, batch size and cache.
        card: The model.
        tiles: The tiles; each must be readable.
        prompts: The prompts, in label order.
        draw: Progress.

    Raises:
        UsageError: The model does not take such tiles.
        UnavailableError: Weights, device or a tile missing or damaged.
    """
    texts = [text for own in prompts.texts.values() for text in own]
    text_class = np.repeat(np.arange(len(prompts.texts)), [len(own) for own in prompts.texts.values()])
    seen = tiles.paired(bands.pair(card, tiles.info, spec.radiometry))
    encoder = lazy_model.of(card, Access.of(spec), path="exact" if spec.exact else None, say=draw.say)
    cache = home() / "cache" if spec.cache else None
    with draw.stage(f"{card.title}: {len(set(texts)):,} prompts", len(set(texts))) as advance:
        rows, _ = embed_texts(encoder, texts, cache, advance, draw.say)
    with draw.stage(f"{card.title}: {tiles.info.id} {tiles.split} images", len(seen)) as advance:
        images = embed_images(
            encoder,
            seen,
            cache,
            batch_size=spec.batch_size,
            on_error=spec.on_error,
            advance=advance,
            say=draw.say,
        )
    if not len(images.rows):
        raise UnavailableError(nothing_decoded(tiles.info.id, images))
    return Embeddings(
        encoder.describe(),
        images.rows,
        seen.take(images.positions),
        np.stack([rows[text] for text in texts]),
        text_class,
    )
