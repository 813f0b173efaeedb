"""The cache key: everything that determines an embedding, the settings by one hash and the content by another."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from senbench.datasets.tiles import Tiles
    from senbench.models.encoder import Encoder

KEY_BYTES = 16
"""Length of a row key."""


def row_key(content: bytes) -> bytes:
    """Key of a row: blake2b-128 of its content key (an image's bytes or their hash, or a text), `KEY_BYTES` long."""
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()


def store_key(settings: dict[str, Any]) -> str:
    """sha256 over everything that determines an embedding but the content itself.

    Args:
        settings: JSON-serialisable: weights hash, resolved preprocessing, dtype, ...

    Returns:
        Hex digest; its first half is the folder name of the store.
    """
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def image_settings(encoder: Encoder, tiles: Tiles) -> dict[str, Any] | None:
    """Settings that determine the embedding of a tile; None for a model that may change, which is never cached."""
    identity = encoder.image_identity()
    return None if identity is None else of_tiles(identity, tiles)


def of_tiles(identity: dict[str, Any], tiles: Tiles) -> dict[str, Any]:
    """Settings that determine the embedding of a tile, from those of the model."""
    return {"kind": "image", **identity, "radiometry": tiles.radiometry, "band_order": tiles.band_order}


def text_settings(encoder: Encoder, kind: str = "text") -> dict[str, Any] | None:
    """Settings that determine the embedding of a text, or another fact of it; None as for `image_settings`."""
    identity = encoder.text_identity()
    return None if identity is None else {**identity, "kind": kind}
