"""An encoder that needs no torch, and tiles that need no files: tools of the tests."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.tiles import Reader, TileError, Tiles
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


class StubReader(Reader):
    """A reader made of functions; what is not given is that of another reader."""

    PARTS = ("digital", "key_per_band", "located", "portable")
    PARTS += ("rgb", "key", "bands", "keyed", "stamp", "locate", "packed")
    rgb = key = None

    def __init__(self, other: Reader | None = None, **functions: Any) -> None:
        if other is not None:
            vars(self).update({name: getattr(other, name) for name in self.PARTS})
            if type(other).keyed is Reader.keyed:
                del self.keyed  # calls the functions given here
        vars(self).update(functions)

    def __reduce__(self) -> tuple[Any, ...]:
        return StubReader, (), {"rgb": self.rgb}


def changed(tiles: Tiles, *, reader: Any = None, keys: Any = None, locate: Any = None, **change: Any) -> Tiles:
    """The same tiles with other functions that read them; `reader` gives digital numbers, too, whatever the bands."""
    functions: dict[str, Any] = {} if reader is None else {"rgb": reader, "bands": lambda i, names: reader(i)}
    if keys is not None:
        functions["key"] = lambda i, names=None: keys(i)
    if locate is not None:
        functions |= {"locate": locate, "located": True}
    return replace(tiles, reader=StubReader(tiles.reader, **functions), **change)


def tiles(n: int = 60, bad: Sequence[int] = (), twins: bool = False, **change: Any) -> Tiles:
    """n tiles of three classes; a tile's colour tells its class; `bad` ones cannot be decoded."""
    labels = np.arange(n) % 3
    images = np.random.default_rng(3).integers(0, 60, (n, 8, 8, 3), dtype=np.uint8)
    images[np.arange(n), :, :, labels] += 120
    if twins:
        images[1] = images[4]

    def rgb(i: int) -> np.ndarray:
        if i in bad:
            raise TileError(f"tile {CLASSES[labels[i]]}_{i}: truncated")
        return images[i]

    keys = change.pop("keys", lambda i: images[i].tobytes())
    functions = {"rgb": change.pop("reader", rgb), "key": lambda i, names=None: keys(i)}
    functions["portable"] = change.pop("portable", False)
    if (bands := change.pop("bands_reader", None)) is not None:
        functions |= {"bands": lambda i, names: bands(i, names), "digital": True}
    if (locate := change.pop("locate", None)) is not None:
        functions |= {"locate": locate, "located": True}

    facts: dict[str, Any] = {
        "info": info(splits={"all": n}),
        "split": "all",
        "source": "memory",
        "ids": tuple(f"{CLASSES[k]}_{i}" for i, k in enumerate(labels)),
        "labels": labels.astype(np.int64),
        "reader": StubReader(**functions),
        "n_expected": n,
        "radiometry": "native-jpeg",
    }
    return Tiles(**{**facts, **change})


class StubEncoder:
    """Embeds a tile as its mean colour, a text by its class word: right by construction."""

    card = device = preprocess = path = kernels = logit_bias = None
    embed_dim = 8
    batch_size = 7
    dtype = "float32"
    logit_scale = 100.0
    warnings = ()
    overlaps = False

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

    def begin(self, batch: Sequence[np.ndarray]) -> Callable[[], np.ndarray]:
        return lambda: self.encode_prepared(batch)

    def otherwise(self, **settings: Any) -> None:
        return None

    def truncated(self, texts: Sequence[str]) -> list[str]:
        return []

    def tokens(self, texts: Sequence[str]) -> None:
        return None

    def describe(self) -> dict[str, Any]:
        return {"id": self.name, "family": "stub", "title": self.name, "weights_sha256": "0" * 64}


def direct(tiles: Tiles) -> np.ndarray:
    return StubEncoder().encode_prepared([tiles.read(i) for i in range(len(tiles))])
