"""Embeds a model's tiles and texts with the settings of a run; used by all runs and studies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench import protocols
from senbench.datasets import bands
from senbench.embedding.engine import TextEmbeddings, embed_images, embed_part, embed_texts, nothing_decoded
from senbench.embedding.image_pass import EmbedOptions, ImageEmbeddings
from senbench.embedding.kept_share import kept_share
from senbench.errors import UnavailableError, UsageError
from senbench.evaluation import pixels
from senbench.models import kernels, lazy_model
from senbench.runtime.access import Access
from senbench.runtime.distributed import ALONE, Team

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.models.encoder import Encoder
    from senbench.models.lazy_model import LazyModel
    from senbench.runtime.progress import Progress
    from senbench.schema.model_card import ModelCard
    from senbench.schema.prompt_set import PromptSet
    from senbench.schema.run_spec import RunSpec
    from senbench.schema.terms import Kernels

BEGUN = 0.05
"""Share of cached rows from which they determine the kernels, so that a small trial does not slow a run down."""


@dataclass(frozen=True)
class Embedder:
    """A model with the settings of embedding.

    Attributes:
        encoder: The model.
        cache: Folder of the embedding cache; None for no cache.
        progress: Displays progress.
        options: Batch size, what to do with tiles that cannot be decoded, and the processes that share the work.
    """

    encoder: Encoder
    cache: Path | None
    progress: Progress
    options: EmbedOptions

    @classmethod
    def of(cls, encoder: Encoder, spec: RunSpec, progress: Progress, team: Team = ALONE) -> Embedder:
        """Make an embedder from the settings of a run."""
        options = EmbedOptions(spec.batch_size, spec.on_error, team=team, say=progress.say)
        return cls(encoder, Access.of(spec).cache, progress, options)

    @property
    def title(self) -> str:
        """Return the display name of the model."""
        return str(self.encoder.describe()["title"])

    @property
    def tile_cache(self) -> Path | None:
        """Return the folder of the side caches of tiles; None if embeddings are not cached."""
        return None if self.encoder.image_identity() is None else self.cache

    def texts(self, texts: Sequence[str]) -> TextEmbeddings:
        """Embed each distinct text once."""
        n = len(set(texts))
        with self.progress.stage(f"{self.title}: {n:,} prompts", n) as advance:
            return embed_texts(self.encoder, texts, self.cache, advance, self.progress.say)

    def images(self, tiles: Tiles, title: str = "") -> ImageEmbeddings:
        """Embed tiles; this process is the first of its team.

        Args:
            tiles: The tiles in the model's bands and unit (`paired`).
            title: Title of the progress; empty for model, dataset and split.

        Raises:
            UnavailableError: A tile cannot be decoded and the run stops at such tiles, or none can be decoded.
        """
        n = self.options.team.size
        together = f", {n} processes" if n > 1 else ""
        title = title or f"{self.title}: {tiles.info.id} {tiles.split} images{together}"
        with self.progress.stage(title, len(tiles)) as advance:
            embedded = embed_images(self.encoder, tiles, self.cache, replace(self.options, advance=advance))
        if not len(embedded.rows):
            raise UnavailableError(nothing_decoded(tiles.info.id, embedded))
        if 0 < embedded.encoded < len(embedded.rows):
            self.progress.say(f"{title}: {len(embedded.rows) - embedded.encoded:,} of them were kept from before")
        return embedded

    def part(self, tiles: Tiles) -> None:
        """Embed this process's part of the tiles that the first process of its team embeds by `images`."""
        embed_part(self.encoder, tiles, self.cache, self.options)


def continued(encoder: LazyModel, access: Access, tiles: Sequence[Tiles], say: Callable[[str], None]) -> LazyModel:
    """Return a model with the kernels that made most of its cached rows, so that an interrupted run keeps its kernels.

    Args:
        encoder: The model, with the kernels that are faster on this machine.
        access: Access of the run; explicitly requested kernels are kept.
        tiles: The tiles in the model's bands and unit.
        say: Called with a message if the kernels change.
    """
    settings, cache = encoder.image_identity(), access.cache
    if access.kernels != "auto" or encoder.kernels is None or settings is None or cache is None:
        return encoder
    if encoder.device.type != "cpu":
        return encoder
    other: Kernels = "torch" if encoder.kernels == "onednn" else "onednn"
    share = kept_share(kernels.with_kernels(settings, other), tiles, cache)
    if share < BEGUN or share <= kept_share(settings, tiles, cache):
        return encoder
    say(f"{encoder.card.title}: goes on with the {other} kernels, by which {share:.0%} of the tiles were embedded")
    return encoder.multiplied_by(other)


def paired(tiles: Tiles, card: ModelCard | None, radiometry: str | None, order: tuple[str, ...] | None) -> Tiles:
    """Return tiles with the bands of a model, in its order or the one that a protocol prescribes.

    Args:
        tiles: The tiles.
        card: The model's contract; None for a user's object, which gets the tiles unchanged.
        radiometry: Rendering of digital numbers; None for the dataset's.
        order: Band order for an RGB model, overriding its own; None for its own.

    Raises:
        UsageError: The model cannot process such tiles.
    """
    if card is None:
        return tiles
    pairing = bands.pair(card, tiles.info, radiometry)
    if order is not None and not pairing.native:
        pairing = pairing._replace(bands=order)
    return tiles.paired(pairing)


@dataclass(frozen=True)
class Embeddings:
    """One model's embeddings of tiles and texts.

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
    spec: RunSpec, cards: Sequence[ModelCard], tiles: Tiles, prompts: PromptSet, progress: Progress
) -> Iterator[Embeddings]:
    """`embed` for every model in turn, on the same tiles.

    Raises:
        UsageError: As `embed`; or there is no model, or the models could not read the same tiles.
        UnavailableError: As `embed`.
    """
    if not cards:
        raise UsageError("--model is missing")
    first: Tiles | None = None
    for card in cards:
        embeddings = embed(spec, card, tiles, prompts, progress)
        if first is not None and first.tile_ids != embeddings.tiles.tile_ids:
            raise UsageError("a tile could be read for one model only; repair it, or leave it out of --split FILE")
        first = embeddings.tiles
        yield embeddings


def embed(spec: RunSpec, card: ModelCard, tiles: Tiles, prompts: PromptSet, progress: Progress) -> Embeddings:
    """Embed tiles and prompts with the model's own preprocessing.

    Args:
        spec: Weights, device, dtype, rendering, batch size, protocol and cache.
        card: The model.
        tiles: The tiles; each must be readable.
        prompts: The prompts, in label order.
        progress: Displays progress.

    Raises:
        UsageError: The model cannot process such tiles, or they do not look like Sentinel-2.
        UnavailableError: Weights, device or a tile is missing or damaged.
    """
    rendered = paired(tiles, card, spec.radiometry, protocols.find(spec.protocol).on(tiles.info).bands)
    pixels.checked(rendered, spec, progress)
    access = Access.of(spec)
    encoder = lazy_model.of(card, access, path="exact" if spec.exact else None, say=progress.say)
    encoder = continued(encoder, access, [rendered], progress.say)
    embedder = Embedder.of(encoder, spec, progress)
    rows = embedder.texts(prompts.lines).rows
    images = embedder.images(rendered)
    return Embeddings(
        embedder.encoder.describe(),
        images.rows,
        rendered.take(images.positions),
        np.stack([rows[text] for text in prompts.lines]),
        np.array(prompts.line_class),
    )
