"""A text or a template tried on a few tiles at once: which class each tile gets, and by how much."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets.readers.image import picture
from senbench.datasets.readers.sources import NamedFiles, tile_file
from senbench.errors import UsageError
from senbench.models.load import load
from senbench.prompts.load import prompts_for
from senbench.runtime.inline_prompts import is_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.models.adapter import Adapter
    from senbench.schema.dataset import DatasetInfo


class Ranked(NamedTuple):
    """One candidate of a tile."""

    name: str
    """Class or text."""
    cosine: float
    share: float
    """Softmax of the cosines times the model's logit scale, over all candidates, 0..1."""


class Tried(NamedTuple):
    """What one tile gets."""

    file: str
    ranked: tuple[Ranked, ...]
    """All candidates, best first."""

    @property
    def margin(self) -> float:
        """By how much the cosine of the first exceeds that of the second."""
        return self.ranked[0].cosine - self.ranked[1].cosine

    def record(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"file": self.file, "margin": self.margin, "ranked": [one._asdict() for one in self.ranked]}


def candidates(
    texts: Sequence[str], info: DatasetInfo, class_names: str | None
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Names and prompts of what is told apart.

    Args:
        texts: One template with `{}`, filled with the classes; or two or more plain texts, each a class of its own.
        info: The dataset whose classes fill a template.
        class_names: Class-name set or file; None: the dataset's default.

    Returns:
        Names, and the prompts of each.

    Raises:
        UsageError: Neither.
    """
    templates = [text for text in texts if is_template(text)]
    if not templates:
        if len(set(texts)) < 2:
            raise UsageError("give a template with {}, or two or more texts to be told apart")
        return tuple(dict.fromkeys(texts)), tuple((text,) for text in dict.fromkeys(texts))
    if len(templates) < len(texts):
        raise UsageError("give either templates with {} or plain texts: a text alone has no class")
    packs = [prompts_for(text, info, class_names) for text in texts]
    names = packs[0].names
    return names, tuple(tuple(pack.texts[key][0] for pack in packs) for key in packs[0].texts)


def trial(
    names: Sequence[str], prompts: Sequence[Sequence[str]], files: Sequence[str], model: str, *, offline: bool = False
) -> tuple[Tried, ...]:
    """Try prompts on tiles.

    Args:
        names: What is told apart.
        prompts: Prompts of each, whose normalised embeddings are averaged.
        files: 8-bit images.
        model: Model id.
        offline: Fetch nothing.

    Returns:
        One entry per file.

    Raises:
        UsageError: A file that is not there, or a model of digital numbers.
        TileError: A file that cannot be decoded.
    """
    tiles = []
    for name in files:
        path = Path(name).expanduser()
        if not path.is_file():
            raise UsageError(f"--tile {name}: no such file")
        source = NamedFiles(path.parent, (path.name,), path.parent.name or ".")
        tiles.append(picture(tile_file(source, path.name), path.name).pixels)
    encoder = load(model, offline=offline)
    if encoder.card.unit != "uint8":
        raise UsageError(f"model {model} takes digital numbers; images are tried with a model of 8-bit RGB")
    rows = np.stack([_mean(encoder, texts) for texts in prompts])
    cosines = encoder.encode_images(tiles) @ rows.T
    logits = cosines.astype(np.float64) * (encoder.logit_scale or 1.0)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    found = []
    for file, cosine, share in zip(files, cosines, shares, strict=True):
        order = np.argsort(-cosine, kind="stable")
        found.append(Tried(file, tuple(Ranked(names[k], float(cosine[k]), float(share[k])) for k in order)))
    return tuple(found)


def _mean(encoder: Adapter, texts: Sequence[str]) -> np.ndarray:
    mean = encoder.encode_texts(list(texts)).mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)
