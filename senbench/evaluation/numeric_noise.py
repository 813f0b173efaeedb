"""Numeric noise of a run: the same tiles and prompts embedded again with settings that should not matter.

Every repetition is encoded without the cache, including the reference, since cached rows may come from other batches.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets.tiles import stratified
from senbench.errors import SenbenchError
from senbench.runtime.distributed import ALONE
from senbench.runtime.progress import Silent
from senbench.schema.result import Noise, NoiseVariant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.embedding.image_pass import ImageEmbeddings
    from senbench.evaluation.embed import Embedder
    from senbench.models.encoder import Encoder
    from senbench.schema.terms import Dtype, Kernels, PixelPath
    from senbench.scoring.figures import Outcome

SAME = "same again"
"""Name of the repetition with unchanged settings."""


@dataclass(frozen=True)
class Repetition:
    """Embeddings of one repetition.

    Attributes:
        texts: Text -> raw row, float32 (D,).
        images: Unit rows, float32 (M, D).
    """

    texts: Mapping[str, NDArray[np.float32]]
    images: NDArray[np.float32]


@dataclass(frozen=True)
class Repeats:
    """All repetitions of one model on one dataset.

    Attributes:
        positions: Positions of the repeated tiles among the evaluated ones, (M,).
        settings: Description of the reference's settings.
        reference: The reference.
        precision: The run's own dtype.
        variants: Name -> its dtype and embeddings.
        left_out: Name -> why this variant was not possible.
    """

    positions: NDArray[np.int64]
    settings: str
    reference: Repetition
    precision: str
    variants: dict[str, tuple[str, Repetition]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


class _Variant(NamedTuple):
    name: str
    dtype: str
    encoder: Callable[[], Encoder | None]
    batch_size: int


def repeat(embedder: Embedder, tiles: Tiles, texts: Sequence[str], n: int, seed: int) -> Repeats:
    """Embed a class-stratified subset of the tiles, and all prompts, once per variant.

    The variants are batch sizes 1, 7 and half of the run's; for a model with a card also the other precisions of the
    device, the other resizing (PIL on the host, or on the device), and on a CPU the other kernels.

    Args:
        embedder: The model with the run's settings of embedding.
        tiles: The evaluated tiles.
        texts: The prompts.
        n: Number of tiles.
        seed: Seed of the subset.

    Returns:
        The repetitions.

    Raises:
        UnavailableError: A tile cannot be decoded, with `on_error="stop"`.
    """
    view = tiles.take(chosen := stratified(tiles.tile_labels, n, seed))
    encoder = embedder.encoder
    size = min(embedder.options.batch_size or encoder.batch_size, len(view))

    def embedded(name: str, model: Encoder, batch: int) -> tuple[Repetition, ImageEmbeddings]:
        options = replace(embedder.options, batch_size=batch, team=ALONE)
        again = replace(embedder, encoder=model, cache=None, options=options)
        images = again.images(view, f"noise: {name}")
        return Repetition(replace(again, progress=Silent()).texts(texts).rows, images.rows), images

    reference, images = embedded("reference", encoder, size)
    precision = encoder.dtype
    place = "" if encoder.path is None else f", {encoder.path} resizing, {encoder.kernels} kernels"
    repeats = Repeats(chosen[images.positions], f"{precision}, batch {images.batch_size}{place}", reference, precision)
    for variant in _variants(encoder, size):
        try:
            if (model := variant.encoder()) is not None:  # a model that cannot be loaded again has fewer variants
                rows, _ = embedded(variant.name, model, variant.batch_size)
                repeats.variants[variant.name] = variant.dtype, rows
        except SenbenchError as error:  # fp16 may overflow or a batch may not fit; the run itself is valid
            repeats.left_out[variant.name] = " ".join(str(error).split())
    return repeats


def _variants(encoder: Encoder, size: int) -> Iterator[_Variant]:
    """Yield the variants."""
    precision = encoder.dtype
    yield _Variant(SAME, precision, lambda: encoder, size)
    for batch in sorted({1, 7, max(1, size // 2)} - {size}):
        yield _Variant(f"batch {batch}", precision, lambda: encoder, batch)
    if encoder.path is None:  # a user's object
        return
    other: PixelPath = "device" if encoder.path == "exact" else "exact"
    yield _Variant(f"{other} resizing", precision, partial(encoder.otherwise, path=other), size)
    if encoder.device.type == "cpu":
        kernels: Kernels = "onednn" if encoder.kernels == "torch" else "torch"
        yield _Variant(f"{kernels} kernels", precision, partial(encoder.otherwise, kernels=kernels), size)
    for dtype in _precisions(encoder.device):
        if dtype != precision:
            yield _Variant(dtype, dtype, partial(encoder.otherwise, dtype=dtype), size)


def _precisions(device: Any) -> list[Dtype]:
    """Return the precisions of a device; without fp16 on CPUs, which emulate it slowly."""
    if device.type != "cuda":
        return ["float32", "bf16"]
    import torch

    return ["float32", "bf16", "fp16"] if torch.cuda.is_bf16_supported() else ["float32", "fp16"]


def measure(repeats: Repeats, score: Callable[[Repetition], Outcome], headline: str, n: int) -> Noise:
    """Measure how far the figures of one prompt set differ between the repetitions.

    Args:
        repeats: The repetitions.
        score: Scores one repetition.
        headline: Name of the headline figure.
        n: Number of evaluated tiles.

    Returns:
        The block `noise` of a result.
    """
    before, figures_of = score(repeats.reference), []
    first = before.scores.argmax(axis=1)
    for name, (dtype, rows) in repeats.variants.items():
        after = score(rows)
        apart = rows.images.astype(np.float64) - repeats.reference.images
        value, was = after.metrics[headline].value, before.metrics[headline].value
        figures_of.append(
            NoiseVariant(
                name=name,
                same_dtype=dtype == repeats.precision,
                score=float(np.abs(after.scores.astype(np.float64) - before.scores).max()),
                cosine=float(0.5 * (apart**2).sum(axis=1).max()),  # 1 - cosine of unit rows, without cancellation
                flips=float((after.scores.argmax(axis=1) != first).mean()),
                headline=None if value is None or was is None else value - was,
                figure=_largest(before, after),
            )
        )
    done = len(repeats.positions)
    return Noise(
        n=done, whole=done == n, reference=repeats.settings, variants=tuple(figures_of), left_out=repeats.left_out
    )


def _largest(before: Outcome, after: Outcome) -> float:
    """Return the largest change of any figure, end of an interval or class figure; relative for figures above 1."""
    a, b = _figures(before), _figures(after)
    change = 0.0
    for name in a.keys() & b.keys():
        with suppress(TypeError):  # undefined in one of them, with few tiles of a class
            change = max(change, abs(b[name] - a[name]) / max(1.0, abs(a[name]), abs(b[name])))
    return change


def _figures(outcome: Outcome) -> dict[Any, Any]:
    """Return every figure by name, as the gate compares them."""
    values: dict[Any, Any] = {}
    for name, metric in outcome.metrics.items():
        low, high = metric.ci or (None, None)
        values |= {name: metric.value, (name, "low"): low, (name, "high"): high}
    values |= {("class", entry.key): entry.recall for entry in outcome.per_class}
    return values | {("class", entry.key): entry.average_precision for entry in outcome.per_label}
