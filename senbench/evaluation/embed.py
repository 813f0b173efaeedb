"""The one place that embeds: a model's tiles and texts, under the settings of a run, for runs and studies alike."""

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
"""Share of the tiles from which on their kept rows decide the kernels: rows of a small trial do not slow a run down."""


@dataclass(frozen=True)
class Embedder:
    """A model, and how its tiles and texts are embedded.

    Attributes:
        encoder: The model.
        cache: Folder of kept embeddings; None: none are kept.
        progress: Draws progress.
        options: Batch size, what to do with tiles that cannot be decoded, and the processes that share the work.
    """

    encoder: Encoder
    cache: Path | None
    progress: Progress
    options: EmbedOptions

    @classmethod
    def of(cls, encoder: Encoder, spec: RunSpec, progress: Progress, team: Team = ALONE) -> Embedder:
        """As the settings of a run say."""
        options = EmbedOptions(spec.batch_size, spec.on_error, team=team, say=progress.say)
        return cls(encoder, Access.of(spec).cache, progress, options)

    @property
    def title(self) -> str:
        """The model's name for people."""
        return str(self.encoder.describe()["title"])

    @property
    def tile_cache(self) -> Path | None:
        """Folder of what is kept of tiles beside their embeddings; None where these are not kept."""
        return None if self.encoder.image_identity() is None else self.cache

    def texts(self, texts: Sequence[str]) -> TextEmbeddings:
        """Embed texts, each of the distinct ones once."""
        n = len(set(texts))
        with self.progress.stage(f"{self.title}: {n:,} prompts", n) as advance:
            return embed_texts(self.encoder, texts, self.cache, advance, self.progress.say)

    def images(self, tiles: Tiles, title: str = "") -> ImageEmbeddings:
        """Embed tiles; this process is the first of its team.

        Args:
            tiles: The tiles as the model takes them (`paired`).
            title: What is drawn; empty: the model, the dataset and the split.

        Raises:
            UnavailableError: A tile cannot be decoded and the run stops at such tiles, or no tile can be.
        """
        n = self.options.team.size
        together = f", {n} processes" if n > 1 else ""
        title = title or f"{self.title}: {tiles.info.id} {tiles.split} images{together}"
        with self.progress.stage(title, len(tiles)) as advance:
            found = embed_images(self.encoder, tiles, self.cache, replace(self.options, advance=advance))
        if not len(found.rows):
            raise UnavailableError(nothing_decoded(tiles.info.id, found))
        if 0 < found.encoded < len(found.rows):
            self.progress.say(f"{title}: {len(found.rows) - found.encoded:,} of them were kept from before")
        return found

    def part(self, tiles: Tiles) -> None:
        """Embed this process's part of what the first of its team embeds by `images`."""
        embed_part(self.encoder, tiles, self.cache, self.options)


def continued(encoder: LazyModel, access: Access, tiles: Sequence[Tiles], say: Callable[[str], None]) -> LazyModel:
    """A model with the kernels with which most of its rows are kept: a run that was interrupted keeps its own.

    Args:
        encoder: The model, with the kernels that are faster here.
        access: What the run may touch; kernels that it asks for are those.
        tiles: The tiles as the model takes them.
        say: Told if the kernels change.
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
    """Tiles as a model takes them: its bands, in its order or the one that a protocol prescribes.

    Args:
        tiles: The tiles.
        card: The model's contract; None: a user's object, which gets the tiles as they are.
        radiometry: Rendering of digital numbers; None: the dataset's.
        order: Bands in the order in which a model of RGB gets them, whatever its own; None: its own.

    Raises:
        UsageError: The model does not take such tiles.
    """
    if card is None:
        return tiles
    pairing = bands.pair(card, tiles.info, radiometry)
    if order is not None and not pairing.native:
        pairing = pairing._replace(bands=order)
    return tiles.paired(pairing)


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
    spec: RunSpec, cards: Sequence[ModelCard], tiles: Tiles, prompts: PromptSet, progress: Progress
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
        found = embed(spec, card, tiles, prompts, progress)
        if first is not None and first.tile_ids != found.tiles.tile_ids:
            raise UsageError("a tile could be read for one model only; mend it, or leave it out of --split FILE")
        first = found.tiles
        yield found


def embed(spec: RunSpec, card: ModelCard, tiles: Tiles, prompts: PromptSet, progress: Progress) -> Embeddings:
    """Embed tiles and prompts with the model's own preprocessing.

    Args:
        spec: Weights, device, dtype, rendering, batch size, protocol and cache.
        card: The model.
        tiles: The tiles; each must be readable.
        prompts: The prompts, in label order.
        progress: Draws progress.

    Raises:
        UsageError: The model does not take such tiles, or they do not look like Sentinel-2.
        UnavailableError: Weights, device or a tile missing or damaged.
    """
    seen = paired(tiles, card, spec.radiometry, protocols.find(spec.protocol).on(tiles.info).bands)
    pixels.checked(seen, spec, progress)
    access = Access.of(spec)
    encoder = lazy_model.of(card, access, path="exact" if spec.exact else None, say=progress.say)
    encoder = continued(encoder, access, [seen], progress.say)
    embedder = Embedder.of(encoder, spec, progress)
    rows = embedder.texts(prompts.lines).rows
    images = embedder.images(seen)
    return Embeddings(
        embedder.encoder.describe(),
        images.rows,
        seen.take(images.positions),
        np.stack([rows[text] for text in prompts.lines]),
        np.array(prompts.line_class),
    )
