"""Keys of the embedding cache: one hash of all settings that determine an embedding, and one of the content."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from senbench.datasets.tiles import Tiles
    from senbench.models.encoder import Encoder

KEY_BYTES = 16
"""Length of a row key in bytes."""


def row_key(content: bytes) -> bytes:
    """Return the key of a row: the blake2b-128 of its content key (an image's bytes or their hash, or a text)."""
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()


def store_key(settings: dict[str, Any]) -> str:
    """Return the sha256 of everything that determines an embedding except the content itself.

    Args:
        settings: JSON-serialisable: weights hash, resolved preprocessing, dtype, ...

    Returns:
        Hex digest; its first half is the folder name of the store.
    """
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def image_settings(encoder: Encoder, tiles: Tiles) -> dict[str, Any] | None:
    """Return the settings that determine a tile's embedding; None for a user's object, which is never cached."""
    identity = encoder.image_identity()
    return None if identity is None else of_tiles(identity, tiles)


def of_tiles(identity: dict[str, Any], tiles: Tiles) -> dict[str, Any]:
    """Add the settings of the tiles to those of the model."""
    return {"kind": "image", **identity, "radiometry": tiles.radiometry, "band_order": tiles.band_order}


def text_settings(encoder: Encoder, kind: str = "text") -> dict[str, Any] | None:
    """Return the settings that determine a text's embedding, or another property of it; None as in `image_settings`."""
    identity = encoder.text_identity()
    return None if identity is None else {**identity, "kind": kind}
