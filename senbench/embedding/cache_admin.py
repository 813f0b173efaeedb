"""Lists, verifies and prunes the stores of the embedding cache."""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from senbench.embedding.cache_key import store_key
from senbench.embedding.row_cache import SETTINGS, SHARDS, has_its_size, read_shard
from senbench.errors import UnavailableError
from senbench.io import checked_json
from senbench.runtime import parsing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODELS = "models"
"""Folder of the recorded facts of models (`models/lazy_model.py`)."""
LEFT_OVER = 3600.0
"""Age in seconds from which a temporary file is taken to be left over from a killed run."""


@dataclass(frozen=True)
class Kept:
    """One store: the embeddings of one model under one preprocessing.

    Attributes:
        id: Name of its folder.
        kind: `image` or `text`; `cut`, `statistics` and `pictures` for the side caches (`side_cache.py`); `unknown`
            if the settings are missing.
        model: Model id; `any` if the rows do not depend on a model.
        settings: Everything that determines the rows.
        shards: Number of shard files.
        bytes: Total size of the shards.
        used: Time of the last use, in seconds since 1970.
    """

    id: str
    kind: str
    model: str
    settings: dict[str, Any]
    shards: int
    bytes: int
    used: float


def stores(cache: Path) -> list[Kept]:
    """Return all stores of a cache folder, the most recently used first; none if the folder does not exist."""
    return sorted((_describe(folder) for folder in _folders(cache)), key=lambda kept: (-kept.used, kept.id))


def damaged(cache: Path, *, read: bool = True) -> dict[str, list[str]]:
    """Return the unusable files of each store: damaged shards, and shards or settings of another store.

    The recorded facts of models are checked too, under the name of their folder. Nothing is changed; runs recompute
    what is damaged.

    Args:
        cache: Cache folder.
        read: Read every row; False only compares the size of each shard with its header.
    """
    sound = (lambda path: read_shard(path) is not None) if read else has_its_size
    unusable: dict[str, list[str]] = {}
    for folder in _folders(cache):
        bad = [path.name for path in sorted(folder.glob(SHARDS)) if not sound(path)]
        settings = _settings(folder)
        if settings is None or store_key(settings)[:32] != folder.name:
            bad.append(SETTINGS)
        if bad:
            unusable[folder.name] = bad
    if facts := [path.name for path in sorted(cache.glob(f"{MODELS}/*.json")) if checked_json.read(path) is None]:
        unusable[MODELS] = facts
    return unusable


def prune(cache: Path, max_bytes: int) -> list[Kept]:
    """Remove the least recently used stores until the others fit, and the leftovers of killed runs.

    With 0 everything is removed, including the recorded facts of models.

    Args:
        cache: Cache folder.
        max_bytes: Most bytes that may remain.

    Returns:
        The removed stores.

    Raises:
        UnavailableError: A store cannot be removed.
    """
    for folder in _folders(cache):
        for path in folder.glob(".*"):
            with contextlib.suppress(OSError):  # another process may have removed it
                if time.time() - path.stat().st_mtime > LEFT_OVER:
                    path.unlink()
    kept = stores(cache)
    size = sum(store.bytes for store in kept)
    if max_bytes == 0:
        shutil.rmtree(cache / MODELS, ignore_errors=True)
    removed = []
    while size > max_bytes and kept:
        oldest = kept.pop()
        try:
            shutil.rmtree(cache / oldest.id)
        except OSError as error:
            raise UnavailableError(f"cache folder {cache / oldest.id} cannot be removed: {error.strerror}") from error
        removed.append(oldest)
        size -= oldest.bytes
    return removed


def _folders(cache: Path) -> Iterator[Path]:
    """Yield the folders of stores, whose names are hashes; other folders are ignored."""
    if cache.is_dir():
        yield from (p for p in sorted(cache.iterdir()) if p.is_dir() and len(p.name) == 32)


def _settings(folder: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        settings = parsing.from_json((folder / SETTINGS).read_bytes())
        return settings if isinstance(settings, dict) else None
    return None


def _describe(folder: Path) -> Kept:
    settings = _settings(folder) or {}
    sizes, used = [], 0.0
    with contextlib.suppress(OSError):
        used = folder.stat().st_mtime
        used = (folder / SETTINGS).stat().st_mtime
    for path in folder.glob(SHARDS):
        with contextlib.suppress(OSError):
            sizes.append(path.stat().st_size)
    return Kept(
        id=folder.name,
        kind=str(settings.get("kind", "unknown")),
        model=str(settings.get("model", "unknown")),
        settings=settings,
        shards=len(sizes),
        bytes=sum(sizes),
        used=used,
    )
