"""An encoder that needs no torch, and tiles that need no files: tools of the tests."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.tiles import TileError, Tiles
from senbench.schema.dataset import DatasetInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CLASSES = ("Field", "Lake", "Town")


def info(**change: Any) -> DatasetInfo:
    facts: dict[str, Any] = {
        "id": "stub",
        "title": "Stub tiles",
        "collection": "stub",
        "task": "single-label",
        "classes": CLASSES,
        "vocabulary": "",
        "splits": {"all": 60},
        "default_split": "all",
        "bands": ("B04", "B03", "B02"),
        "unit": "uint8",
        "tile_size": 8,
        "radiometry": "native-jpeg",
        "licence": "none",
        "citation": "none",
    }
    return DatasetInfo(**{**facts, **change})


def tiles(n: int = 60, bad: Sequence[int] = (), twins: bool = False, **change: Any) -> Tiles:
    """n tiles of three classes; a tile's colour tells its class; `bad` ones cannot be decoded."""
    labels = np.arange(n) % 3
    images = np.random.default_rng(3).integers(0, 60, (n, 8, 8, 3), dtype=np.uint8)
    images[np.arange(n), :, :, labels] += 120
    if twins:
        images[1] = images[4]

    def reader(i: int) -> np.ndarray:
        if i in bad:
            raise TileError(f"tile {CLASSES[labels[i]]}_{i}: truncated")
        return images[i]

    facts: dict[str, Any] = {
        "info": info(splits={"all": n}),
        "split": "all",
        "source": "memory",
        "ids": tuple(f"{CLASSES[k]}_{i}" for i, k in enumerate(labels)),
        "labels": labels.astype(np.int64),
        "reader": reader,
        "keys": lambda i: images[i].tobytes(),
        "n_expected": n,
        "radiometry": "native-jpeg",
    }
    return Tiles(**{**facts, **change})


class StubEncoder:
    """Embeds a tile as its mean colour, a text by its class word: right by construction."""

    embed_dim = 8
    batch_size = 7
    logit_scale = 100.0
    logit_bias = None

    def __init__(self, name: str = "stub", fail_after: int | None = None) -> None:
        self.name = name
        self.fail_after = fail_after
        self.images = 0
        self.texts: list[str] = []
        self.batches: list[int] = []

    def image_identity(self) -> dict[str, Any]:
        return {"weights": self.name}

    text_identity = image_identity

    def prepare(self, tile: np.ndarray) -> np.ndarray:
        return tile

    def encode_prepared(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        if self.fail_after is not None and self.images >= self.fail_after:
            raise KeyboardInterrupt
        self.images += len(batch)
        self.batches.append(len(batch))
        rows = np.zeros((len(batch), self.embed_dim), np.float32)
        rows[:, :3] = [tile.mean(axis=(0, 1)) for tile in batch]
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def encode_texts(
        self, texts: Sequence[str], *, normalize: bool = True, advance: Callable[[int], None] | None = None
    ) -> np.ndarray:
        self.texts += texts
        rows = np.full((len(texts), self.embed_dim), 0.01, np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[3 + hashlib.sha256(text.encode()).digest()[0] % 5] += 0.05
            for k, key in enumerate(CLASSES):
                if key.lower() in text.lower():
                    row[k] = 1
            row *= 1 + len(text)  # raw rows have different lengths
        return rows / np.linalg.norm(rows, axis=1, keepdims=True) if normalize else rows

    def truncated(self, texts: Sequence[str]) -> list[str]:
        return []

    def describe(self) -> dict[str, Any]:
        return {"id": self.name, "family": "stub", "title": self.name, "weights_sha256": "0" * 64}
