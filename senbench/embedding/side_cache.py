"""Caches per-tile statistics, thumbnails and truncation flags next to the embeddings."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets import channel_statistics
from senbench.embedding.cache_key import KEY_BYTES, row_key, text_settings
from senbench.embedding.row_cache import Store
from senbench.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.models.encoder import Encoder

PICTURE_BYTES = 2044
"""Largest cached picture in bytes; EuroSAT's have at most 1,872. Larger ones are made again in every run."""


def cut_texts(encoder: Encoder, texts: Sequence[str], cache: Path | None) -> list[str]:
    """Return the texts that the model's context truncates; cached, because loading the tokenizer is slow.

    Args:
        encoder: The model.
        texts: Distinct texts.
        cache: Cache folder, or None.

    Returns:
        The truncated texts, in order.
    """

    def asked(at: list[int]) -> list[NDArray[Any]]:
        cut = set(encoder.truncated([texts[i] for i in at]))
        return [np.array([texts[i] in cut], np.float32) for i in at]

    store = Store(cache, 1, text_settings(encoder, "cut"))
    flags = _rows(store, [row_key(text.encode()) for text in texts], asked)
    return [text for text, lost in zip(texts, flags, strict=True) if lost]


def token_digests(
    identity: dict[str, Any] | None, texts: Sequence[str], read: Callable[[list[str]], NDArray[Any]], cache: Path | None
) -> list[bytes]:
    """Return a hash of the tokens of each text; texts with equal tokens are the same to the model.

    Args:
        identity: Everything that determines the tokens; None if that is not known for certain: no cache.
        texts: Distinct texts.
        read: Texts -> tokens, int64 (P, L); called once for each text, because loading the tokenizer is slow.
        cache: Cache folder, or None.
    """

    def hashed(at: list[int]) -> list[NDArray[Any]]:
        return [np.frombuffer(row_key(row.tobytes()), np.uint8) for row in read([texts[i] for i in at])]

    store = Store(cache, KEY_BYTES // 4, None if identity is None else {**identity, "kind": "tokens"})
    digests = _rows(store, [row_key(text.encode()) for text in texts], hashed)
    return [b"" if row is None else row.tobytes() for row in digests]


def statistics(tiles: Tiles, cache: Path | None) -> list[NDArray[np.float64]]:
    """Return channel statistics of evenly spaced tiles, as the model gets their values.

    Args:
        tiles: The evaluated tiles, as the model gets them.
        cache: Cache folder, or None.

    Returns:
        The values of `channel_statistics.of_tile` for each tile that can be read.
    """
    positions = channel_statistics.sample(len(tiles))
    scale = channel_statistics.scale(tiles.info, tiles.radiometry) or "unknown"
    settings = {"kind": "statistics", "model": "any", "of": channel_statistics.OF_TILE, "scale": scale}
    settings |= {"radiometry": tiles.radiometry, "band_order": tiles.band_order}
    width = len(channel_statistics.COLUMNS) + len(tiles.bands)
    store = Store(cache, 2 * width, settings)  # a float64 takes two float32 columns

    def looked_at(at: list[int]) -> list[NDArray[Any] | None]:
        return [channel_statistics.of_tile(tiles, positions[i]) for i in at]

    rows = _rows(store, [_key(tiles.key, p) for p in positions], looked_at)
    return [row.view(np.float64) for row in rows if row is not None]


def pictures(
    tiles: Tiles,
    positions: Sequence[int],
    encode: Callable[[NDArray[np.uint8]], bytes],
    encoding: str,
    cache: Path | None,
) -> list[bytes | None]:
    """Return tiles as encoded RGB pictures.

    Args:
        tiles: The evaluated tiles.
        positions: Which of them.
        encode: uint8 RGB (H, W, 3) -> an image file.
        encoding: Text that changes whenever `encode` does.
        cache: Cache folder, or None.

    Returns:
        One file per position; None where the tile cannot be read.
    """
    rendering = tiles.rendering or tiles.radiometry
    settings = {"kind": "pictures", "model": "any", "radiometry": rendering, "encoding": encoding}
    store = Store(cache, (4 + PICTURE_BYTES) // 4, settings)
    keys = [_key(tiles.reader.key, int(tiles.index[p])) for p in positions]

    def drawn(at: list[int]) -> list[NDArray[Any] | None]:
        made: list[NDArray[Any] | None] = []
        for i in at:
            row = None
            with contextlib.suppress(UnavailableError):  # no RGB, or the tile is gone while its embedding is cached
                data = encode(tiles.picture(positions[i]))
                row = np.frombuffer(len(data).to_bytes(4, "little") + data.ljust(PICTURE_BYTES, b"\0"), np.uint8)
            made.append(row)
        return made

    files = [None if row is None else row.tobytes() for row in _rows(store, keys, drawn)]
    return [None if row is None else row[4 : 4 + int.from_bytes(row[:4], "little")] for row in files]


def _key(keys: Callable[[int], bytes], i: int) -> bytes | None:
    """Return the row key of a tile; None if the tile is gone, or its packed copy does not state the key."""
    try:
        return row_key(keys(i))
    except UnavailableError:
        return None


def _rows(
    store: Store, keys: Sequence[bytes | None], make: Callable[[list[int]], Sequence[NDArray[Any] | None]]
) -> list[NDArray[Any] | None]:
    """Return one row per key: cached rows, and for the other positions those that `make` computes, then cached.

    The store does not interpret its rows: any bytes of the row's length can be stored; longer ones are not cached.
    """
    todo = store.missing(keys)
    made = zip(todo, make([*todo.values()]) if todo else (), strict=True)
    rows: dict[bytes, NDArray[Any]] = {key: row for key, row in made if row is not None}
    if fit := [key for key, row in rows.items() if row.nbytes == 4 * store.dim]:
        with contextlib.suppress(UnavailableError):  # a shared cache may be read-only: recomputed next time
            store.add(fit, np.stack([rows[key] for key in fit]).view(np.float32))
    there = [key for key in keys if key is not None and key in store]
    rows |= zip(there, store.rows(there), strict=True)
    return [None if key is None else rows.get(key) for key in keys]
