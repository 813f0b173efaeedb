"""Prompts against classes: the similarities of each prompt, its contribution, and the tiles that it ranks highest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from senbench import protocols
from senbench.datasets import open as datasets
from senbench.errors import UnavailableError
from senbench.evaluation.data import open_data
from senbench.evaluation.embed import embed_each
from senbench.models import registry
from senbench.prompts.pool import Pool, Truth
from senbench.prompts.resampling import left_out
from senbench.results.matrix import Matrix, ModelMatrix
from senbench.results.thumbnails import encode
from senbench.runtime.progress import Progress, Silent
from senbench.scoring.classifier import unit
from senbench.studies.prompt_selection import load_pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.schema.run_spec import RunSpec

TOP = 4
"""Number of highest-ranked tiles stored per prompt."""
PICTURE_BYTES = 900_000
"""Most bytes of all pictures of a page; one takes about 1 kB."""


def measure(spec: RunSpec, progress: Progress | None = None) -> Matrix:
    """Compare every prompt of a set with the images of every class.

    Args:
        spec: Models, one prompt set, one dataset.
        progress: Displays progress; None for silent.

    Returns:
        The matrix. It uses the labels, so that a choice based on it has access level 3.

    Raises:
        UsageError: Wrong input.
        UnavailableError: Data, weights or device missing or damaged.
    """
    display = progress or Silent()
    cards = [registry.find(name, offline=spec.offline) for name in spec.models]
    info = datasets.dataset_info(spec.datasets[0], data_dir=spec.data_dir, offline=spec.offline)
    prompts = load_pool(spec, info)
    opened = open_data(spec, spec.datasets[0], protocols.find("standard"), (), display)
    titles = [card.title for card in cards]
    if len(set(titles)) < len(titles):  # cards with the same title, which a reader could not distinguish
        titles = [card.id for card in cards]
    models: list[ModelMatrix] = []
    for title, embeddings in zip(titles, embed_each(spec, cards, opened.tiles, prompts, display), strict=True):
        labels = embeddings.tiles.tile_labels
        models.append(
            matrix_of(title, embeddings.images, embeddings.texts, embeddings.text_class, labels, len(info.classes))
        )
    return Matrix(prompts, embeddings.tiles, tuple(models), pictures(embeddings.tiles, [m.top for m in models]))


def matrix_of(
    title: str,
    images: NDArray[np.float32],
    texts: NDArray[np.float32],
    text_class: NDArray[np.int64],
    labels: NDArray[np.int64] | NDArray[np.bool_],
    n_classes: int,
) -> ModelMatrix:
    """Compute the figures of one model.

    Args:
        title: Its display name.
        images: Image embeddings, (N, D).
        texts: Prompt embeddings, class by class, (P, D).
        text_class: Class of each prompt, ascending, (P,).
        labels: True class, (N,), or multi-hot labels, (N, C).
        n_classes: C.

    Returns:
        Figures with the rule `norm-mean-norm`.
    """
    pool, truth = Pool.of(images, texts, text_class, n_classes), Truth(labels, n_classes)
    everything, without = left_out(pool, truth)
    member = labels if labels.ndim == 2 else labels[:, None] == np.arange(n_classes)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (member.T.astype(np.float32) @ unit(images, "images")) / member.sum(axis=0)[:, None]
    top, top_cosine = [], []
    for products in pool.products:
        best = np.argsort(-products, axis=0, kind="stable")[:TOP]
        top.append(best.T)
        top_cosine.append(np.take_along_axis(products, best, axis=0).T)
    return ModelMatrix(
        title=title,
        cosine=np.asarray(unit(texts, "texts") @ means.T, np.float64),
        contribution=np.concatenate([everything - rows for rows in without]),
        top=np.concatenate(top),
        top_cosine=np.concatenate(top_cosine).astype(np.float64),
    )


def pictures(tiles: Tiles, tops: Sequence[NDArray[np.int64]], limit: int = PICTURE_BYTES) -> dict[int, bytes]:
    """Make pictures of the tiles that prompts rank highest; every prompt's first tile before any second.

    Args:
        tiles: The tiles.
        tops: Per model, positions of each prompt's best tiles, (P, TOP).
        limit: Most bytes of all pictures together.

    Returns:
        Position -> WebP bytes; tiles without an RGB rendering are left out.
    """
    wanted = dict.fromkeys(int(i) for place in range(TOP) for top in tops for i in top[:, place : place + 1].ravel())
    encoded: dict[int, bytes] = {}
    size = 0
    for i in wanted:
        try:
            picture = encode(tiles.picture(i))
        except UnavailableError:
            continue
        size += len(picture)
        if size > limit:
            break
        encoded[i] = picture
    return encoded
